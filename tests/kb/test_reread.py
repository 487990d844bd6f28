"""The best facts read again: spans, features, probabilities, and the threshold for a risk."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from kb import Answer, Answerability, AnswerKind, KnowledgeBase, Question, Rereader, RereadWeights
from kb.answerability import NEVER
from kb.calibrate import Corpus, Passage
from kb.migrations import migrate
from kb.reread import FEATURES, READ, read_again
from kb.retrieve import Asked, Scored
from kb.sql import open_engine

QUESTION = Question("Who opened the harbour bridge?", AnswerKind.WHO)
PASSAGES = [
    Passage("Mayor Ingrid Solheim opened the harbour bridge on Friday.", "Bridge"),
    Passage("The harbour bridge was opened by Ingrid Solheim, witnesses said.", "Bridge"),
    Passage("The harbour bridge cost forty million crowns to build.", "Money"),
    *(
        Passage(f"Ship number {number} left the harbour on Monday.", "Ships")
        for number in range(READ)
    ),
]


@dataclass(frozen=True, slots=True)
class Found:
    start: int
    end: int
    score: float
    no_answer: float


class NameReader:
    """Finds one name, wherever it stands."""

    name = "finds one name"

    def read(self, question: str, passages: Sequence[str]) -> list[Found]:
        found = []
        for passage in passages:
            at = passage.find("Ingrid Solheim")
            held = at >= 0
            found.append(Found(max(at, 0), at + 14 if held else 0, 4.0 * held, -2.0 * held))
        return found


class NumberReader:
    """Finds the first number, everywhere as surely."""

    name = "finds a number"

    def read(self, question: str, passages: Sequence[str]) -> list[Found]:
        found = [re.search(r"\d+", passage) for passage in passages]
        return [Found(*one.span(), 4.0, -2.0) if one else Found(0, 0, 0.0, 2.0) for one in found]


def asked_and_ranked(embedder, folder: Path, passages: list[Passage]) -> tuple[Asked, list[Scored]]:
    corpus = Corpus(passages, embedder, folder)
    found = corpus.rank(QUESTION, asked_at=None, answerability=Answerability.default())
    corpus.close()
    return found


def weights(**changed: float) -> RereadWeights:
    values = {"fact": 0.5, "span": 0.5, "votes": 1.0} | changed
    return RereadWeights(tuple(values.get(name, 0.0) for name in FEATURES), -2.0, 0.5)


def test_features_of_spans(embedder, tmp_path):
    asked, ranked = asked_and_ranked(embedder, tmp_path, PASSAGES[:3])
    spanned, rows = read_again(NameReader(), asked, ranked)
    told = {
        one.fact.quote: dict(zip(FEATURES, row, strict=True))
        for one, row in zip(spanned, rows.tolist(), strict=True)
    }
    first, second, third = (told[passage.text] for passage in PASSAGES[:3])
    likely = {one.fact.quote: one.scores.probability for one in ranked}
    assert first["span"] == 4
    assert first["no answer"] == -2
    assert first["kind"] == second["kind"] == 1
    assert first["votes"] == pytest.approx(np.log1p(likely[PASSAGES[1].text]), abs=1e-4)
    assert first["asked"] == 0
    dense = {one.fact.quote: one.scores.dense for one in ranked}
    assert first["near"] == pytest.approx(dense[PASSAGES[0].text], abs=1e-4)
    assert third["votes"] == third["kind"] == third["span"] == 0
    assert sum(row["ahead"] > 0 for row in told.values()) <= 1
    for one in spanned:
        held = "Ingrid Solheim" in one.fact.quote
        assert (one.fact.quote[slice(*one.span)] if one.span else None) == (
            "Ingrid Solheim" if held else None
        )


def test_answering_facts_come_first_and_the_rest_stay_behind(embedder, tmp_path):
    asked, ranked = asked_and_ranked(embedder, tmp_path, PASSAGES)
    assert len(ranked) > READ
    read = Rereader(NameReader(), weights()).reread(asked, ranked)
    assert sorted(one.fact.seq for one in read) == sorted(one.fact.seq for one in ranked)
    assert {one.fact.quote for one in read[:2]} == {one.text for one in PASSAGES[:2]}
    likely = [one.scores.probability for one in read]
    assert likely == sorted(likely, reverse=True)
    assert Rereader(NameReader(), weights()).reread(asked, []) == []


def test_an_answer_is_less_likely_when_a_fact_that_says_the_same_is_gone(embedder, tmp_path):
    (tmp_path / "two").mkdir()
    (tmp_path / "one").mkdir()
    rereader = Rereader(NameReader(), weights())
    both = rereader.reread(*asked_and_ranked(embedder, tmp_path / "two", PASSAGES[:3]))
    alone = rereader.reread(*asked_and_ranked(embedder, tmp_path / "one", PASSAGES[1:3]))
    of_second = [next(o for o in r if o.fact.quote == PASSAGES[1].text) for r in (both, alone)]
    assert of_second[0].scores.probability > of_second[1].scores.probability


def test_what_disputes_an_answer_is_no_surer_than_the_answer(
    tmp_path, embedder, answerability, newsroom
):
    """It is read beside the answer: alone, a fact is ahead of nothing, and seems surer than it is."""
    engine = open_engine(tmp_path, None)
    migrate(engine, str(tmp_path))
    rereader = Rereader(NumberReader(), weights(ahead=3.0))
    with KnowledgeBase(
        tmp_path, engine, None, embedder=embedder, answerability=answerability, rereader=rereader
    ) as kb:
        for day, number in ((1, "30"), (0, "12")):
            quote = f"The flood in Porto Verde killed {number} people on Monday, police said."
            article = newsroom.article([quote], publisher=f"Paper {day}", day=day)
            asked = ("How many people were killed in the flood?", AnswerKind.HOW_MANY, number)
            draft = newsroom.draft(article, quote, asked, names=["Porto Verde"])
            newsroom.teach(kb, article, [draft])
        question = Question("How many people were killed in the flood?", AnswerKind.HOW_MANY)
        reply = kb.answer(question, threshold=0.0)
    assert isinstance(reply, Answer)
    [rival] = reply.conflicts
    assert (reply.answer, rival.answer) == ("30", "12")
    assert rival.scores.probability <= reply.probability


def test_the_threshold_keeps_to_the_risk():
    curve = ((0.1, 1.0, 0.5), (0.3, 0.6, 0.2), (0.6, 0.3, 0.1), (0.8, 0.1, 0.0))
    made = RereadWeights((0.0,) * len(FEATURES), 0.0, 0.5, curve=curve)
    assert made.threshold_at(0.25) == 0.3
    assert made.threshold_at(0.1) == 0.6
    assert made.threshold_at(1.0) == 0.1
    dented = RereadWeights((0.0,) * len(FEATURES), 0.0, 0.5, curve=(*curve[:3], (0.8, 0.1, 0.3)))
    assert dented.threshold_at(0.2) == NEVER  # the surest answers are wrong too often


def test_shipped_weights_load_and_round_trip(tmp_path: Path):
    shipped = RereadWeights.load()
    assert shipped.reader
    assert 0 <= shipped.metrics["measured"]["quiz"]["ece"] <= 0.1
    path = tmp_path / "rereading.json"
    path.write_text(json.dumps(shipped.to_dict()), encoding="utf-8")
    assert RereadWeights.load(path) == shipped


@pytest.mark.parametrize("change", [{"weights": [1.0]}, {"features": []}, {"curve": [[1.0]]}])
def test_other_files_are_refused(tmp_path: Path, change):
    path = tmp_path / "rereading.json"
    path.write_text(json.dumps(RereadWeights.load().to_dict() | change), encoding="utf-8")
    with pytest.raises(ValueError, match=r"rereading\.json: no weights of rereading"):
        RereadWeights.load(path)
