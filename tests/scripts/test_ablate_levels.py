"""The ablation of the levels: a row a file, means and intervals in the report."""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.model.language_models import FEW_BLOCKS, invented_text
from tests.model.test_reports import program

ABLATE = program("ablate_levels")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data" / ABLATE.TEXT
    path.parent.mkdir(parents=True)
    text = invented_text(400) + "".join(map(chr, range(33, 97)))
    path.write_bytes(lzma.compress(text.encode()))
    return tmp_path / "data"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ablate_levels.py", *arguments])
    monkeypatch.setattr("model.codes.SAMPLED_BLOCKS", FEW_BLOCKS)
    return int(ABLATE.main())


def test_rows_are_measured_once_and_reported(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ABLATE, "WRITTEN_CHARS", 40)
    monkeypatch.setattr(ABLATE, "LEAST_SHARES", (0.3,))
    out, work = tmp_path / "levels.json", tmp_path / "work"
    arguments = ["--data", str(data), "--seconds", "0.2", "--seeds", "2", "--out", str(out)]
    arguments += ["--rows", "all ideas,softmax", "--work", str(work)]
    assert run(monkeypatch, *arguments) == 0
    report = json.loads(out.read_text(encoding="utf8"))
    first, second = report["rows"]["all ideas"], report["rows"]["softmax"]
    assert first["n"] == second["n"] == 2
    assert first["half_interval"] > 0
    assert len(first["right"]) == len(first["auroc_of_length"]) == 4
    assert "right" not in second
    assert first["writing"]["plain"]["chars_per_step"] == 1
    assert all(way["chars_per_step"] >= 1 for way in first["writing"].values())

    files = {path: path.stat().st_mtime_ns for path in work.iterdir()}
    assert len(files) == 4
    assert run(monkeypatch, *arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in work.iterdir()} == files
    assert json.loads(out.read_text(encoding="utf8"))["rows"] == report["rows"]


def test_a_row_that_does_not_exist_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="no row 'magic'"):
        run(monkeypatch, "--data", str(data), "--rows", "magic")


def test_intervals_are_students() -> None:
    found = ABLATE.interval([2.0, 2.2, 2.4])
    assert found["bits"] == 2.2
    assert found["half_interval"] == pytest.approx(4.303 * 0.2 / 3**0.5, abs=1e-3)
    assert ABLATE.interval([2.0])["half_interval"] is None


def test_codes_that_are_all_one_have_no_rank() -> None:
    rng = np.random.default_rng(1)
    apart = ABLATE.spread_of(np.eye(20))
    one = ABLATE.spread_of(np.ones((20, 8)) + 1e-3 * rng.standard_normal((20, 1)))
    assert apart["mean_cosine"] == 0
    assert apart["effective_rank"] > 18
    assert one["mean_cosine"] > 0.99
    assert one["effective_rank"] < 1.1
