"""Metrics against cases worked by hand."""

from __future__ import annotations

import sys
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import ModelError
from model.metrics import accuracy, f1, pearson, search_metrics, spearman


def test_pearson_by_hand() -> None:
    # Deviations (-1, 0, 1) and (-1, 1, 0): product 1, both of length sqrt(2).
    assert pearson([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert pearson([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)


def test_spearman_by_hand() -> None:
    # 1 - 6 * sum(d * d) / (n * (n * n - 1)) with d = (0, 1, 1, 0): 1 - 12 / 60.
    assert spearman([1, 2, 3, 4], [10, 30, 20, 400]) == pytest.approx(0.8)
    # Ties: ranks (1.5, 1.5, 3) against (1, 2, 3).
    assert spearman([0, 0, 1], [1, 2, 3]) == pytest.approx(3**0.5 / 2)


def test_what_does_not_vary_correlates_with_nothing() -> None:
    assert pearson([1, 2, 3], [5, 5, 5]) == 0.0
    assert spearman([0.1, 0.1], [1, 2]) == 0.0


@pytest.mark.parametrize("measure", [pearson, spearman])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_no_number_is_no_correlation(measure, wrong: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        measure([1, 2, wrong], [1, 2, 3])


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


def test_search_metrics_by_hand() -> None:
    qrels = {"q1": {"a": 2, "b": 1, "c": 0}, "q2": {"d": 1}}
    ranked = {"q1": ["c", "a", "x", "b"], "q2": ["d", "a"]}
    found = search_metrics(qrels, ranked)
    # q1: gains 2 at rank 2 and 1 at rank 4, at best 2 at rank 1 and 1 at rank 2.
    gained = (2 / log2(3) + 1 / log2(5)) / (2 / log2(2) + 1 / log2(3))
    assert found["ndcg@10"] == pytest.approx((gained + 1) / 2)
    assert found["mrr"] == pytest.approx((1 / 2 + 1) / 2)
    assert found["recall@100"] == 1.0


def test_search_metrics_look_no_further_than_their_depth() -> None:
    others = [f"x{at}" for at in range(100)]
    found = search_metrics({"q": {"a": 1, "b": 1}}, {"q": [*others[:10], "b", *others[10:], "a"]})
    assert found == {"ndcg@10": 0.0, "recall@100": 0.5, "mrr": pytest.approx(1 / 11)}


def test_the_order_given_is_the_order_scored() -> None:
    qrels = {"q": {"b": 1}}
    assert search_metrics(qrels, {"q": ["a", "b", "c"]})["mrr"] == 0.5
    assert search_metrics(qrels, {"q": ["c", "b", "a"]})["mrr"] == 0.5


def test_accuracy_and_f1_by_hand() -> None:
    labels, predicted = [1, 1, 1, 0, 0], [1, 1, 0, 1, 0]
    assert accuracy(labels, predicted) == pytest.approx(3 / 5)
    # Precision 2 / 3, recall 2 / 3.
    assert f1(labels, predicted) == pytest.approx(2 / 3)
    assert f1([1, 0], [0, 0]) == 0.0


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(ModelError, match=r"ir_measures.*\(extra `evaluate`\)") as caught:
        search_metrics({"q": {"a": 1}}, {"q": ["a"]})
    assert "\n" not in str(caught.value)
