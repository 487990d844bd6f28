"""The weights and what they make of scores."""

import json
from dataclasses import replace

import numpy as np
import pytest

from kb import Answerability
from kb.answerability import FEATURES, NEVER


def test_shipped_weights_load_and_rise_with_every_plain_score():
    shipped = Answerability.load()
    nothing, everything = np.zeros((1, len(FEATURES))), np.ones((1, len(FEATURES)))
    assert shipped.encoder
    assert shipped.probability(nothing)[0] < 0.05
    assert shipped.probability(everything)[0] > shipped.answer_threshold > shipped.known_threshold
    for name in ("dense", "lexical", "has_kind"):
        row = np.full((2, len(FEATURES)), 0.6)
        row[1, FEATURES.index(name)] = 0.9
        low, high = shipped.probability(row)
        assert high > low, name


def test_shipped_metrics_say_where_they_come_from():
    metrics = Answerability.load().metrics
    assert {"command", "seed", "data_sha256", "encoder", "questions", "test"} <= metrics.keys()
    assert 0 <= metrics["test"]["ece"] <= 0.1


def test_the_known_threshold_keeps_to_the_risk():
    curve = ((0.3, 0.05, 0.8), (0.5, 0.02, 0.9), (0.7, 0.01, 0.95))
    made = replace(Answerability.default(), skipping=curve)
    assert made.known_threshold_at(0.05) == 0.3
    assert made.known_threshold_at(0.03) == 0.5
    assert made.known_threshold_at(0.0) == NEVER
    assert Answerability.default().known_threshold_at(0.5) == NEVER  # nothing was measured


def test_the_shipped_curve_skips_less_the_higher_the_threshold():
    shipped = Answerability.load()
    thresholds, lost, kept = zip(*shipped.skipping, strict=True)
    assert list(thresholds) == sorted(thresholds)
    assert list(lost) == sorted(lost, reverse=True)
    assert list(kept) == sorted(kept)
    assert thresholds[0] <= shipped.known_threshold <= thresholds[-1]


def test_round_trip(tmp_path):
    made = replace(Answerability.load(), skipping=((0.5, 0.01, 0.9),))
    path = tmp_path / "weights.json"
    path.write_text(json.dumps(made.to_dict()), encoding="utf-8")
    assert Answerability.load(path) == made


@pytest.mark.parametrize(
    "change",
    [
        {"weights": [1.0]},
        {"terms": [["cosine"]], "weights": [1.0]},
        {"bias": None},
        {"bias": "much"},
        {"terms": None},
    ],
)
def test_other_files_are_refused(tmp_path, change):
    path = tmp_path / "weights.json"
    path.write_text(json.dumps(Answerability.default().to_dict() | change), encoding="utf-8")
    with pytest.raises(ValueError, match=r"weights\.json: no answerability weights"):
        Answerability.load(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.json"):
        Answerability.load(tmp_path / "gone.json")


def test_no_candidates_have_no_probabilities():
    assert Answerability.default().probability(np.zeros((0, len(FEATURES)))).shape == (0,)


def test_correction_keeps_the_order():
    shipped = Answerability.load()
    rows = np.tile(np.linspace(0, 1, 50)[:, None], (1, len(FEATURES)))
    values = shipped.probability(rows)
    assert (np.diff(values) >= 0).all()
    assert ((values >= 0) & (values <= 1)).all()
