"""A home, its parts and a newsroom, for the tests of the knowledge base."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kb import Answerability, KnowledgeBase
from kb.migrations import migrate
from kb.sql import open_engine
from tests.embedders import HashEmbedder
from tests.kb.newsroom import Newsroom


@pytest.fixture
def newsroom() -> Newsroom:
    return Newsroom()


@pytest.fixture
def embedder() -> HashEmbedder:
    return HashEmbedder()


@pytest.fixture
def answerability() -> Answerability:
    return Answerability.default()


@pytest.fixture
def open_kb(
    tmp_path: Path, embedder: HashEmbedder, answerability: Answerability
) -> Iterator[Callable[..., KnowledgeBase]]:
    """Opens the test's home, as often as wanted; whatever is still open is closed at the end."""
    opened: list[KnowledgeBase] = []

    def open_home(home: str = "home", **options) -> KnowledgeBase:
        chosen = options.pop("embedder", embedder)
        kb = KnowledgeBase.open(tmp_path / home, chosen, answerability, **options)
        opened.append(kb)
        return kb

    yield open_home
    for kb in opened:
        kb.close()


@pytest.fixture
def kb(
    tmp_path: Path, embedder: HashEmbedder, answerability: Answerability
) -> Iterator[KnowledgeBase]:
    """A home without a vector index, which searches exactly: most laws do not need Chroma's second."""
    engine = open_engine(tmp_path, None)
    migrate(engine, str(tmp_path))
    with KnowledgeBase(
        tmp_path, engine, None, embedder=embedder, answerability=answerability
    ) as opened:
        yield opened
