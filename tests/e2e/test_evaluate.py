"""`tidings evaluate` as a person starts it: an encoder's folder in, a report out."""

import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.config import tiny
from model.train import train_on_projection
from tests.model.tagged_sets import write_tagged_sets

PAIRS = (("old bridge", "an old bridge", 5), ("old bridge", "new school", 0), ("a", "b", 1))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "embed"
    sentences = [
        f"the {a} opens the {b}" for a in ("mayor", "farmer") for b in ["bridge", "school"]
    ]
    train_on_projection(tiny(), sentences * 50, folder)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "sts"
    folder.mkdir(parents=True)
    with lzma.open(folder / "NEWS.jsonl.xz", "wt", encoding="utf8") as file:
        file.writelines(json.dumps({"a": a, "b": b, "score": s}) + "\n" for a, b, s in PAIRS)
    return folder.parent


def evaluate(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"HOME": str(home), "PATH": os.environ["PATH"], "COLUMNS": "100"}
    command = [sys.executable, "-m", "agent", "--home", str(home / "tidings"), "evaluate"]
    return subprocess.run(
        [*command, *arguments],
        check=False,
        env={**known, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("by_flag", [True, False])
def test_the_encoder_named_is_the_one_evaluated(
    tmp_path: Path, data: Path, encoder: Path, by_flag: bool
) -> None:
    out = tmp_path / "report.json"
    flags = ("--encoder", str(encoder)) if by_flag else ()
    environment = {} if by_flag else {"TIDINGS_MODEL__ENCODER": str(encoder)}
    done = evaluate(tmp_path, "sts", "--data", str(data), "--json", str(out), *flags, **environment)
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["model"]["name"].startswith("tidings-embed-tiny")
    assert report["sets"]["NEWS"]["n"] == len(PAIRS)
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["NEWS", "mean"]


def test_the_tagger_is_evaluated_on_any_folder_of_the_layout(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    write_tagged_sets(tmp_path / "sets")
    done = evaluate(tmp_path, "tagging", "--data", str(tmp_path / "sets"), "--json", str(out))
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text(encoding="utf-8"))
    assert report["model"]["name"].startswith("tagger-")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [*report["sets"], "mean"]


def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, data: Path, encoder: Path) -> None:
    flags = ("--data", str(data), "--json", str(tmp_path / "x.json"), "--encoder", str(encoder))
    for suite, told in (("poetry", "unknown suite"), ("retrieval", "no beir sets")):
        done = evaluate(tmp_path, suite, *flags)
        assert done.returncode == 1
        assert told in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert "Traceback" not in done.stderr
