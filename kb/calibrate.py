"""Pairs of questions and sentences as retrieval meets them: what the weights of `Answerability` are fitted on.

Used by the fitting script only. It runs the candidates and the features of `kb.retrieve` over plain
sentences, so that the weights are fitted on exactly what they will be used for.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from kb import choices, sql_lexical
from kb.answerability import FEATURES, Answerability, Matrix
from kb.exact import ExactVectors, pack, unpack
from kb.migrations import migrate
from kb.protocols import Embedder, FloatArray
from kb.retrieve import Asked, Scored, features_of, rank, read_question
from kb.sql import open_engine, reading, writing
from kb.stored import StoredFact, read_fact
from kb.values import Question
from kb.words import Rarity

CANDIDATES = 12  # from each half
ASKED_CANDIDATES = 40  # the same for one question asked by a user, as `kb.ask` takes
EMBED_BATCH = 1000
ASK_BATCH = 100


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence and the article it stands in."""

    text: str
    title: str
    published_at: datetime | None = None
    article_id: str = ""
    start_char: int = 0


def passages_of(row: Mapping[str, Any], spans: Iterable[tuple[int, int]]) -> list[Passage]:
    """The sentences of an article; some pages print a quiz itself, and a question is never a fact.

    Args:
        row: `url`, `title`, `body` and `published`, an ISO date or None.
        spans: of the sentences, in characters of the body.
    """
    published, body = row["published"], row["body"]
    moment = datetime.fromisoformat(published).replace(tzinfo=UTC) if published else None
    return [
        Passage(body[start:end], row["title"] or "", moment, row["url"], start)
        for start, end in spans
        if not body[start:end].endswith("?")
    ]


@dataclass(frozen=True, slots=True)
class Pairs:
    """One question beside its candidates: their places in the corpus and a row of features for each."""

    passages: tuple[int, ...]
    features: Matrix


