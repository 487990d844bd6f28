"""What the experience graph is worth to a quiz: every question asked of the same facts with it and without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.judgement import Judgement
from agent.questions import parse_question
from agent.quiz import Row
from agent.realtimeqa_scores import (
    RIGHT_F1,
    exact_match,
    holds_answer,
    mean_interval,
    word_f1,
)
from kb import Answer, KnowledgeBase

FOUND_AT = 10
WITH, WITHOUT = "with", "without"
FIGURES = (f"found@{FOUND_AT}", "em", "f1", "answered", "answered wrongly")


@dataclass(frozen=True, slots=True)
class Told:
    """What the store told of one question."""

    found: bool
    """Whether one of the ten facts that a search finds first holds the right answer's words."""
    em: float
    f1: float
    """Of the free answer, whatever its probability."""
    known: bool


def tell_both(home: Path, judgement: Judgement, questions: Sequence[Row]) -> dict[str, list[Told]]:
    """Every question by what is stored now, with the graph and without; nothing is written.

    Args:
        home: of a store that others may have opened.
        judgement: the model, and the weights that decide; its `recall` is that of the graph.
        questions: of a quiz.
    """
    told = {}
    for name, recall in ((WITH, judgement.recall), (WITHOUT, None)):
        with KnowledgeBase.open(
            home,
            judgement.reading.embedder,
            judgement.answerability,
            rereader=judgement.rereader,
            recall=recall,
            read_only=True,
        ) as kb:
            told[name] = [_tell(kb, row) for row in questions]
    return told


def _tell(kb: KnowledgeBase, row: Row) -> Told:
    right = row["choices"][row["answer"]]
    found = [match.fact for match in kb.search(row["question"], limit=FOUND_AT)]
    reply = kb.answer(parse_question(row["question"]), threshold=0.0)
    given = reply.answer if isinstance(reply, Answer) else ""
    return Told(
        found=any(
            holds_answer(f"{fact.article.title} {fact.evidence.quote}", right) for fact in found
        ),
        em=exact_match(given, right),
        f1=word_f1(given, right),
        known=reply.probability >= kb.answer_threshold,
    )


def memory_figures(told: Mapping[str, Sequence[Told]]) -> dict[str, Any]:
    """Both sides' means, and what the graph adds with its 95 % interval over resampled questions; x 100.

    Args:
        told: as of `tell_both`, of one question or more, the same on both sides.
    """
    tables = {name: np.array([_row(one) for one in rows]) for name, rows in told.items()}
    gains = tables[WITH] - tables[WITHOUT]
    bounds = np.round(mean_interval(gains), 2).T.tolist()
    return {
        **{name: _named(table.mean(axis=0).tolist()) for name, table in tables.items()},
        "gain": _named(gains.mean(axis=0).tolist()),
        "gain_95": dict(zip(FIGURES, bounds, strict=True)),
        "n": len(gains),
    }


def _row(one: Told) -> tuple[float, ...]:
    wrong = one.known and one.f1 < RIGHT_F1
    return tuple(100.0 * it for it in (one.found, one.em, one.f1, one.known, wrong))


def _named(values: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in zip(FIGURES, values, strict=True)}
