"""The report on colours of units: made-up weeks, whose new names nobody knows before their news was read."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts import unit_colours_report as report

NAMES = ("Zorvath", "Quillmere", "Brakkonu", "Xantippo", "Wolvendra", "Jurkethi")
WEEKS = ("20241101", "20241108", "20241115", "20250103", "20250110", "20250117")


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def article(week: str, name: str) -> dict[str, Any]:
    told = (
        f"The new bridge of {name} was opened by the minister on Thursday, after ten years of work.",
        f"Fishermen of {name} complained that the harbour stays closed to their boats all winter.",
        f"The price of bread in the town of {name} doubled within a month, the survey said.",
    )
    return {
        "title": f"Bridge of {name} is opened",
        "body": "\n".join((*told, "Read more")),
        "weeks": [week],
        "published": None,
    }


def question(week: str, name: str) -> dict[str, Any]:
    return {
        "id": week,
        "week": week,
        "question": f"Who complained in {name}?",
        "choices": ["Fishermen", "Bakers"],
        "answer": 0,
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for year in ("2024", "2025"):
        weeks = [(w, n) for w, n in zip(WEEKS, NAMES, strict=True) if w.startswith(year)]
        quiz = folder / "realtimeqa"
        write(quiz / f"articles-{year}.jsonl.xz", [article(*week) for week in weeks])
        write(quiz / f"questions-{year}.jsonl.xz", [question(*week) for week in weeks])
    pairs = [
        {"a": f"a man eats {food}", "b": f"{food} is eaten", "score": at}
        for at, food in enumerate(("bread", "an apple", "cheese"))
    ]
    write(folder / "eval" / "sts" / "FOOD.jsonl.xz", pairs)
    small = folder / "eval" / "beir" / "small"
    write(small / "corpus.jsonl.xz", [{"_id": n, "text": f"{n} is a town"} for n in NAMES])
    write(small / "queries.jsonl.xz", [{"_id": "q", "text": f"where is {NAMES[0]}"}])
    rows = f"query-id\tcorpus-id\tscore\nq\t{NAMES[0]}\t1\n"
    (small / "qrels.test.tsv").write_text(rows, "utf-8")
    return folder


def test_parts_go_on_from_each_other(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "FIRST_WEEKS", 1)
    monkeypatch.setattr(report, "SEARCH_SETS", {"small": "test"})
    out, work = tmp_path / "report.json", tmp_path / "work"
    arguments = ["--data", str(data), "--work", str(work), "--out", str(out)]
    for parts in (["choice"], ["later", "elsewhere"]):
        monkeypatch.setattr("sys.argv", ["unit_colours_report.py", *arguments, "--parts", *parts])
        report.main()
    found = json.loads(out.read_text("utf-8"))
    assert found["choice"]["queries"] == 4, "a question and a headline of each week asked"
    assert set(found["choice"]["weights"]) == {way.label for way in report.FAMILIES}
    later = found["later"]
    assert later["last_week"] == "20250117"
    assert later["asked"] == 6
    assert later["paragraphs_learned"] == 3 * len(WEEKS)
    parts = later["question"]
    assert parts["all"]["n"] == parts[report.NEW]["n"] == 3
    before, now = (parts["all"][moment] for moment in (report.BEFORE, report.NOW))
    asked_only = "unknown units, colours, questions only"
    assert before[report.ALONE] == now[report.ALONE], "what is stored stays as it is"
    assert before[asked_only] == before[report.ALONE], "of a new name nothing is known before"
    elsewhere = found["elsewhere"]
    assert elsewhere[report.ALONE]["search"]["small"]["mrr"] == 1
    assert elsewhere["all units, colours"]["cost"]["nodes"] > len(NAMES)
    assert set(elsewhere[report.ALONE]["sts"]) == {"FOOD"}


def test_first_of_what_is_sought_counts() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1], [0.1, 0.2, 0.3]])
    sought = [np.array(row, bool) for row in ([1, 0, 1], [1, 0, 0], [0, 0, 0])]
    assert report.ranks_of(scores, sought) == [2, 1, 0]


def test_best_weight_of_each_family_is_chosen() -> None:
    first, other = report.FAMILIES[:2]
    tried = {"a": (first, 1.0), "b": (first, 2.0), "c": (other, 4.0)}
    worth = {"a": 50.0, "b": 51.0, "c": 3.0}
    assert report.choose(worth, tried) == {first: 2.0, other: 4.0}
