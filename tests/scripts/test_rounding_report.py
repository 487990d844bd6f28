"""The report of roundings: a way a file, beside the reference."""

from __future__ import annotations

import itertools
import json
import lzma
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from model.checkpoint import save_checkpoint
from tests.model.language_models import checkpoint, trained, write_news
from tests.model.test_reports import program

ROUNDING = program("rounding_report")
PASSAGE = "In 1984 Anna Keller bought the old bridge in Oslo. The mayor was not amused."
SENTENCES = ("A man sings.", "Two dogs run on the beach.", "The council met.", "Taxes will rise.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With data of all kinds, a language model and what its training left behind."""
    folder = tmp_path_factory.mktemp("rounding")
    write_news(folder / "data")
    for name in ("squad_part_train", "squad2_dev"):
        asked = [
            {"q": "Who bought the bridge?", "answers": [["Anna Keller", 8]], "answerable": True},
            {"q": "Who sold the bridge?", "answers": [], "answerable": False},
        ]
        write_rows(
            folder / "data" / "train" / "qa" / f"{name}.jsonl.xz",
            [{"title": "Bridge", "context": PASSAGE, "qas": asked}],
        )
    for name in ("STSB-part", "STSB-part.dev"):
        pairs = [
            {"subset": "", "a": a, "b": b, "score": float(at)}
            for at, (a, b) in enumerate(itertools.pairwise(SENTENCES))
        ]
        write_rows(folder / "data" / "eval" / "sts" / f"{name}.jsonl.xz", pairs)
    save_checkpoint(checkpoint(), folder / "model")
    torch.save({"mean": trained().mean}, folder / "state.pt")
    return folder


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> dict[str, Any]:
    """The report's parts."""
    flags = [("data", "data"), ("out", "report.json"), ("work", "work")]
    places = [it for flag, name in flags for it in (f"--{flag}", str(folder / name))]
    monkeypatch.setattr(sys, "argv", ["rounding_report.py", *places, *arguments])
    assert ROUNDING.main() == 0
    found: dict[str, Any] = json.loads((folder / "report.json").read_text("utf8"))["parts"]
    return found


def test_ways_are_measured_once_and_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--parts", "language,table", "--language", str(folder / "model"), "--limit", "12"]
    arguments += ["--state", str(folder / "state.pt"), "--methods", "int8,spqr 4.63,nearest 3,nf4"]
    parts = run(monkeypatch, folder, *arguments)
    language, table = parts["language"], parts["table"]
    assert language["reference"] == table["reference"] == "float32"
    ways = language["ways"]
    assert list(ways) == ["float32", "int8", "spqr 4.63", "nf4", "nearest 3"]
    assert ways["float32"]["bytes"] == 4 * language["params"]
    assert ways["float32"]["difference"]["bits_per_char"] == ways["float32"]["output_error"] == 0
    lost = {name: each["percent"]["bits_per_char"] for name, each in ways.items()}
    assert abs(lost["int8"]) < 0.5
    assert lost["int8"] < lost["nearest 3"]
    assert ways["int8"]["output_error"] < ways["spqr 4.63"]["output_error"]
    assert ways["spqr 4.63"]["output_error"] < ways["nearest 3"]["output_error"]
    assert table["matrices"] == 1
    assert list(table["ways"]) == ["float32", "nf4"]
    assert table["measured_on"]["chars"] > 1000

    files = {path: path.stat().st_mtime_ns for path in (folder / "work").iterdir()}
    assert len(files) == 7
    assert run(monkeypatch, folder, *arguments) == parts
    assert {path: path.stat().st_mtime_ns for path in (folder / "work").iterdir()} == files


def test_what_is_shipped_is_the_reference_where_nothing_else_is_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    language = ["--language", str(folder / "model"), "--limit", "12", "--methods", "int8,int4,nf4"]
    parts = run(monkeypatch, folder, "--parts", "language,table", *language)
    assert list(parts["language"]["ways"]) == ["int8 as shipped", "nf4"]
    assert list(parts["table"]["ways"]) == ["int4 as shipped", "nf4"]
    assert 4 < parts["table"]["ways"]["int4 as shipped"]["bits_per_param"] < 8


def test_reader_and_trunk_are_rounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = run(monkeypatch, folder, "--limit", "2", "--methods", "gptq 4")
    assert list(parts) == ["reader", "encoder"]
    for part, metric, kept_as, bits in (
        ("reader", "span_f1", "spqr 4.63", 4.7),
        ("encoder", "spearman", "int8", 8.1),
    ):
        shipped, gptq = (parts[part]["ways"][way] for way in (f"{kept_as} as shipped", "gptq 4"))
        assert shipped[metric] > 0
        assert shipped["bits_per_param"] == pytest.approx(bits, abs=0.2)
        assert 0 < gptq["output_error"] < 0.02
        assert gptq["bits_per_param"] < 5.5


def test_what_does_not_exist_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, said in (
        (["--parts", "magic"], "no part 'magic'"),
        (["--parts", "reader", "--methods", "int8,magic"], "no method 'magic'"),
        (["--parts", "language"], "--language"),
    ):
        with pytest.raises(SystemExit, match=said):
            run(monkeypatch, folder, *arguments)
