"""Whether features add to others: regressions that see no row of a group they predict, and intervals over groups."""

from __future__ import annotations

import numpy as np
import pytest

from model import gain
from model.gain import columns_of, compare, cross_scores, interval, stacked

ROWS = 240
GROUPS = [f"story {at // 4}" for at in range(ROWS)]


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(1).random(ROWS) < 0.3


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gain, "DRAWS", 100)


def blurred(labels: np.ndarray, spread: float, *, seed: int) -> np.ndarray:
    return labels + np.random.default_rng(seed).normal(0, spread, len(labels))


def test_what_tells_more_helps_and_noise_does_not(labels):
    given = {"dim": blurred(labels, 2, seed=2)}
    clear = compare(labels, GROUPS, given, {"clear": blurred(labels, 0.4, seed=3)})
    noise = compare(labels, GROUPS, given, {"noise": np.random.default_rng(4).random(ROWS)})
    assert clear["helps"]
    assert clear["gain_95"][0] <= clear["gain"] <= clear["gain_95"][1]
    assert not noise["helps"]
    assert set(clear["auroc"]) == {"dim", "clear"}
    found, low, high = clear["auroc"]["clear"]
    assert 0.9 < low <= found <= high <= 1
    assert (clear["n"], clear["n_positive"]) == (ROWS, labels.sum())


def test_no_row_is_predicted_from_its_own_group(labels):
    group = np.array([int(name.split()[1]) for name in GROUPS])
    telltale = np.eye(group.max() + 1)[group]  # which group a row is of: of no use for another
    of_group = group % 2 == 0
    scores = cross_scores(telltale, of_group, GROUPS)
    fitted = cross_scores(telltale, of_group, [str(at) for at in range(ROWS)])
    assert not ((scores > 0) == of_group).all()
    assert ((fitted > 0) == of_group).mean() > 0.95


def test_where_only_one_label_was_seen_nothing_is_told():
    assert not cross_scores(np.ones((4, 1)), np.ones(4, bool), list("abcd")).any()


def test_interval_is_drawn_by_group():
    values = np.repeat([0.0, 1.0], 50)
    together = interval(["a"] * 50 + ["b"] * 50, lambda rows: float(values[rows].mean()))
    apart = interval([str(at) for at in range(100)], lambda rows: float(values[rows].mean()))
    assert together == [0, 1]
    assert 0.35 < apart[0] < 0.5 < apart[1] < 0.65


def test_columns_go_side_by_side():
    columns = columns_of([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}])
    assert stacked(columns).tolist() == [[1, 2], [3, 4]]
    assert columns_of([]) == {}
