"""A tiny encoder trained on invented sentences, shared by the tests of this folder."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from model.characters import join_base_letters
from model.config import tiny
from model.contexts import ContextTable, train_context_table
from model.embed import Encoder, load_encoder
from model.train import train_on_projection

PEOPLE = ("the mayor", "a farmer", "the minister", "our teacher", "an engineer", "the captain")
ACTS = ("opens", "visits", "repairs", "sells", "praises", "closes")
THINGS = ("the old bridge", "a new school", "the harbour", "a small bakery", "the power station")
TIMES = ("on Monday", "in spring", "after the storm", "before noon", "without warning")


def invented_sentences(count: int) -> list[str]:
    """Sentences from a small grammar, the same for every call."""
    rng = random.Random(7)
    parts = (PEOPLE, ACTS, THINGS, TIMES)
    return [" ".join(rng.choice(part) for part in parts) + "." for _ in range(count)]


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    return invented_sentences(600)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "embed"
    train_on_projection(tiny(), sentences, folder)
    return folder


@pytest.fixture
def tiny_encoder(tiny_folder: Path) -> Encoder:
    return load_encoder(tiny_folder)


@pytest.fixture(scope="session")
def contexts(sentences: list[str]) -> ContextTable:
    return train_context_table([join_base_letters(sentences)[0]], bits=16, min_count=2)
