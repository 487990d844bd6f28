"""Rounding a tagger's tables: the levels are the best there are, and words keep their scores."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from model import tag_round
from model.tag_round import best_levels, round_table, text_reads

ROWS, TAGS, FORMS, WORDS, FEATURES = 1 << 9, 4, 150, 4000, 12


@pytest.fixture(scope="module")
def steps() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.clip(np.rint(30 * rng.standard_t(4, size=(ROWS, TAGS))), -127, 127).astype(np.int8)


def text(seed: int) -> np.ndarray:
    """Features of words of few forms, as texts have them; three in four are the form's own, some are missing."""
    rng = np.random.default_rng(7)
    form = rng.integers(1 << 20, size=(FORMS, FEATURES), dtype=np.int32)
    rng = np.random.default_rng(seed)
    words = form[rng.integers(FORMS, size=WORDS)]
    words[:, ::4] = rng.integers(1 << 20, size=words[:, ::4].shape)
    return np.where(rng.random(words.shape) < 0.1, -1, words).astype(np.int32)


def score_error(rounded: np.ndarray, steps: np.ndarray, features: np.ndarray) -> float:
    lost = np.vstack([rounded.astype(int) - steps, np.zeros((1, TAGS), int)])
    rows = np.where(features < 0, ROWS, features & (ROWS - 1))
    return float(np.square(lost[rows].sum(axis=1)).mean())


def nearest(steps: np.ndarray, levels: np.ndarray) -> np.ndarray:
    found: np.ndarray = levels[np.abs(steps[:, None].astype(int) - levels).argmin(axis=1)]
    return found


@pytest.mark.parametrize("seed", range(8))
def test_no_other_levels_lose_less(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(tag_round, "LEVELS", 3)
    rng = np.random.default_rng(seed)
    steps = rng.integers(-6, 7, size=14).astype(np.int8)
    weights = rng.integers(1, 9, size=14).astype(float)

    def loss(levels: np.ndarray) -> float:
        return float((weights * np.square(nearest(steps, levels).astype(float) - steps)).sum())

    every = itertools.combinations(range(-6, 7), 3)
    found = best_levels(steps, weights)
    assert loss(found) == min(loss(np.array(levels)) for levels in every)
    assert (np.diff(found) > 0).all()


def test_few_steps_are_their_own_levels() -> None:
    steps = np.array([5, -3, 5, 90], np.int8)
    assert best_levels(steps, np.ones(4, np.float32)).tolist() == [-3, 5, 90]


def test_words_keep_their_scores_better_than_by_rounding_each_weight(steps: np.ndarray) -> None:
    rounded = round_table(steps, text_reads(text(seed=1), ROWS))
    assert all(len(np.unique(column)) <= 16 for column in rounded.T)
    alone = np.stack(
        [nearest(column, best_levels(column, np.ones(ROWS, np.float32))) for column in steps.T]
    )
    unread = text(seed=2)
    assert score_error(rounded, steps, unread) < 0.7 * score_error(alone.T, steps, unread)


def test_rounding_again_changes_nothing(steps: np.ndarray) -> None:
    reads = text_reads(text(seed=1), ROWS)
    rounded = round_table(steps, reads)
    assert np.array_equal(round_table(steps, reads), rounded)
    assert np.array_equal(round_table(rounded, reads), rounded)


def test_rows_that_no_text_reads_are_rounded_to_the_nearest_level(steps: np.ndarray) -> None:
    nothing = np.full((3, FEATURES), -1, np.int32)
    rounded = round_table(steps, text_reads(nothing, ROWS))
    expected = [
        nearest(column, best_levels(column, np.ones(ROWS, np.float32))) for column in steps.T
    ]
    lost = np.abs(rounded.astype(int) - steps)
    assert np.array_equal(lost, np.abs(np.stack(expected, axis=1).astype(int) - steps))
