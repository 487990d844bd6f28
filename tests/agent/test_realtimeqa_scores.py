"""Figures of a news quiz, on cases worked out by hand."""

from typing import Any

import numpy as np
import pytest

from agent.realtimeqa_scores import (
    Asked,
    auroc,
    calibration_error,
    exact_match,
    figures,
    mean_interval,
    rivals_accuracy,
    word_f1,
)


def asked(number: int, **changed) -> Asked:
    values: dict[str, Any] = {
        "id": str(number),
        "probability_before": 0.1,
        "probability": 0.8,
        "known_before": False,
        "known": True,
        "em": 0.0,
        "f1": 0.0,
        "right_choice": False,
        "right_choice_before": False,
        "found_kept": False,
        "found_all": True,
        "rivals": {},
    }
    return Asked(**values | changed)


def test_answers_are_compared_without_case_articles_and_punctuation():
    assert exact_match("The Typhoon!", "typhoon") == 1
    assert exact_match("typhoons", "typhoon") == 0
    # two of three words are shared by two of two: 2 * 2 / (3 + 2)
    assert word_f1("a big red bridge", "red bridge") == pytest.approx(0.8)
    assert word_f1("two two", "two") == pytest.approx(2 / 3)
    assert word_f1("", "the") == 1
    assert word_f1("", "bridge") == 0


def test_auroc_counts_ties_half():
    assert auroc([0.9, 0.5], [0.5, 0.1]) == pytest.approx((2 + 1.5) / 4)
    assert auroc([1.0], [0.0]) == 1
    assert auroc([], [0.3]) == 0.5


def test_calibration_error_is_the_mean_gap_of_the_bins():
    # two bins of two: 0.95 against 0.5, and 0.05 against 0
    assert calibration_error([0.95, 0.95, 0.05, 0.05], [True, False, False, False]) == (
        pytest.approx(0.5 * 0.45 + 0.5 * 0.05)
    )
    assert calibration_error([], []) == 0


def test_figures_of_four_questions():
    rows = [
        asked(1, right_choice=True, f1=1.0, em=1.0, found_kept=True),
        asked(2, right_choice=True, known_before=True),
        asked(3, known=False, probability=0.2, found_all=False, found_kept=True),
        asked(4, f1=0.5, found_kept=True, rivals={"bm25": True}),
    ]
    found = figures(rows)
    assert found["n"] == 4
    assert found["mc_accuracy"] == 50
    assert found["em"] == 25
    assert found["f1"] == 37.5
    assert found["coverage"] == 0.75
    assert found["wrong_rate"] == 0.25  # the second: known, and nothing of it right
    assert found["unknown_before"] == 0.75
    assert found["auroc_known"] == 1
    assert found["recall@10_all"] == 0.75
    assert found["recall@10_kept"] == 1  # three of them, as many as all sentences find
    low, high = found["interval_95"]["mc_accuracy"]
    assert 0 <= low <= 50 <= high <= 100
    assert figures(rows) == found
    assert rivals_accuracy(rows) == {"bm25": 100.0}
    assert figures([]) == {"n": 0}


def test_the_interval_of_a_mean_narrows_with_more_rows():
    few, many = (mean_interval([0.0, 1.0] * times) for times in (5, 500))
    assert few[0] < many[0] < 0.5 < many[1] < few[1]
    assert mean_interval(np.ones((4, 3))).tolist() == [[1.0] * 3] * 2
