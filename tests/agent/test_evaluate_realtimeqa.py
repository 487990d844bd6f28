"""The news quiz travelled in time, on two weeks made up here."""

import json
import lzma
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent.evaluate_realtimeqa import BEFORE, STATE, evaluate_realtimeqa
from agent.judgement import Judgement, load_judgement
from agent.progress import SilentProgress
from agent.quiz import Weeks, read_quiz
from agent.settings import load_settings
from model import DataError

WEEKS = Weeks("2025", "2025")
ARTICLES = [
    {
        "url": "https://news.invalid/bridge",
        "title": "Bridge collapses in the storm",
        "published": "2025-01-02",
        "body": "The Harrow bridge collapsed on Thursday when typhoon Mira hit the river Ald.\n"
        "Mayor Ingrid Solheim said that nobody was hurt in Port Ellery.",
        "weeks": ["20250103"],
    },
    {
        "url": "https://news.invalid/chess",
        "title": "Norwegian wins the open",
        "published": "2025-01-08",
        "body": "On Wednesday the chess player Lars Holmgren won the Ellery Open after a long final.\n"
        "An earthquake shook the coast of Chile on Tuesday, the survey said.",
        "weeks": ["20250110"],
    },
]
QUESTIONS = [
    {
        "id": "20250103_0",
        "week": "20250103",
        "date": "2025-01-03",
        "question": "The Harrow bridge collapsed when what hit the river Ald?",
        "choices": ["An earthquake", "Typhoon Mira", "A tanker", "A meteor"],
        "answer": 1,
    },
    {
        "id": "20250110_0",
        "week": "20250110",
        "date": "2025-01-10",
        "question": "Who won the Ellery Open?",
        "choices": ["Ingrid Solheim", "Magnus Dahl", "Lars Holmgren"],
        "answer": 2,
    },
]


def write(path: Path, rows: list[dict]) -> None:
    with lzma.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "realtimeqa"
    folder.mkdir(parents=True)
    write(folder / "articles-2025.jsonl.xz", ARTICLES)
    write(folder / "questions-2025.jsonl.xz", QUESTIONS)
    return folder.parent


@pytest.fixture(scope="module")
def judgement() -> Judgement:
    return load_judgement(load_settings({}))


def run(
    data: Path, work: Path, judgement: Judgement, *, compare: bool = True, weeks: Weeks = WEEKS
) -> dict:
    report = evaluate_realtimeqa(
        data,
        judgement,
        weeks,
        work=work,
        compare=compare,
        progress=SilentProgress(),
    )
    for part in (report["mean"], *report["sets"].values()):
        part.pop("seconds_per_article")
    assert report.pop("chars_per_s") > 0
    return report


def test_the_quiz_is_unknown_before_the_week_and_answered_after(data, tmp_path, judgement):
    report = run(data, tmp_path / "work", judgement)
    found = report["sets"]["2025"]
    assert found["n"] == found["articles"] == 2
    assert found["unknown_before"] == 1
    assert found["mc_accuracy"] == 100
    assert found["auroc_known"] > 0.5
    assert found["recall@10_all"] == 1
    assert 0 < found["stored_share"] <= 1
    assert [week["week"] for week in report["weeks"]] == ["20250103", "20250110"]
    assert report["comparators"]["bm25"]["mc_accuracy"] == 100
    assert report["comparators"]["cosine threshold"]["0.9"]["stored_share"] == 1
    memory = report["comparators"]["experience graph"]
    assert memory["n"] == 2
    assert memory["with"]["found@10"] == memory["without"]["found@10"] == 100
    assert memory["with"]["f1"] == round(found["f1"], 2)


def test_without_a_graph_nothing_is_told_of_one(data, tmp_path, judgement):
    report = run(data, tmp_path / "work", replace(judgement, recall=None))
    assert "experience graph" not in report["comparators"]


def test_a_killed_run_ends_like_an_undisturbed_one(data, tmp_path, judgement):
    whole = run(data, tmp_path / "whole", judgement)
    work = tmp_path / "killed"
    shutil.copytree(tmp_path / "whole", work)
    lines = (work / STATE).read_text().splitlines(keepends=True)
    (work / STATE).write_text("".join(lines[:2]) + lines[2][:40])  # the second week broke off
    # It had been asked before its articles were learned, and the articles are in the store already.
    second = json.loads(lines[2])["asked"][0]
    before = {
        "probability": second["probability_before"],
        "known": second["known_before"],
        "right_choice": second["right_choice_before"],
    }
    written = {"week": "20250110", "before": {second["id"]: before}}
    (work / BEFORE).write_text(json.dumps(written))
    assert run(data, work, judgement) == whole


def test_a_run_can_be_drawn_out_and_not_begun_elsewhere(data, tmp_path, judgement):
    whole = run(data, tmp_path / "whole", judgement)
    first = run(data, tmp_path / "work", judgement, weeks=Weeks("20250103", "20250103"))
    assert [week["week"] for week in first["weeks"]] == ["20250103"]
    assert run(data, tmp_path / "work", judgement) == whole
    with pytest.raises(DataError, match="of a run with other weeks"):
        run(data, tmp_path / "work", judgement, weeks=Weeks("20250110", "20250110"))


def test_another_run_is_not_gone_on_from(data, tmp_path, judgement):
    run(data, tmp_path / "work", judgement)
    with pytest.raises(DataError, match=r"weeks\.jsonl: of a run with other"):
        run(data, tmp_path / "work", judgement, compare=False)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("questions-2025.jsonl.xz", [{"week": "20250103"}], "a row is not of the layout"),
        ("questions-2025.jsonl.xz", [], "no week from 2025 to 2025"),
    ],
)
def test_broken_data_are_one_line(data, name, rows, message):
    write(data / "realtimeqa" / name, rows)
    with pytest.raises(DataError, match=message):
        read_quiz(data, WEEKS)


def test_a_file_cut_short_is_named(data):
    path = data / "realtimeqa" / "articles-2025.jsonl.xz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"articles-2025\.jsonl\.xz"):
        read_quiz(data, WEEKS)


def test_weeks_are_taken_by_their_beginnings():
    weeks = ["20241227", "20250103", "20250110", "20250117", "20260102"]
    assert Weeks("2025", "2025").among(weeks) == weeks[1:4]
    assert Weeks("2025", "2025", every=2).among(weeks) == ["20250103", "20250117"]
    assert Weeks("20250105", "202502").among(weeks) == ["20250110", "20250117"]
    assert Weeks("2024", "20250103").among(weeks) == weeks[:2]
