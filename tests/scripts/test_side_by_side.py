"""Two models side by side: the same seconds for both, and a report that says all of it."""

from __future__ import annotations

import json
import lzma
import math
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from model.gpt import Scores
from model.level_config import LevelConfig
from model.predict_config import UNSET, PredictPreset, PredictTrainConfig
from model.predict_train import PROBED, UNPLANNED, UNSETTLED, PredictText, steps_within, trainer_of
from scripts import side_by_side
from scripts.side_by_side import (
    NANOGPT,
    NEWS,
    OURS,
    TEXT,
    draw,
    follow,
    main,
    read_text,
    writing_speeds,
)
from tests.model.language_models import write_news

LEVELS = LevelConfig(UNSET, (16, 16), (1, 1), (12, 16), head_width=16, reach=2, rows=64)
TRAIN = PredictTrainConfig(UNPLANNED, texts=2, chars=16, level_weights=(1.0, 0.3))
SECONDS = 0.3


def play() -> str:
    rng = random.Random(5)
    words = ["".join(rng.choices("aehilnorstu", k=rng.randint(2, 5))) for _ in range(30)]
    lines = [" ".join(rng.choices(words, k=6)).capitalize() for _ in range(60)]
    return "\n".join(lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / TEXT
    path.parent.mkdir(parents=True)
    path.write_bytes(lzma.compress(play().encode()))
    return tmp_path


@pytest.fixture
def text(folder: Path) -> PredictText:
    return read_text(folder / TEXT)


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> dict[str, Any]:
    """The report of a whole run, with small levels."""
    monkeypatch.setattr(side_by_side, "LEVELS", LEVELS)
    monkeypatch.setattr(side_by_side, "TRAIN", TRAIN)
    monkeypatch.setattr(side_by_side, "GENERATED", 8)
    monkeypatch.setattr(side_by_side, "FIRST_LOOK_S", 0.05)
    monkeypatch.setattr(side_by_side, "FOR_GATE", 200)
    monkeypatch.setattr("model.gate_fit.STEPS", 10)
    out = folder / "report.json"
    arguments = ["--data", str(folder), "--out", str(out), "--plot", str(folder / "plot.png")]
    arguments += ["--seconds-limit", str(SECONDS), "--threads", "1", "--seed", "3"]
    monkeypatch.setattr("sys.argv", ["side_by_side.py", *arguments, *more])
    main()
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


@pytest.fixture(params=["characters", "words"])
def report(
    folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> dict[str, Any]:
    return run(folder, monkeypatch, "--levels-of", request.param)


def test_a_run_reports_both(report, folder, text, capsys) -> None:
    assert (report["seed"], report["threads"], report["published_nats"]) == (3, 1, 1.88)
    told = " --levels-of words" * (report["models"][OURS]["model"]["levels_of"] == "words")
    command = f"--data DIR --seed 3 --threads 1{told} --seconds-limit 0.3"
    assert report["command"].endswith(command)
    assert report["text"]["validation_chars"] == len(text.development)
    assert list(report["models"]) == [NANOGPT, OURS]
    theirs, ours = report["models"].values()
    alphabet = len(text.alphabet.characters)
    assert theirs["params"] == 804_096 + 128 * (alphabet - 65)
    assert (theirs["planned_steps"], theirs["window"], ours["window"]) == (2000, 64, 16)
    for found, chars in ((theirs, 12 * 64), (ours, 2 * 16)):
        last = found["curve"][-1]
        assert (last["step"], last["val_nats"]) == (found["steps"], found["val_nats"])
        assert last["seconds"] == pytest.approx(found["seconds"], abs=0.006)  # both are rounded
        speed = found["steps"] * chars / found["seconds"]
        assert found["train_chars_per_s"] == pytest.approx(speed, rel=0.01)
        assert 1 < found["val_nats_half_window"] < 4.5
        assert found["train"]["seed"] == 3
    assert theirs["seconds"] >= SECONDS
    assert ours["seconds"] >= theirs["seconds"] or ours["steps"] == ours["planned_steps"]
    assert ours["val_nats_after_training_text"] < ours["val_nats_experienced"] < ours["val_nats"]
    assert 0 < report["packed_nats"]["PPMd"] < 4.5
    assert min(report["generated_chars_per_s"].values()) > 0
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")


def invented_report(file: str, **more: float) -> dict[str, Any]:
    curve = [{"step": at, "seconds": 2.0**at, "val_nats": 4.0 - at / 3} for at in range(5)]
    of_each = {"val_nats": 2.7, "curve": curve}
    return {"text": {"file": file}, "models": {NANOGPT: of_each, OURS: of_each}, **more}


def test_the_same_report_is_the_same_picture(tmp_path) -> None:
    for name in ("one.png", "other.png"):
        draw(invented_report(TEXT, published_nats=1.88), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


@pytest.mark.parametrize(
    ("report", "title", "lines"),
    [
        (invented_report(TEXT, published_nats=1.88), "Tiny Shakespeare", [1.88]),
        (invented_report(NEWS), "News to 2024", []),
    ],
)
def test_a_picture_says_what_was_read(
    tmp_path, monkeypatch, report: dict[str, Any], title: str, lines: list[float]
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    draw(report, tmp_path / "plot.png")
    (axes,) = figures[0].axes
    assert axes.get_title() == f"{title}, the same cores and seconds"
    dashed = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert [np.asarray(line.get_ydata()).tolist() for line in dashed] == [
        [each, each] for each in lines
    ]


def test_looks_are_ever_further_apart_and_one_is_at_the_end(text) -> None:
    steps = [(step, 0.1 * step) for step in range(1, 301)]
    taken: list[int] = []
    looked: list[int] = []

    def take() -> Iterator[tuple[int, float]]:
        for step, seconds in steps:
            taken.append(step)
            yield step, seconds

    def scores() -> Scores:
        looked.append(taken[-1])
        return lambda ids: torch.zeros(*ids.shape, 30)

    found = follow(take(), scores, text, window=16)
    assert [point["step"] for point in found["curve"]] == looked[:-1]
    assert looked[:4] == [10, 13, 17, 23]
    assert looked[-2:] == [300, 300]  # with half a window too
    assert found["val_nats"] == found["val_nats_half_window"] == round(math.log(30), 4)
    assert (found["steps"], found["seconds"]) == (300, 30.0)


def test_the_last_tenth_is_for_validation(text) -> None:
    whole = text.alphabet.text(np.concatenate((text.training, text.development)))
    assert whole == play()
    assert len(text.training) == int(0.9 * len(whole))
    assert text.alphabet.other not in text.training


class Clock:
    """Steps that take some seconds each."""

    def __init__(self, step_seconds: Iterable[float]) -> None:
        self.readings = iter([reading for each in step_seconds for reading in (0.0, each)])

    def __call__(self) -> float:
        return next(self.readings)


def planned(text: PredictText, limit_s: float, step_seconds: Iterable[float]) -> list[int]:
    """By step, of how many it is one."""
    trainer = trainer_of(PredictPreset("test", LEVELS, TRAIN), text)
    steps = steps_within(trainer, text.training, limit_s, clock=Clock(step_seconds))
    return [trainer.train.steps for _ in steps]


def test_our_schedule_is_planned_once_from_the_speed_of_the_first_steps(text) -> None:
    """The very first ones, which are slow, say nothing of the speed."""
    found = planned(text, 61, [3.0] * UNSETTLED + [2.0] * 100)
    left = (61 - 3 * UNSETTLED - 2 * (PROBED - UNSETTLED)) // 2
    whole = PROBED + left
    assert found == [UNPLANNED] * (PROBED - 1) + [whole] * (whole - PROBED + 1)


def test_a_training_ends_with_its_seconds_whatever_was_planned(text) -> None:
    found = planned(text, 32, [1.0] * PROBED + [4.0] * 100)
    assert found[-1] == 32
    assert len(found) == PROBED + (32 - PROBED) // 4


def test_a_training_without_time_for_a_plan_ends(text) -> None:
    assert planned(text, 8, [4.0] * 3) == [UNPLANNED] * 2
    assert planned(text, PROBED, [1.0] * 100)[-1] == PROBED


def test_writers_take_turns() -> None:
    turns: list[str] = []
    speeds = writing_speeds({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")})
    assert turns == ["a", "b"] * (1 + side_by_side.ALTERNATIONS)
    assert speeds.keys() == {"a", "b"}


def test_a_missing_text_is_named(tmp_path) -> None:
    with pytest.raises(SystemExit, match="tinyshakespeare"):
        read_text(tmp_path / TEXT)


def test_news_can_take_the_place_of_the_play(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(side_by_side, "LEAST", 1)
    text = side_by_side.read_news(write_news(tmp_path))
    assert len(text.training) > len(text.development) > 500
    assert text.alphabet.text(text.development).startswith("Report")
    report = run(tmp_path, monkeypatch, "--news")
    assert report["text"]["file"] == NEWS
    assert "published_nats" not in report
    assert report["command"].endswith("--threads 1 --news --seconds-limit 0.3")
