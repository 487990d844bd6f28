"""From the network's scores to log-odds of there being no answer, and the threshold at which to abstain.

Fitted on articles kept out of training. Half of the weight is on questions with an answer. The other half is on
questions without one: for the log-odds in equal parts those that people wrote to mislead, answerable ones changed as
in training, and answerable ones with another paragraph of the article, which is what a search brings; for the
threshold the first two, which are as hard as the questions it is judged by.

Shapes: N questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model.read import LARGEST, Calibration, Reader, trimmed
from model.read_data import as_words
from model.read_exercise import Exercise
from model.read_metrics import area_under_curve, best_threshold, exact_match, f1_score
from model.read_sources import Asked, Place, Source
from model.read_variants import Exercises, Shares

ANSWERED, WRITTEN, CHANGED, ELSEWHERE = range(4)
KIND_NAMES = ("answered", "written", "changed", "elsewhere")
NEWTON_STEPS = 25
RIDGE = 1e-2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DevelopmentQuestion:
    """A question to fit on; without references there is no answer."""

    question: str
    passage: str
    references: tuple[str, ...]
    kind: int


@dataclass(frozen=True, slots=True)
class _Readings:
    """What a reader says to development questions, each float64 (N,)."""

    raw: Floats
    span: Floats
    f1: Floats
    exact: Floats
    kinds: npt.NDArray[np.int64]

    @property
    def is_absent(self) -> Floats:
        """1 where there is no answer."""
        return np.asarray(self.kinds != ANSWERED, dtype=np.float64)


def development_questions(
    reader: Reader, source: Source, *, seed: int
) -> list[DevelopmentQuestion]:
    """The questions of the kept-out articles as they are, changed, and beside another paragraph."""
    rng = np.random.default_rng(seed)
    book = reader.book
    words = as_words(source, book)
    changes = Exercises(book, words, Shares())
    found = [_as_asked(source, asked) for asked in source.asked]
    for example in words.examples:
        if not example.answers:
            continue
        exercise = Exercise(example.question, words.passages[example.passage], example.answers)
        changed = changes.changed(exercise, rng)
        if changed is not None:
            text = " ".join(book.texts[number] for number in changed.question.words)
            passage = source.passages[example.passage]
            found.append(DevelopmentQuestion(text, passage, (), CHANGED))
    for asked in source.asked:
        others = _other_paragraphs(source, asked)
        if asked.answers and others:
            passage = others[int(rng.integers(len(others)))]
            found.append(DevelopmentQuestion(asked.question, passage, (), ELSEWHERE))
    return found


def _as_asked(source: Source, asked: Asked) -> DevelopmentQuestion:
    passage = source.passages[asked.passage]
    references = tuple(_quote(passage, place) for place in asked.answers)
    kind = ANSWERED if references else WRITTEN
    return DevelopmentQuestion(asked.question, passage, references, kind)


def _other_paragraphs(source: Source, asked: Asked) -> list[str]:
    """Of the same article, those that hold no answer."""
    answers = [_quote(source.passages[asked.passage], place).lower() for place in asked.answers]
    title = source.articles[asked.passage]
    return [
        text
        for at, text in enumerate(source.passages)
        if source.articles[at] == title
        and at != asked.passage
        and not any(answer in text.lower() for answer in answers)
    ]


def _quote(passage: str, place: Place) -> str:
    return passage[place[0] : place[1]]


def calibrate(
    reader: Reader, questions: Sequence[DevelopmentQuestion]
) -> tuple[Calibration, dict[str, float]]:
    """Fit what turns raw log-odds into those of there being no answer, and the threshold.

    Returns:
        The fit, and what it scores on the questions it was fitted on.
    """
    readings = _read(reader, questions)
    columns = np.stack((readings.raw, readings.span, np.ones_like(readings.raw)), axis=1)
    weight = _weights(readings.kinds, (WRITTEN, CHANGED, ELSEWHERE))
    fit = Calibration(*(float(w) for w in fit_logistic(columns, readings.is_absent, weight)))
    no_answer = fit.apply(readings.raw, readings.span)
    hard = _weights(readings.kinds, (WRITTEN, CHANGED))
    threshold = best_threshold(no_answer, readings.f1, readings.is_absent, hard)
    abstains = no_answer > threshold
    is_told = readings.kinds == ANSWERED
    gain = np.where(abstains, readings.is_absent, readings.f1)
    found = {
        "f1": 100 * float(np.average(gain, weights=hard)),
        "answered_f1": 100 * float(readings.f1[is_told].mean()),
        "answered_em": 100 * float(readings.exact[is_told].mean()),
        "abstained": 100 * float(np.average(abstains, weights=hard)),
        "n": float(len(questions)),
    }
    for kind in (WRITTEN, CHANGED, ELSEWHERE):
        either = is_told | (readings.kinds == kind)
        area = area_under_curve(-no_answer[either], is_told[either])
        found[f"auroc_{KIND_NAMES[kind]}"] = 100 * area
    return replace(fit, threshold=threshold), {k: round(v, 2) for k, v in found.items()}


def _read(reader: Reader, questions: Sequence[DevelopmentQuestion]) -> _Readings:
    rows = []
    for each in questions:
        start, end, score, none = reader.raw_spans(each.question, [each.passage])[0]
        answer = _quote(each.passage, trimmed(each.passage, start, end))
        f1 = f1_score(answer, each.references) if each.references else 0.0
        exact = exact_match(answer, each.references) if each.references else 0.0
        rows.append((none, score, f1, exact))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    kinds = np.array([each.kind for each in questions])
    return _Readings(table[:, 0], table[:, 1], table[:, 2], table[:, 3], kinds)


def _weights(kinds: npt.NDArray[np.int64], absent: Sequence[int]) -> Floats:
    """Half for questions with an answer, half for some kinds without, each of them alike."""
    weight = np.zeros(len(kinds))
    there = [kind for kind in absent if (kinds == kind).any()]
    shares = {ANSWERED: 0.5, **{kind: 0.5 / len(there) for kind in there}}
    for kind, share in shares.items():
        is_kind = kinds == kind
        weight[is_kind] = share * len(kinds) / max(is_kind.sum(), 1)
    return weight


def fit_logistic(columns: Floats, happened: Floats, weight: Floats) -> Floats:
    """Weights of a logistic regression by Newton's method, float64 (columns,)."""
    found = np.zeros(columns.shape[1])
    penalty = RIDGE * np.eye(columns.shape[1])
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(columns @ found, -LARGEST, LARGEST)))
        slope = columns.T @ (weight * (chance - happened)) + penalty @ found
        curve = (columns.T * (weight * chance * (1 - chance))) @ columns + penalty
        found = found - np.linalg.solve(curve, slope)
    return np.asarray(found)
