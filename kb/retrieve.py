"""A question and the facts near it, scored: dense and lexical candidates, reread pair by pair."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice

import numpy as np

from kb.answerability import FEATURES, Answerability, Matrix
from kb.dates import DateSpan, can_agree, dates
from kb.exact import cosines
from kb.names import bare_terms, names_in
from kb.protocols import FloatArray
from kb.quantities import Quantity, is_same, quantities
from kb.stored import StoredFact
from kb.values import AnswerKind, Question, Scores
from kb.words import Rarity, terms

TITLE_SHARE = (
    0.8  # a word that stands in the title only says what the article is about, not this sentence
)
SCATTERED_SHARE = 0.5  # of a name whose words stand in the sentence, but not as the name
PAIRS_AT_ONCE = 1024  # of questions and facts whose vectors are multiplied together: bounds memory


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with all that scoring needs, read once."""

    question: Question
    vector: FloatArray
    terms: frozenset[str]
    names: tuple[tuple[str, ...], ...]  # stems of the words of each name
    spelled: tuple[str, ...]  # each name as it was written, case folded
    quantities: tuple[Quantity, ...]
    dates: tuple[DateSpan, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """A fact beside a question."""

    fact: StoredFact
    scores: Scores
    span: tuple[int, int] | None = None  # where a reader finds the answer, in the quote


def read_question(question: Question, vector: FloatArray, *, asked_at: datetime | None) -> Asked:
    """Take a question apart; `asked_at` resolves dates such as "last week"."""
    named = [(bare_terms(name), name.casefold()) for name in names_in(question.text)]
    return Asked(
        question=question,
        vector=vector,
        terms=frozenset(terms(question.text)),
        names=tuple(words for words, _ in named if words),
        spelled=tuple(name for words, name in named if words),
        quantities=quantities(question.text),
        dates=dates(question.text, asked_at),
    )


def rank(
    asked: Asked, facts: Sequence[StoredFact], *, rarity: Rarity, answerability: Answerability
) -> list[Scored]:
    """Score facts against a question; the likeliest to answer it first, older ones first among equals."""
    return rank_many([(asked, facts)], rarity=rarity, answerability=answerability)[0]


def rank_many(
    beside: Sequence[tuple[Asked, Sequence[StoredFact]]],
    *,
    rarity: Rarity,
    answerability: Answerability,
) -> list[list[Scored]]:
    """`rank` for many questions, each with facts of its own."""
    features = _features(beside, rarity)
    likely = answerability.probability(features)
    rows = iter(np.column_stack((features, likely)).tolist())
    ranked = []
    for _, facts in beside:
        scored = [
            Scored(fact, Scores(*row))
            for fact, row in zip(facts, islice(rows, len(facts)), strict=True)
        ]
        ranked.append(sorted(scored, key=lambda one: (-one.scores.probability, one.fact.seq)))
    return ranked


def features_of(asked: Asked, facts: Sequence[StoredFact], rarity: Rarity) -> Matrix:
    """One row of `answerability.FEATURES` per fact, to four digits."""
    return _features([(asked, facts)], rarity)


def _features(beside: Sequence[tuple[Asked, Sequence[StoredFact]]], rarity: Rarity) -> Matrix:
    rows: list[tuple[float, ...]] = []
    for asked, facts in beside:
        weights = {term: rarity.weight(term) for term in sorted(asked.terms)}
        total = sum(weights.values())
        rows += [
            (
                0.0,
                _coverage(weights, fact) / total if total else 0.0,
                _names(asked, fact),
                _numbers(asked, fact),
                _dates(asked, fact),
                0.0 if next(_kind_spans(asked, fact), None) is None else 1.0,
            )
            for fact in facts
        ]
    features = np.round(np.reshape(np.asarray(rows, dtype=np.float64), (-1, len(FEATURES))), 4)
    features[:, 0] = _dense(beside)
    return np.asarray(features, dtype=np.float64)


def _dense(beside: Sequence[tuple[Asked, Sequence[StoredFact]]]) -> Matrix:
    """The cosine of each question with each of its facts, one after another."""
    pairs = [(asked.vector, fact.vector) for asked, facts in beside for fact in facts]
    found = [np.zeros(0)]
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        part = pairs[start : start + PAIRS_AT_ONCE]
        queries, rows = (np.concatenate(vectors) for vectors in zip(*part, strict=True))
        found.append(cosines(queries.reshape(len(part), -1), rows.reshape(len(part), -1)))
    return np.concatenate(found)


def _coverage(weights: dict[str, float], fact: StoredFact) -> float:
    covered = 0.0
    for term, weight in weights.items():
        if term in fact.quote_terms:
            covered += weight
        elif term in fact.title_terms:
            covered += TITLE_SHARE * weight
    return covered


def quoted_share(asked: Asked, fact: StoredFact, rarity: Rarity, *, names: bool = True) -> float:
    """Share of the question's words, by rarity, that the sentence itself holds; 1.0 without words.

    Without `names`, of its other words: two sentences on the same people may say different things.
    """
    counted = (
        asked.terms if names else asked.terms - {term for name in asked.names for term in name}
    )
    weights = {term: rarity.weight(term) for term in sorted(counted)}
    held = sum(weight for term, weight in weights.items() if term in fact.quote_terms)
    return held / sum(weights.values()) if weights else 1.0


def _names(asked: Asked, fact: StoredFact) -> float:
    if not asked.names:
        return 1.0
    held = 0.0
    for name, spelled in zip(asked.names, asked.spelled, strict=True):
        quoted = titled = 0.0
        for word in name:
            quoted += word in fact.quote_terms
            titled += word in fact.title_terms
        quoted, titled = quoted / len(name), titled / len(name)
        if len(name) > 1 and spelled not in fact.folded:
            # "Captain Jonas Harrowgate and his astrolabe" does not name the Harrowgate Astrolabe
            quoted = min(quoted, SCATTERED_SHARE)
        held += max(quoted, TITLE_SHARE * titled)
    return held / len(asked.names)


def _numbers(asked: Asked, fact: StoredFact) -> float:
    if not asked.quantities:
        return 1.0
    held = sum(any(is_same(one, other) for other in fact.quantities) for one in asked.quantities)
    return held / len(asked.quantities)


def _dates(asked: Asked, fact: StoredFact) -> float:
    if not asked.dates:
        return 1.0
    return sum(_date_fits(one, fact) for one in asked.dates) / len(asked.dates)


def _date_fits(day: DateSpan, fact: StoredFact) -> float:
    if any(can_agree(day, other) for other in fact.dates):
        return 1.0
    if fact.published_at is None:
        return 0.5
    published: date = fact.published_at.date()
    # News is mostly of its own day or the days before: the date need not stand in the sentence.
    near = any(
        (first - published).days <= 0 and (published - last).days <= 2
        for first, last in day.meanings
    )
    return 0.5 if near else 0.0


def kind_spans(asked: Asked, fact: StoredFact) -> list[tuple[int, int]]:
    """Spans of the quote that are of the kind asked for and not in the question itself."""
    return list(_kind_spans(asked, fact))


def _kind_spans(asked: Asked, fact: StoredFact) -> Iterator[tuple[int, int]]:
    match asked.question.kind:
        case AnswerKind.HOW_MANY:
            for number in fact.quantities:
                if not any(is_same(number, other) for other in asked.quantities):
                    yield number.start_char, number.end_char
        case AnswerKind.WHEN:
            for day in fact.dates:
                if all(day.words != other.words for other in asked.dates):
                    yield day.start_char, day.end_char
        case AnswerKind.WHO | AnswerKind.WHERE:
            for span, words in zip(fact.spans, fact.span_terms, strict=True):
                if not words <= asked.terms:
                    yield span
        case AnswerKind.WHAT:
            if not fact.quote_terms <= asked.terms:
                yield 0, len(fact.quote)
