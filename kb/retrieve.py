"""A question and the facts near it, scored: dense and lexical candidates, reread pair by pair."""

import json
import math
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from kb import sql_facts
from kb.answerability import Answerability, Matrix
from kb.dates import DateSpan, can_agree, dates
from kb.exact import cosines, unpack
from kb.names import bare_terms, name_spans, names_in
from kb.protocols import FloatArray
from kb.quantities import Quantity, is_same, quantities
from kb.values import AnswerKind, Question, Scores
from kb.words import terms

TITLE_SHARE = (
    0.8  # a word that stands in the title only says what the article is about, not this sentence
)
SCATTERED_SHARE = 0.5  # of a name whose words stand in the sentence, but not as the name
CACHE_FACTS = 20_000


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A question a fact was stored for."""

    kind: AnswerKind
    terms: frozenset[str]
    answer: str


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact with all that scoring needs, read once."""

    seq: int
    id: str
    article_id: str
    start_char: int
    quote: str
    publisher: str
    published_at: datetime | None
    recorded_at: datetime
    copy_of: str | None
    vector: FloatArray
    quote_terms: frozenset[str]
    title_terms: frozenset[str]
    spans: tuple[tuple[int, int], ...]  # of names, in characters of the quote
    quantities: tuple[Quantity, ...]
    dates: tuple[DateSpan, ...]
    answers: tuple[StoredAnswer, ...]

    @property
    def known_at(self) -> datetime:
        """When its news was out."""
        return self.published_at or self.recorded_at


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


def read_fact(row: Any, answers: Sequence[Question], dim: int) -> StoredFact:
    """Take a candidate row apart."""
    published_at = row.valid_from
    return StoredFact(
        seq=row.seq,
        id=row.id,
        article_id=row.article_id,
        start_char=row.start_char,
        quote=row.quote,
        publisher=row.publisher,
        published_at=published_at,
        recorded_at=row.recorded_at,
        copy_of=row.copy_of,
        vector=unpack([row.vector], dim)[0],
        quote_terms=frozenset(terms(row.quote)),
        title_terms=frozenset(terms(row.title)),
        spans=_spans(row.quote, json.loads(row.names)),
        quantities=quantities(row.quote),
        dates=dates(row.quote, published_at),
        answers=tuple(
            StoredAnswer(one.kind, frozenset(terms(one.text)), one.answer or "") for one in answers
        ),
    )


def _spans(quote: str, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Spans of the names found when the fact was drafted; of capitalised runs where there were none."""
    found = []
    for name in dict.fromkeys(names):
        place = quote.find(name)
        if place >= 0:
            found.append((place, place + len(name)))
    return tuple(sorted(found)) or tuple(name_spans(quote))


class FactReader:
    """Reads candidates and keeps the last ones read; what it keeps of a fact never changes."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._kept: OrderedDict[int, StoredFact] = OrderedDict()

    def read(self, connection: Connection, seqs: Iterable[int]) -> dict[int, StoredFact]:
        """Facts by seq."""
        found: dict[int, StoredFact] = {}
        missing = []
        for seq in set(seqs):
            if (fact := self._kept.get(seq)) is None:
                missing.append(seq)
            else:
                found[seq] = fact
        rows = sql_facts.candidates(connection, missing)
        answers = sql_facts.answers_of(connection, [row.id for row in rows])
        for row in rows:
            fact = read_fact(row, answers.get(row.id, ()), self._dim)
            found[row.seq] = self._kept[row.seq] = fact
        while len(self._kept) > CACHE_FACTS:
            self._kept.popitem(last=False)
        return found

    def forget(self) -> None:
        """Drop what is kept: the vectors have changed."""
        self._kept.clear()


class Rarity:
    """How telling a word is in this store: the rarer, the more."""

    def __init__(self, counts: Counter[str], fact_count: int) -> None:
        self.counts = counts
        self.fact_count = fact_count

    def weight(self, term: str) -> float:
        """Inverse document frequency; a word the store has never seen weighs as one seen once."""
        return math.log(2.0 + self.fact_count / max(self.counts.get(term, 0), 1))

    def add(self, facts: Iterable[Sequence[str]]) -> None:
        """Count new facts, given as their words."""
        for words in facts:
            self.counts.update(set(words))
            self.fact_count += 1


def rank(
    asked: Asked, facts: Sequence[StoredFact], *, rarity: Rarity, answerability: Answerability
) -> list[Scored]:
    """Score facts against a question; the likeliest to answer it first, older ones first among equals."""
    if not facts:
        return []
    features = features_of(asked, facts, rarity)
    scored = [
        Scored(fact, _scores(row.tolist(), float(probability)))
        for fact, row, probability in zip(
            facts, features, answerability.probability(features), strict=True
        )
    ]
    return sorted(scored, key=lambda one: (-one.scores.probability, one.fact.seq))


def _scores(row: Sequence[float], probability: float) -> Scores:
    dense, lexical, names, numbers, dates_held, has_kind = row
    return Scores(dense, lexical, names, numbers, dates_held, has_kind, probability)


def features_of(asked: Asked, facts: Sequence[StoredFact], rarity: Rarity) -> Matrix:
    """One row of `answerability.FEATURES` per fact, to four digits."""
    dense = cosines(asked.vector, np.stack([fact.vector for fact in facts]))
    weights = {term: rarity.weight(term) for term in sorted(asked.terms)}
    total = sum(weights.values())
    rows = [
        (
            similarity,
            _coverage(weights, fact) / total if total else 0.0,
            _names(asked, fact),
            _numbers(asked, fact),
            _dates(asked, fact),
            1.0 if kind_spans(asked, fact) else 0.0,
        )
        for similarity, fact in zip(dense, facts, strict=True)
    ]
    return np.asarray(np.round(np.asarray(rows, dtype=np.float64), 4), dtype=np.float64)


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
        quoted = sum(word in fact.quote_terms for word in name) / len(name)
        titled = sum(word in fact.title_terms for word in name) / len(name)
        if len(name) > 1 and spelled not in fact.quote.casefold():
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
    match asked.question.kind:
        case AnswerKind.HOW_MANY:
            return [
                (number.start_char, number.end_char)
                for number in fact.quantities
                if not any(is_same(number, other) for other in asked.quantities)
            ]
        case AnswerKind.WHEN:
            return [
                (day.start_char, day.end_char)
                for day in fact.dates
                if day.words not in {other.words for other in asked.dates}
            ]
        case AnswerKind.WHO | AnswerKind.WHERE:
            return [span for span in fact.spans if not _is_asked(fact.quote[slice(*span)], asked)]
        case AnswerKind.WHAT:
            return [(0, len(fact.quote))] if fact.quote_terms - asked.terms else []


def _is_asked(name: str, asked: Asked) -> bool:
    return all(term in asked.terms for term in bare_terms(name))
