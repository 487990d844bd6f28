"""`tidings generate` and `tidings evaluate lm`, as a person starts them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model import LanguageModel, Writing, write_on
from model.checkpoint import save_checkpoint
from model.level_config import LevelsOf
from model.predict_config import PredictPreset, tiny
from tests.e2e.conftest import Run
from tests.model.language_models import checkpoint, invented_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("weights") / "predict"
    save_checkpoint(checkpoint(), found)
    return found


def run(home: Path, *arguments: str, folder: Path | None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TIDINGS_")}
    if folder is not None:
        environment["TIDINGS_MODEL__LANGUAGE"] = str(folder)
    command = [sys.executable, "-m", "agent", "--home", str(home), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=environment
    )


def test_text_is_written_on(tmp_path: Path, folder: Path) -> None:
    done = run(
        tmp_path,
        "generate",
        "--prompt",
        "Anna Keller said",
        "--chars",
        "40",
        "--json",
        folder=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    reply = json.loads(done.stdout)
    assert len(reply["text"]) == 40
    assert reply["steps"] <= 40
    plain = run(
        tmp_path, "generate", "--prompt", "Anna Keller said", "--chars", "40", folder=folder
    )
    assert plain.stdout == f"Anna Keller said{reply['text']}\n"


def test_what_makes_no_text_is_said_in_a_line(tmp_path: Path, folder: Path) -> None:
    done = run(tmp_path, "generate", "--top-p", "0", folder=folder)
    assert done.returncode == 2
    assert done.stderr == "tidings: --top-p 0.0: not above 0 and at most 1\n"
    done = run(tmp_path, "generate", "--temperature", "inf", folder=folder)
    assert done.returncode == 2
    assert done.stderr == "tidings: --temperature inf: not finite\n"


def test_what_is_asked_for_is_what_is_done(tmp_path: Path, folder: Path) -> None:
    flags = (
        "--chars",
        "30",
        "--sure",
        "0.9",
        "--seed",
        "5",
        "--temperature",
        "2",
        "--top-p",
        "0.9",
    )
    done = run(tmp_path, "generate", *flags, folder=folder)
    writing = Writing(30, least_share=0.9, temperature=2.0, top_p=0.9, seed=5)
    assert done.stdout == write_on(LanguageModel(checkpoint()), "", writing).text + "\n"


def test_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    done = run(tmp_path, "generate", folder=tmp_path / "nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("tidings: no model in ")
    assert done.stderr.count("\n") == 1


def test_a_text_file_is_evaluated(tmp_path: Path, folder: Path) -> None:
    text = tmp_path / "some.txt"
    text.write_text(invented_text(6, seed=5), encoding="utf8")
    out = tmp_path / "lm.json"
    done = run(tmp_path, "evaluate", "lm", "--data", str(text), "--json", str(out), folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("some ")
    report = json.loads(out.read_text(encoding="utf8"))
    assert report["suite"] == "lm"
    assert report["sets"]["some"]["is_same"]


@pytest.mark.parametrize("flags", [(), ("--levels-of", "characters"), ("--levels-of", "words")])
def test_a_model_is_trained_of_what_is_asked_for(
    tidings: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    given: list[PredictPreset] = []

    def noting(preset: PredictPreset, *_: object, **__: object) -> None:
        given.append(preset)

    monkeypatch.setattr("model.predict_train.train_predict", noting)
    places = "--out", str(tmp_path / "out"), "--data", str(tmp_path)
    assert tidings("train", "predict", "--preset", "tiny", *places, *flags).code == 0
    assert given == [tiny().with_levels_of(LevelsOf(flags[-1] if flags else "characters"))]
