"""The cache of teacher vectors: complete, resumable, and safe against a kill between two writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model.data import text_key
from model.teacher import CHUNK, WIDTH, VectorCache, fill_cache


class CountingTeacher:
    """Vectors from hashes, and a limit after which it breaks, as a killed run does."""

    def __init__(self, limit: int = 10**9) -> None:
        self.asked = 0
        self._limit = limit

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.asked + len(texts) > self._limit:
            raise InterruptedError("stopped")
        self.asked += len(texts)
        return np.stack([vector_of(text) for text in texts])


def vector_of(text: str) -> npt.NDArray[np.float32]:
    vector = np.random.default_rng(text_key(text)).standard_normal(WIDTH).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def check(cache: VectorCache, texts: Sequence[str]) -> None:
    vectors, found = cache.load(texts)
    assert found.tolist() == list(range(len(texts)))
    expected = np.stack([vector_of(text) for text in texts])
    assert np.abs(vectors.astype(np.float32) - expected).max() < 1e-3


def test_vectors_are_computed_once(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(50)]
    teacher = CountingTeacher()
    fill_cache(VectorCache(tmp_path), texts[:30], teacher)
    fill_cache(VectorCache(tmp_path), texts[::-1], teacher)
    assert teacher.asked == 50
    check(VectorCache(tmp_path), texts)


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(CHUNK + 20)]
    with pytest.raises(InterruptedError):
        fill_cache(VectorCache(tmp_path), texts, CountingTeacher(limit=CHUNK))
    again = CountingTeacher()
    fill_cache(VectorCache(tmp_path), texts, again)
    assert again.asked == 20
    check(VectorCache(tmp_path), texts)


@pytest.mark.parametrize(("name", "size"), [("vectors.f16", 2 * WIDTH), ("keys.u64", 8)])
def test_a_half_written_block_is_written_again(tmp_path: Path, name: str, size: int) -> None:
    texts = [f"text {number}" for number in range(10)]
    fill_cache(VectorCache(tmp_path), texts, CountingTeacher())
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: 7 * size + 3])
    cache = VectorCache(tmp_path)
    assert cache.missing(texts) == texts[7:]
    fill_cache(cache, texts, CountingTeacher())
    check(VectorCache(tmp_path), texts)


def test_unknown_texts_are_left_out(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    fill_cache(cache, ["known"], CountingTeacher())
    vectors, found = cache.load(["unknown", "known"])
    assert found.tolist() == [1]
    assert vectors.shape == (1, WIDTH)
