"""The best loss on a play: it goes on where it was, and reports every way of reading."""

from __future__ import annotations

import itertools
import json
import lzma
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.level_config import LevelConfig
from model.predict_config import UNSET
from scripts import best_play
from tests.model.language_models import FEW_BLOCKS, invented_text


def run(folder: Path, work: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict[str, Any]:
    out = folder / "report.json"
    arguments = ["--data", str(folder), "--work", str(work), "--out", str(out), "--threads", "1"]
    monkeypatch.setattr("sys.argv", ["best_play.py", *arguments, "--steps", "6", *more])
    best_play.main()
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    levels = LevelConfig(UNSET, (16, 16), (1, 1), (12, 16), head_width=16, reach=2, rows=64)
    train = replace(best_play.PRESET.train, texts=2, chars=32, level_weights=(1.0, 0.3))
    preset = replace(best_play.PRESET, levels=levels, train=train)
    for name, value in (("PRESET", preset), ("FOR_GATE", 300), ("LOOK_EVERY", 3)):
        monkeypatch.setattr(best_play, name, value)
    monkeypatch.setattr("model.codes.SAMPLED_BLOCKS", FEW_BLOCKS)
    monkeypatch.setattr("model.gate_fit.STEPS", 10)
    path = tmp_path / best_play.TEXT
    path.parent.mkdir(parents=True)
    path.write_bytes(lzma.compress(invented_text(60).encode()))
    return tmp_path


def test_levels_may_follow_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(folder, folder / "words", monkeypatch, "--levels-of", "words")
    assert found["preset"]["levels"]["levels_of"] == "words"
    assert found["command"].endswith("--levels-of words")
    assert found["nats"] == pytest.approx(found["nats_stored"], abs=0.2)


def test_a_stopped_run_gives_the_same_report(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=50)
    monkeypatch.setattr(best_play, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    whole = run(folder, folder / "whole", monkeypatch)
    assert whole["training_seconds"] == 6 * 50
    assert list(whole["curve"]) == ["3", "6"]
    assert whole["nats_after_training_text"] < whole["nats_experienced"] < whole["nats_stored"]
    assert whole["nats"] == whole["curve"]["6"]
    monkeypatch.setattr(best_play, "SAVE_EVERY", 3)
    steps = best_play.take_steps

    def stopped(*args: Any) -> Any:
        for record in steps(*args):
            yield record
            if record["step"] == 4:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(best_play, "take_steps", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(folder, folder / "parts", monkeypatch)
    parts = run(folder, folder / "parts", monkeypatch)
    for report in (whole, parts):
        del report["experience_s"]
    assert parts == whole
