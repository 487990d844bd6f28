"""The ablation of the levels: a row a file, means and intervals in the report."""

from __future__ import annotations

import dataclasses
import json
import lzma
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from model.level_rows import ROWS, Row
from tests.model.language_models import FEW_BLOCKS, LEVELS, invented_text, write_news
from tests.model.test_reports import program

ABLATE = program("ablate_levels")


def smaller(rows: Mapping[str, Row]) -> dict[str, Row]:
    """The same ideas in networks that take no time."""
    found = {}
    for name, row in rows.items():
        if row.levels.levels == LEVELS.levels and len(set(row.levels.code_widths)) > 1:
            levels = dataclasses.replace(
                row.levels,
                widths=LEVELS.widths,
                code_widths=LEVELS.code_widths,
                head_width=LEVELS.head_width,
                rows=LEVELS.rows if row.levels.rows else 0,
            )
            found[name] = dataclasses.replace(row, levels=levels)
    return found


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
    assert len(first["auroc_of_margin"]) == 4
    assert first["bits_longer"] > 0
    for sign in ("length", "margin"):
        ways = first[f"writing_by_{sign}"]
        assert ways["plain"]["chars_per_step"] == 1
        assert all(way["chars_per_step"] >= 1 for way in ways.values())

    files = {path: path.stat().st_mtime_ns for path in work.rglob("*.json")}
    assert len(files) == 4
    assert run(monkeypatch, *arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in work.rglob("*.json")} == files
    assert json.loads(out.read_text(encoding="utf8"))["rows"] == report["rows"]


def test_a_killed_run_has_reported_what_it_measured(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = smaller({name: ROWS[name] for name in ("no units", "levels of words", "softmax")})
    # Codes cannot be so wide: the run ends here, as if it had been killed.
    wide = dataclasses.replace(rows["softmax"].levels, code_widths=(400, 32, 32, 32))
    killing = rows | {"softmax": dataclasses.replace(rows["softmax"], levels=wide)}
    out, work = tmp_path / "levels.json", tmp_path / "work"
    arguments = ["--data", str(data), "--seconds", "0.1", "--seeds", "1", "--out", str(out)]
    arguments += ["--work", str(work)]
    monkeypatch.setattr(ABLATE, "ROWS", killing)
    with pytest.raises(ValueError, match="fewer than 400"):
        run(monkeypatch, *arguments)
    first = json.loads(out.read_text(encoding="utf8"))["rows"]
    assert list(first) == ["no units", "levels of words"]
    monkeypatch.setattr(ABLATE, "ROWS", rows)
    assert run(monkeypatch, *arguments) == 0
    second = json.loads(out.read_text(encoding="utf8"))["rows"]
    assert list(second) == list(rows)
    assert {name: second[name] for name in first} == first


def test_every_row_of_the_new_kinds_learns_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name in ROWS if ROWS[name].units or "positions" in name]
    names += ["levels of words", "stretches in fewer rows"]
    monkeypatch.setattr(ABLATE, "ROWS", smaller({name: ROWS[name] for name in names}))
    monkeypatch.setattr(ABLATE, "NEWS_LEAST", 1)
    monkeypatch.setattr(ABLATE, "NEWS_KEPT_OUT", 2100)
    out, data = tmp_path / "levels_news.json", write_news(tmp_path / "data")
    arguments = ["--data", str(data), "--seconds", "0.1", "--seeds", "1", "--out", str(out)]
    assert run(monkeypatch, *arguments, "--text", "news", "--work", str(tmp_path / "work")) == 0
    report = json.loads(out.read_text(encoding="utf8"))
    assert set(report["rows"]) == set(names)
    assert report["command"].endswith("--text news")
    assert all(0 < found["bits"] < 8 for found in report["rows"].values())
    assert {name for name in names if "right" in report["rows"][name]} == {
        name for name in names if ROWS[name].is_readable
    }


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
