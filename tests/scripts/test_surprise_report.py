"""The report on surprise: what it takes from sentences and spans, and the whole of it on a little news."""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.spans import AnswerSpan
from kb import AnswerKind
from model.ask_text import Asked
from model.checkpoint import save_checkpoint
from model.surprise import Costs
from tests.agent.test_evaluate_novelty import write_newsroom
from tests.model.language_models import checkpoint, gated_checkpoint
from tests.model.test_reports import program

REPORT = program("surprise_report")
PASSAGE = (
    "The Normans came to Sicily in {year} and took Palermo. Anna Keller sold the house in Oslo to the"
    " council in May {year}."
)
ASKED = {
    "What did the Normans of Sicily take?": "Palermo",
    "Who sold the house in Oslo?": "Anna Keller",
}


# ---------------------------------------------------------------------------------------------- by hand
def span(start: int, end: int, text: str) -> AnswerSpan:
    return AnswerSpan(start, end, AnswerKind.WHO, text, "person")


@pytest.mark.parametrize(
    ("found", "is_asked"),
    [
        (span(0, 11, "Anna Keller"), True),
        (span(5, 11, "Keller"), True),
        (span(20, 24, "Oslo"), False),
        (span(20, 31, "Anna Keller"), False),
    ],
)
def test_a_span_is_asked_about_where_it_is_mostly_the_answer(found, is_asked):
    sentence = "Anna Keller went to Anna Keller."
    assert REPORT.asks_about(Asked(sentence, 0, 11, "Who went?"), found) is is_asked


def test_orders_are_counted_by_sentence():
    labels = np.array([False, True, True, False, False, False, True])
    places = [np.array([0, 1]), np.array([2, 3, 4, 5, 6])]
    scores = np.array([2.0, 1, 1, 5, 4, 3, 2])
    assert REPORT.hits_of(scores, labels, places).tolist() == [[0, 1], [0, 0]]
    assert REPORT.hits_of(-scores, labels, places).tolist() == [[1, 1], [1, 1]]
    assert REPORT.hits_of(np.zeros(7), labels, places).tolist() == [[0, 1], [1, 1]]


def test_chance_is_what_all_orders_give():
    assert REPORT.chance_of(4, 1) == (1 / 4, 3 / 4)
    assert REPORT.chance_of(2, 1) == (1 / 2, 1)


def test_costs_of_a_span_are_counted_by_hand():
    costs = Costs(np.array([9.0, 1, 2, 9]), np.array([9.0, 1, 1, 9]), np.zeros(4))
    row = REPORT.span_surprise(costs, (1, 3))
    assert row == {
        "network, mean": 1.5,
        "network, most": 2,
        "network, sum": 3,
        "experience, mean": 1,
        "experience, most": 1,
        "experience, sum": 2,
    }


# ---------------------------------------------------------------------------------------------- the whole
@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    path = folder / "train" / "qa" / REPORT.SQUAD_FILE
    path.parent.mkdir(parents=True)
    write_newsroom(folder / "newsroom")
    with lzma.open(path, "wt", encoding="utf8") as lines:
        for year in range(1961, 1973):
            text = PASSAGE.format(year=year)
            qas = [
                {"q": question, "answers": [[answer, text.index(answer)]], "answerable": True}
                for question, answer in ASKED.items()
            ]
            qas.append({"q": "Who was Bob?", "answers": [], "answerable": False})
            row = {"title": f"The year {year}", "context": text, "qas": qas}
            lines.write(json.dumps(row) + "\n")
    return folder


def test_both_parts_are_reported(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_checkpoint(gated_checkpoint(), tmp_path / "language")
    out = tmp_path / "surprise.json"
    monkeypatch.setattr("model.gain.DRAWS", 20)
    arguments = ["--data", data, "--language", tmp_path / "language", "--out", out]
    monkeypatch.setattr(sys, "argv", ["surprise_report.py", *map(str, arguments)])
    assert REPORT.main() == 0
    report = json.loads(out.read_text(encoding="utf8"))
    verdict, squad = report["verdict"], report["questions"]["squad, kept out"]
    assert verdict["articles"] == 8
    for name in ("new_or_repeated", "changed_or_known"):
        assert 0 < verdict[name]["n_positive"] < verdict[name]["n"]
        assert {"kept", "distance", "network", "dearest word"} < set(verdict[name]["auroc"])
        assert isinstance(verdict[name]["helps"], bool)
    assert squad["sentences_with_a_choice"] > 0
    assert {"chance", "today", "network, mean"} < set(squad["orders"])
    assert 0 <= squad["orders"]["today"]["first"] <= squad["orders"]["today"]["first_three"] <= 1
    assert squad["asked_or_not"]["n"] > squad["asked_or_not"]["n_positive"] > 0
    assert report["questions"]["squad"]["questions"] == 0


def test_a_part_that_there_is_not_is_named(data: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["surprise_report.py", "--data", str(data), "--parts", "a"])
    with pytest.raises(SystemExit, match="no part 'a'"):
        REPORT.main()


def test_a_model_that_hears_no_experience_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    save_checkpoint(checkpoint(), tmp_path)
    arguments = ["surprise_report.py", "--data", str(tmp_path), "--language", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="has no gate"):
        REPORT.main()
