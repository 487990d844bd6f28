"""Metrics of short answers on cases worked by hand, and the suite that reports them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model import DataError, Encoder
from model.evaluate import evaluate_suite
from model.evaluate_reader import (
    Answers,
    always_abstain,
    best_sentences,
    evaluate_reader,
    find_sets,
    score_answers,
)
from model.read import load_reader
from model.read_config import tiny
from model.read_metrics import (
    area_under_curve,
    best_threshold,
    calibration_error,
    exact_match,
    f1_score,
    normalized,
)
from model.read_sources import Asked, Source
from model.read_train import train_read
from tests.model.test_read_data import squad_rows, write_lines, write_training_data

METRICS = {"em", "f1", "no_answer_accuracy", "has_answer_f1", "span_f1", "auroc", "ece", "n"}


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("The Walt Disney Company!", "walt disney company"),
        ("  an  apple, a day ", "apple day"),
        ("U.S.", "us"),
        ("theatre", "theatre"),
        ("12–13", "12–13"),
    ],
)
def test_normal_form(answer: str, normal: str) -> None:
    assert normalized(answer) == normal


@pytest.mark.parametrize(
    ("answer", "references", "exact", "f1"),
    [
        ("the 1957", ["1957"], 1, 1),
        ("in 1957", ["1957"], 0, 2 / 3),
        ("Denver Broncos", ["The Broncos", "Denver Broncos team"], 0, 0.8),
        ("x y", ["z"], 0, 0),
        ("a a b", ["a b b"], 0, 2 / 3),
        ("b b c", ["b c c"], 0, 2 / 3),
        ("", [], 1, 1),
        ("something", [], 0, 0),
        ("", ["something"], 0, 0),
        ("x", ["the", "x"], 1, 1),
    ],
)
def test_scores_by_hand(answer: str, references: list[str], exact: float, f1: float) -> None:
    assert exact_match(answer, references) == exact
    if answer != "a a b":  # "a" is an article
        assert f1_score(answer, references) == pytest.approx(f1)


def test_threshold_by_hand() -> None:
    no_answer = np.array([-2.0, -1.0, 0.0, 1.0])
    gain, absent = np.array([1.0, 0.5, 0.0, 0.0]), np.array([0.0, 0.0, 1.0, 1.0])
    threshold = best_threshold(no_answer, gain, absent, np.ones(4))
    assert -1 < threshold < 0
    assert best_threshold(no_answer, np.zeros(4), np.ones(4), np.ones(4)) < -2
    assert best_threshold(no_answer, np.ones(4), np.zeros(4), np.ones(4)) > 1


def test_area_by_hand() -> None:
    assert area_under_curve(np.array([1.0, 2.0, 3.0]), np.array([False, True, True])) == 1
    assert area_under_curve(np.array([1.0, 1.0]), np.array([False, True])) == 0.5
    found = area_under_curve(np.array([3.0, 1.0, 2.0, 0.0]), np.array([True, True, False, False]))
    assert found == 0.75
    assert area_under_curve(np.array([1.0]), np.array([True])) == 0.5


def test_calibration_error_by_hand() -> None:
    chance = np.array([0.95, 0.95, 0.05, 1.0])
    happened = np.array([True, False, False, True])
    # Upper bin: said 2.9, seen 2; lower bin: said 0.05, seen 0.
    assert calibration_error(chance, happened) == pytest.approx((0.9 + 0.05) / 4)


def source() -> Source:
    passage = "Anna Keller bought the bridge. It rained in Oslo."
    asked = (
        Asked("Who bought the bridge?", 0, ((0, 11),)),
        Asked("Where did it rain?", 0, ((44, 48),)),
        Asked("Who sold the bridge?", 0, ()),
        Asked("Why?", 0, ()),
    )
    return Source((passage,), ("x",), asked)


def test_a_set_by_hand() -> None:
    texts = ("Keller", "Oslo", "Anna", "Anna")
    answers = Answers(texts, np.array([-1.0, 2.0, -1.0, 3.0]), 0.0, is_calibrated=True)
    found = score_answers(answers, source(), "x")
    # Half right, wrongly abstained, wrongly answered, rightly abstained.
    assert found["f1"] == pytest.approx(100 * (2 / 3 + 0 + 0 + 1) / 4, abs=0.01)
    assert found["em"] == 25
    assert found["no_answer_accuracy"] == 50
    assert found["has_answer_f1"] == pytest.approx(100 * (2 / 3) / 2, abs=0.01)
    assert found["span_f1"] == pytest.approx(100 * (2 / 3 + 1) / 2, abs=0.01)
    assert found["auroc"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)
    assert found["n"] == 4


def test_who_always_abstains_is_right_where_there_is_no_answer() -> None:
    found = score_answers(always_abstain(source()), source(), "x")
    assert (found["em"], found["f1"], found["no_answer_accuracy"]) == (50, 50, 100)


def test_nearest_sentences_are_never_worse_than_abstaining(tiny_encoder: Encoder) -> None:
    assert score_answers(best_sentences(tiny_encoder, source()), source(), "x")["f1"] >= 50


def test_the_suite_runs_on_any_folder_of_the_layout(tmp_path: Path, tiny_encoder: Encoder) -> None:
    data = write_training_data(tmp_path / "data")
    train_read(tiny(), data, tmp_path / "read", encoder=tiny_encoder)
    reader = load_reader(tmp_path / "read", encoder=tiny_encoder)
    report = evaluate_reader(data, compare=True, encoder=tiny_encoder, reader=reader)
    assert set(report["sets"]) == {"squad2_dev"}
    assert set(report["sets"]["squad2_dev"]) == METRICS
    assert set(report["comparators"]) == {"always abstain", "nearest sentence"}
    assert report["model"]["name"] == reader.name
    write_lines(tmp_path / "other" / "QUIZ.jsonl.xz", squad_rows(2, seed=9, unanswerable=True))
    assert find_sets(tmp_path / "other") == find_sets(tmp_path / "other" / "QUIZ.jsonl.xz")
    again = evaluate_reader(tmp_path / "other", encoder=tiny_encoder, reader=reader)
    assert set(again["sets"]) == {"QUIZ"}
    assert again["sets"]["QUIZ"] == again["mean"] | {"n": 6}


def test_missing_sets_are_said(tmp_path: Path, tiny_encoder: Encoder) -> None:
    with pytest.raises(DataError, match="no reader sets"):
        evaluate_suite("reader", tmp_path, encoder=tiny_encoder)
    write_lines(tmp_path / "BAD.jsonl.xz", [{"context": "x", "qas": [{"answerable": True}]}])
    with pytest.raises(DataError, match="layout"):
        evaluate_suite("reader", tmp_path, encoder=tiny_encoder)
