"""Both kinds of levels side by side on a little news."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from model.generate import Climb, Writing
from model.predict_config import PredictPreset, tiny
from tests.model.language_models import FEW_BLOCKS, write_news
from tests.model.test_reports import program

MEASURE = program("levels_of_words")


def preset() -> PredictPreset:
    found = tiny()
    return replace(found, levels=replace(found.levels, code_widths=(20, 24, 24)), least=1)


def test_both_kinds_are_measured_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.codes.SAMPLED_BLOCKS", FEW_BLOCKS)
    monkeypatch.setattr(MEASURE, "PRESETS", {"tiny": preset})
    monkeypatch.setattr(MEASURE, "KEPT_OUT", 1200)
    monkeypatch.setattr(MEASURE, "WRITTEN_CHARS", 40)
    ways = {"plain": Writing(40, Climb.PLAIN), "checked": Writing(40)}
    monkeypatch.setattr(MEASURE, "WAYS", ways)
    out = tmp_path / "words.json"
    arguments = ["--data", str(write_news(tmp_path / "data")), "--preset", "tiny"]
    arguments += ["--seconds", "0.3", "--articles", "12", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["levels_of_words.py", *arguments])
    assert MEASURE.main() == 0
    report = json.loads(out.read_text(encoding="utf8"))
    assert report["command"].endswith("--preset tiny --seconds 0.3 --seed 1 --articles 12")
    characters, words = (report["models"][name] for name in ("characters", "words"))
    assert characters["params"] == words["params"]
    assert characters["proposals_per_100_chars"][1:] == pytest.approx([50, 25], abs=0.5)
    assert 5 < words["proposals_per_100_chars"][1] < 40
    for found in (characters, words):
        assert 0 < found["bits"] < 8
        assert len(found["right"]) == len(found["auroc"]) == 3
        assert found["writing"]["plain"]["chars_per_step"] == 1
        assert all(way["is_plain"] for way in found["writing"].values())
