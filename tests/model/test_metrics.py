"""Metrics against cases worked by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.metrics import pearson, ranks, spearman


def test_ranks_share_ties() -> None:
    assert ranks([10, 30, 20, 20]).tolist() == [1.0, 4.0, 2.5, 2.5]


def test_pearson_by_hand() -> None:
    # Deviations (-1, 0, 1) and (-1, 1, 0): product 1, both of length sqrt(2).
    assert pearson([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert pearson([1, 2, 3], [5, 5, 5]) == 0.0


def test_spearman_by_hand() -> None:
    # 1 - 6 * sum(d * d) / (n * (n * n - 1)) with d = (0, 1, 1, 0): 1 - 12 / 60.
    assert spearman([1, 2, 3, 4], [10, 30, 20, 400]) == pytest.approx(0.8)
    # Ties: ranks (1.5, 1.5, 3) against (1, 2, 3).
    assert spearman([0, 0, 1], [1, 2, 3]) == pytest.approx(3**0.5 / 2)


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=30))
def test_spearman_sees_order_alone(values: list[int]) -> None:
    stretched = [value**3 + 5.0 for value in values]
    expected = 1.0 if len(set(values)) > 1 else 0.0
    assert spearman(values, stretched) == pytest.approx(expected)
    assert spearman(values, [-v for v in stretched]) == pytest.approx(-expected)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one length"):
        pearson([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="at least 2"):
        spearman([1], [1])
