"""The exact search over vectors in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import exact
from kb.exact import STRIPE, ExactVectors, largest


@given(
    seed=st.integers(0, 1000),
    width=st.sampled_from([1, 7, STRIPE, 12 * STRIPE, 13 * STRIPE, 40 * STRIPE + 5]),
    count=st.integers(1, 12),
)
def test_the_largest_of_each_row_are_those_that_sorting_finds(seed, width, count):
    count = min(count, width)
    rows = np.random.default_rng(seed).normal(size=(3, width)).astype(np.float32)
    found = np.sort(largest(rows, count), axis=1)
    assert (found == np.sort(np.argsort(rows, axis=1)[:, width - count :], axis=1)).all()


@pytest.fixture
def many() -> tuple[ExactVectors, np.ndarray]:
    vectors = np.random.default_rng(5).normal(size=(3000, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[2999] = vectors[17]
    held = ExactVectors(8)
    held.append([10 * (n + 1) for n in range(len(vectors))], vectors)
    return held, vectors


def test_a_fact_is_nearest_to_itself_and_the_older_of_equals_comes_first(many):
    held, vectors = many
    found = held.nearest(vectors[[17, 2999, 4]], limit=3)
    assert found[0][:2] == found[1][:2] == [180, 30_000]
    assert found[2][0] == 50
    assert [len(row) for row in found] == [3, 3, 3]


def test_queries_in_parts_find_what_they_find_together(many, monkeypatch):
    held, vectors = many
    together = held.nearest(vectors[:100], limit=5)
    monkeypatch.setattr(exact, "QUERIES_AT_ONCE", 7)
    assert held.nearest(vectors[:100], limit=5) == together


def test_nothing_is_near_in_an_empty_store():
    assert ExactVectors(4).nearest(np.ones((2, 4), np.float32), limit=3) == [[], []]
