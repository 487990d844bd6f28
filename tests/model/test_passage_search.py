"""Documents found by their best passage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import ModelError
from model import passage_search as passages
from model.passage_search import PASSAGE_WORDS, STEP_WORDS, DocumentVectors, _passages

LETTERS = "abc"
Vectors = npt.NDArray[np.float32]

documents = st.lists(
    st.lists(st.sampled_from(LETTERS), max_size=4 * PASSAGE_WORDS).map(" ".join), min_size=1
)


class Letters:
    """Counts three letters; a text without any points along a fourth axis."""

    name = "letters"

    def embed(self, texts: Sequence[str]) -> Vectors:
        counts = [[*(text.count(letter) for letter in LETTERS), not text] for text in texts]
        found = np.array(counts, dtype=np.float32).reshape(len(texts), 4)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def vectors_of(texts: Sequence[str]) -> DocumentVectors:
    return DocumentVectors(Letters(), texts, name="letters", has_passages=True)


def test_passages_cover_a_text_and_overlap_by_half() -> None:
    words = [f"w{at}" for at in range(3 * PASSAGE_WORDS + 5)]
    cut = [passage.split() for passage in _passages(" ".join(words))]
    assert all(len(passage) == PASSAGE_WORDS for passage in cut[:-1])
    assert len(cut[-1]) > STEP_WORDS
    assert [passage[0] for passage in cut] == words[: len(cut) * STEP_WORDS : STEP_WORDS]
    assert {word for passage in cut for word in passage} == set(words)


def test_a_text_of_one_passage_has_none() -> None:
    assert _passages("") == _passages(" ".join(["w"] * PASSAGE_WORDS)) == []
    assert len(_passages(" ".join(["w"] * (PASSAGE_WORDS + 1)))) == 2


def test_one_sentence_in_a_long_text_is_found() -> None:
    hidden = " ".join(["a"] * 200 + ["b"] * 30 + ["a"] * 200)
    even = " ".join(["a", "b", "c"] * 100)
    found, query = vectors_of([hidden, even]), Letters().embed(["b"])
    assert found.cosines(query)[0, 0] < found.cosines(query)[0, 1]
    assert found.best_passages(query)[0] == pytest.approx([1, 3**-0.5], abs=1e-3)


@given(documents, st.lists(st.sampled_from([*LETTERS, "a b", ""]), max_size=3))
def test_the_best_passage_is_the_best(texts: list[str], asked: list[str]) -> None:
    queries = Letters().embed(asked)
    found = vectors_of(texts).best_passages(queries)
    assert found.shape == (len(asked), len(texts))
    for column, text in enumerate(texts):
        parts = Letters().embed(_passages(text) or [text])
        assert np.allclose(found[:, column], (queries @ parts.T).max(axis=1), atol=1e-5)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join([letter, *"abc"] * count) for letter in LETTERS for count in (1, 9, 30, 50)]
    queries = Letters().embed(["a", "b c"])
    whole = vectors_of(texts).best_passages(queries)
    for scores in (1, 30, 100):
        monkeypatch.setattr(passages, "MAX_BLOCK_SCORES", scores)
        assert np.allclose(vectors_of(texts).best_passages(queries), whole)


def test_vectors_that_are_no_numbers_are_refused() -> None:
    class Broken(Letters):
        def embed(self, texts: Sequence[str]) -> Vectors:
            return np.full((len(texts), 4), np.nan, dtype=np.float32)

    with pytest.raises(ModelError):
        DocumentVectors(Broken(), ["a"], name="letters", has_passages=True)
