"""Facts as they are read for scoring: taken from the store once, and taken apart as far as anybody asks."""

import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from kb import sql_facts
from kb.dates import DateSpan, dates
from kb.exact import unpack
from kb.names import bare_terms, name_spans
from kb.protocols import FloatArray
from kb.quantities import Quantity, quantities
from kb.values import AnswerKind, Question
from kb.words import terms

CACHE_FACTS = 20_000


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A question a fact was stored for."""

    kind: AnswerKind
    terms: frozenset[str]
    answer: str


@dataclass(frozen=True)
class StoredFact:
    """A fact with all that scoring needs; of most candidates only some is wanted, and the rest is never found."""

    seq: int
    id: str
    article_id: str
    start_char: int
    quote: str
    title: str
    publisher: str
    published_at: datetime | None
    recorded_at: datetime
    copy_of: str | None
    vector: FloatArray
    names: tuple[str, ...]  # found when the fact was drafted
    questions: tuple[Question, ...]  # it was stored for

    @property
    def known_at(self) -> datetime:
        """When its news was out."""
        return self.published_at or self.recorded_at

    @cached_property
    def quote_terms(self) -> frozenset[str]:
        """Stems of its words."""
        return frozenset(terms(self.quote))

    @cached_property
    def title_terms(self) -> frozenset[str]:
        """Stems of its article's title."""
        return frozenset(terms(self.title))

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Where its names stand in the quote; where there are none, its capitalised runs."""
        found = []
        for name in dict.fromkeys(self.names):
            place = self.quote.find(name)
            if place >= 0:
                found.append((place, place + len(name)))
        return tuple(sorted(found)) or tuple(name_spans(self.quote))

    @cached_property
    def span_terms(self) -> tuple[frozenset[str], ...]:
        """Stems of each of these names."""
        return tuple(frozenset(bare_terms(self.quote[start:end])) for start, end in self.spans)

    @cached_property
    def folded(self) -> str:
        """The quote, case folded."""
        return self.quote.casefold()

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """Its numbers."""
        return quantities(self.quote)

    @cached_property
    def dates(self) -> tuple[DateSpan, ...]:
        """Its dates, seen from when it was published."""
        return dates(self.quote, self.published_at)

    @cached_property
    def answers(self) -> tuple[StoredAnswer, ...]:
        """The questions it was stored for, with its answers."""
        return tuple(
            StoredAnswer(one.kind, frozenset(terms(one.text)), one.answer or "")
            for one in self.questions
        )


def read_fact(row: Any, questions: Sequence[Question], dim: int) -> StoredFact:
    """A candidate row as a fact."""
    return StoredFact(
        seq=row.seq,
        id=row.id,
        article_id=row.article_id,
        start_char=row.start_char,
        quote=row.quote,
        title=row.title,
        publisher=row.publisher,
        published_at=row.valid_from,
        recorded_at=row.recorded_at,
        copy_of=row.copy_of,
        vector=unpack([row.vector], dim)[0],
        names=tuple(json.loads(row.names)),
        questions=tuple(questions),
    )


class FactReader:
    """Reads candidates and keeps those used last; what it keeps of a fact never changes."""

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
                self._kept.move_to_end(seq)
        rows = sql_facts.candidates(connection, missing)
        questions = sql_facts.answers_of(connection, [row.id for row in rows])
        for row in rows:
            fact = read_fact(row, questions.get(row.id, ()), self._dim)
            found[row.seq] = self._kept[row.seq] = fact
        while len(self._kept) > CACHE_FACTS:
            self._kept.popitem(last=False)
        return found

    def forget(self) -> None:
        """Drop what is kept: the vectors have changed."""
        self._kept.clear()