class Corpus:
    """Sentences that questions are asked of, indexed like a store."""

    def __init__(self, passages: Sequence[Passage], embedder: Embedder, folder: Path) -> None:
        self._embedder = embedder
        self._engine = open_engine(folder, None)
        self._place = str(folder)
        migrate(self._engine, self._place)
        self._vectors = ExactVectors(embedder.dim)
        self._passages: list[Passage] = []
        self._packed: list[bytes] = []
        self._read: dict[int, StoredFact] = {}  # by seq: only candidates are ever taken apart
        counts: Counter[str] = Counter()
        for start in range(0, len(passages), EMBED_BATCH):
            self._add(passages[start : start + EMBED_BATCH])
        for passage in passages:
            counts.update(set(sql_lexical.fact_terms(passage.title, passage.text)))
        self._rarity = Rarity(counts, len(passages))

    def _add(self, passages: Sequence[Passage]) -> None:
        packed = pack(self._embedder.embed([passage.text for passage in passages]))
        first = len(self._passages) + 1
        seqs = list(range(first, first + len(passages)))
        self._vectors.append(seqs, unpack(packed, self._embedder.dim))
        with writing(self._engine, self._place) as connection:
            rows = zip(seqs, passages, strict=True)
            sql_lexical.add_facts(connection, [(seq, p.title, p.text) for seq, p in rows])
        self._passages.extend(passages)
        self._packed.extend(packed)

    def ask(
        self, questions: Sequence[Question], *, asked_at: Sequence[datetime | None]
    ) -> list[Pairs]:
        """Retrieve candidates for each question and score them."""
        found: list[Pairs] = []
        for start in range(0, len(questions), ASK_BATCH):
            part = slice(start, start + ASK_BATCH)
            found.extend(self._ask(questions[part], asked_at[part]))
        return found

    def rank(
        self,
        question: Question,
        *,
        asked_at: datetime | None,
        answerability: Answerability,
        withheld: Callable[[Passage], bool] = lambda _: False,
    ) -> tuple[Asked, list[Scored]]:
        """A question with its candidates, likeliest first, without those withheld."""
        [vector] = unpack(pack(self._embedder.embed([question.text])), self._embedder.dim)
        asked = read_question(question, vector, asked_at=asked_at)
        near = self._vectors.nearest(vector[None], limit=ASKED_CANDIDATES)[0]
        with reading(self._engine, self._place) as connection:
            [found] = sql_lexical.find_facts(
                connection, [asked.terms], self._rarity, limit=ASKED_CANDIDATES
            )
        seqs = [s for s in sorted({*near, *found}) if not withheld(self._passages[s - 1])]
        facts = [self._fact(seq) for seq in seqs]
        return asked, rank(asked, facts, rarity=self._rarity, answerability=answerability)

    def choose(
        self,
        question: Question,
        options: Sequence[str],
        *,
        asked_at: datetime | None,
        answerability: Answerability,
    ) -> Matrix:
        """The features of a question's options, as `choices.features_of` gives them."""

        def embed(texts: Sequence[str]) -> FloatArray:
            return unpack(pack(self._embedder.embed(texts)), self._embedder.dim)

        asked, read = choices.read_options(question, options, embed, asked_at=asked_at)
        queries = [asked, *(option.asked for option in read)]
        nearest = self._vectors.nearest(
            np.stack([one.vector for one in queries]), limit=choices.CANDIDATES
        )
        seqs = {seq for row in nearest for seq in row}
        with reading(self._engine, self._place) as connection:
            wanted = [one.terms for one in queries]
            found = sql_lexical.find_facts(
                connection, wanted, self._rarity, limit=choices.CANDIDATES
            )
            seqs.update(seq for row in found for seq in row)
        facts = [self._fact(seq) for seq in sorted(seqs)]
        scored = features_of(asked, facts, self._rarity) if facts else np.zeros((0, len(FEATURES)))
        likely = answerability.probability(scored)
        return choices.features_of(asked, read, facts, likely, self._rarity)

    def _ask(
        self, questions: Sequence[Question], asked_at: Sequence[datetime | None]
    ) -> Iterator[Pairs]:
        vectors = self._embedder.embed([question.text for question in questions])
        vectors = unpack(pack(vectors), self._embedder.dim)
        nearest = self._vectors.nearest(vectors, limit=CANDIDATES)
        asked = [
            read_question(question, vector, asked_at=moment)
            for question, vector, moment in zip(questions, vectors, asked_at, strict=True)
        ]
        with reading(self._engine, self._place) as connection:
            wanted = [one.terms for one in asked]
            found = sql_lexical.find_facts(connection, wanted, self._rarity, limit=CANDIDATES)
        for one, near, alike in zip(asked, nearest, found, strict=True):
            yield self._pairs(one, sorted({*near, *alike}))

    def _pairs(self, asked: Asked, seqs: Sequence[int]) -> Pairs:
        facts = [self._fact(seq) for seq in seqs]
        return Pairs(tuple(seq - 1 for seq in seqs), features_of(asked, facts, self._rarity))

    def _fact(self, seq: int) -> StoredFact:
        if (fact := self._read.get(seq)) is None:
            row = _row(seq, self._passages[seq - 1], self._packed[seq - 1])
            fact = self._read[seq] = read_fact(row, (), self._embedder.dim)
        return fact

    def close(self) -> None:
        """Let go of the folder."""
        self._engine.dispose()


def _row(seq: int, passage: Passage, vector: bytes) -> SimpleNamespace:
    return SimpleNamespace(
        seq=seq,
        id=f"{seq:016x}",
        article_id=passage.article_id,
        start_char=passage.start_char,
        quote=passage.text,
        names=json.dumps([]),
        valid_from=passage.published_at,
        recorded_at=datetime(1970, 1, 1, tzinfo=UTC),
        vector=vector,
        title=passage.title,
        publisher="",
        copy_of=None,
    )
