"""A user's question to the store: candidates from the vector index and the words, reread, shown with their sources."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import numpy as np
from sqlalchemy import Connection

from kb import sql_facts, sql_lexical
from kb.answer import in_order, match, reply
from kb.answerability import Answerability
from kb.choices import ChoiceWeights, Option, features_of, read_options
from kb.errors import IndexMismatch
from kb.exact import pack, unpack
from kb.protocols import Embedder, FloatArray
from kb.recall import RecallWeights, in_mind_first
from kb.reread import Rereader
from kb.retrieve import Asked, Scored, rank, read_question
from kb.shelf import Shelf
from kb.spread import PROPOSED, brought_to_mind
from kb.stored import StoredFact
from kb.values import Answer, AnswerKind, Fact, Match, NoAnswer, Question, RankedChoice
from kb.vectors import VectorIndex

logger = logging.getLogger(__name__)

CANDIDATES = 40  # from each half
SUPPORTING_CHOICE = 2  # facts given with each option
WIDEST = 1_280  # how far a filtered search widens before it takes what it has


@dataclass(frozen=True, slots=True)
class Window:
    """Which facts may be shown."""

    as_of: datetime | None = None
    since: datetime | None = None
    publisher: str | None = None
    exclude_article: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether nearly everything passes, so that no more candidates than usual are needed."""
        return self.as_of is None and self.since is None and self.publisher is None

    def admits(self, fact: StoredFact) -> bool:
        """Whether the fact may be shown."""
        return (
            (self.as_of is None or fact.known_at <= self.as_of)
            and (self.since is None or fact.known_at >= self.since)
            and (self.publisher is None or fact.publisher.casefold() == self.publisher.casefold())
            and fact.article_id != self.exclude_article
        )


class Asker:
    """Finds facts for questions. Without an index it searches all vectors exactly."""

    def __init__(
        self,
        shelf: Shelf,
        index: VectorIndex | None,
        embedder: Embedder,
        answerability: Answerability,
        rereader: Rereader | None = None,
        recall: RecallWeights | None = None,
    ) -> None:
        self._rereader = rereader
        self._recall = recall
        self._shelf = shelf
        self._index = index
        self._embedder = embedder
        self._answerability = answerability

    @property
    def answer_threshold(self) -> float:
        """From this probability on an answer is given."""
        if self._rereader is not None:
            return self._rereader.weights.answer_threshold
        return self._answerability.answer_threshold

    def answer(
        self,
        connection: Connection,
        question: Question,
        window: Window,
        *,
        limit: int,
        threshold: float | None,
    ) -> Answer | NoAnswer:
        """Answer one question, or say that the store does not know."""
        [asked] = self._read([question], window)
        matches = self._matches(connection, [asked], window, limit=limit)[0]
        if threshold is None:
            threshold = self.answer_threshold
        return reply(
            question,
            matches,
            rivals=lambda best: self._rivals(connection, asked, best, window),
            threshold=threshold,
            as_of=window.as_of,
        )

    def rank_choices(
        self,
        connection: Connection,
        question: Question,
        options: Sequence[str],
        window: Window,
        weights: ChoiceWeights,
    ) -> list[RankedChoice]:
        """Options of a question, the best supported first; equal ones in the order given."""
        asked, read = read_options(question, options, self._embed, asked_at=window.as_of)
        near = self._near(connection, [asked, *(option.asked for option in read)], window, 1)
        facts = list({fact.seq: fact for row in near for fact in row}.values())
        facts.sort(key=lambda fact: fact.seq)
        scored = {one.fact.seq: one for one in self._rank(connection, asked, facts)}
        likely = np.array([scored[fact.seq].scores.probability for fact in facts])
        features = features_of(asked, read, facts, likely, self._shelf.rarity(connection))
        probabilities = weights.probabilities(features)
        order = sorted(range(len(read)), key=lambda at: (-probabilities[at], at))
        return [
            RankedChoice(
                read[at].text,
                float(probabilities[at]),
                tuple(self._supporting(connection, read[at], facts, window)),
            )
            for at in order
        ]

    def _supporting(
        self, connection: Connection, option: Option, facts: Sequence[StoredFact], window: Window
    ) -> list[Match]:
        """The likeliest facts for the question with this option, of those that hold all its words."""
        holding = [
            fact
            for fact in facts
            if option.terms and option.terms <= fact.quote_terms | fact.title_terms
        ]
        ranked = self._rank(connection, option.asked, holding)[:SUPPORTING_CHOICE]
        loaded = self._load(connection, [one.fact.id for one in ranked], window)
        return in_order(ranked, loaded, option.asked)

    def matches(
        self, connection: Connection, questions: Sequence[Question], window: Window, *, limit: int
    ) -> list[list[Match]]:
        """For each question the likeliest facts, best first."""
        return self._matches(connection, self._read(questions, window), window, limit=limit)

    def nearest(
        self, connection: Connection, text: str, window: Window, *, limit: int
    ) -> list[Match]:
        """The facts nearest to a text, which need be no question: nothing is read for an answer."""
        asked = self._read([Question(text, AnswerKind.WHAT)], window)
        return self._matches(connection, asked, window, limit=limit, rereads=False)[0]

    def _embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors as they are stored."""
        return unpack(pack(self._embedder.embed(texts)), self._embedder.dim)

    def _read(self, questions: Sequence[Question], window: Window) -> list[Asked]:
        vectors = self._embed([question.text for question in questions])
        return [
            read_question(question, vector, asked_at=window.as_of)
            for question, vector in zip(questions, vectors, strict=True)
        ]

    def _matches(
        self,
        connection: Connection,
        asked: Sequence[Asked],
        window: Window,
        *,
        limit: int,
        rereads: bool = True,
    ) -> list[list[Match]]:
        if not asked:
            return []
        brought = [{} if rereads else self._brought_to_mind(connection, one) for one in asked]
        near = self._near(connection, asked, window, limit, brought)
        ranked = [
            self._ordered(one, self._rank(connection, one, facts), in_mind, rereads=rereads)[:limit]
            for one, facts, in_mind in zip(asked, near, brought, strict=True)
        ]
        shown = {one.fact.id for scored in ranked for one in scored}
        facts = self._load(connection, sorted(shown), window)
        return [in_order(scored, facts, one) for scored, one in zip(ranked, asked, strict=True)]

    def _brought_to_mind(self, connection: Connection, asked: Asked) -> dict[int, float]:
        """Facts that the experience graph brings to mind: seq -> how strongly, the strongest first."""
        if self._recall is None:
            return {}
        gate = self._recall.gate
        return brought_to_mind(connection, asked.question.text, asked.vector, gate=gate)

    def _ordered(
        self, asked: Asked, ranked: list[Scored], brought: Mapping[int, float], *, rereads: bool
    ) -> list[Scored]:
        """Ranked facts as they are shown: by what a reader makes of them, or by how they come to mind.

        A reader is given the likeliest alone: what it was given beyond them because it came to mind was, on a quiz on
        the news, now and then read for the answer, and never was it.
        """
        if rereads:
            return self._reread(asked, ranked)
        return ranked if self._recall is None else in_mind_first(ranked, brought, self._recall)

    def _near(
        self,
        connection: Connection,
        asked: Sequence[Asked],
        window: Window,
        limit: int,
        brought: Sequence[Mapping[int, float]] = (),
    ) -> list[list[StoredFact]]:
        """Candidates that the window admits; it asks for more of them as long as too few pass."""
        wanted = max(CANDIDATES, 2 * limit)
        while True:
            seqs = self._candidates(connection, asked, wanted)
            if brought:
                seqs = [
                    sorted({*row, *islice(in_mind, PROPOSED)})
                    for row, in_mind in zip(seqs, brought, strict=True)
                ]
            facts = self._shelf.reader.read(connection, (seq for row in seqs for seq in row))
            near = [
                [facts[seq] for seq in row if seq in facts and window.admits(facts[seq])]
                for row in seqs
            ]
            everything = wanted >= sql_facts.count(connection)
            enough = window.is_open or min(len(row) for row in near) >= 2 * limit
            if enough or everything or wanted >= WIDEST:
                return near
            wanted *= 4

    def _candidates(
        self, connection: Connection, asked: Sequence[Asked], wanted: int
    ) -> list[list[int]]:
        rarity = self._shelf.rarity(connection)
        dense = self._nearest(connection, [one.vector for one in asked], wanted)
        lexical = sql_lexical.find_facts(
            connection, [one.terms for one in asked], rarity, limit=wanted
        )
        return [sorted({*near, *alike}) for near, alike in zip(dense, lexical, strict=True)]

    def _nearest(
        self, connection: Connection, vectors: Sequence[FloatArray], wanted: int
    ) -> list[list[int]]:
        matrix = np.stack(vectors)
        if self._index is not None:
            try:
                near = self._index.nearest(matrix, limit=wanted)
            except IndexMismatch as exc:
                logger.warning("vector index failed, searching exactly", extra={"reason": str(exc)})
                self._index = None
            else:
                seqs = sql_facts.seqs_of(connection, sorted({i for row in near for i in row}))
                return [[seqs[i] for i in row if i in seqs] for row in near]
        return self._shelf.vectors(connection).nearest(matrix, limit=wanted)

    def _rank(
        self, connection: Connection, asked: Asked, facts: Sequence[StoredFact]
    ) -> list[Scored]:
        return rank(
            asked,
            facts,
            rarity=self._shelf.rarity(connection),
            answerability=self._answerability,
        )

    def _reread(self, asked: Asked, ranked: list[Scored]) -> list[Scored]:
        return ranked if self._rereader is None else self._rereader.reread(asked, ranked)

    def _rivals(
        self, connection: Connection, asked: Asked, best: Match, window: Window
    ) -> list[Match]:
        """The facts in conflict with the best one, as far as they were known; read beside it, as rivals are."""
        linked = sql_facts.linked(connection, [best.fact.id]).get(best.fact.id, [])
        if not linked:
            return []
        seqs = sql_facts.seqs_of(connection, list(dict.fromkeys([best.fact.id, *linked])))
        read = self._shelf.reader.read(connection, seqs.values())
        admitted = [fact for fact in read.values() if window.admits(fact)]
        rivals = [fact.id for fact in admitted if fact.id != best.fact.id]
        facts = self._load(connection, rivals, window)
        scored = self._reread(asked, self._rank(connection, asked, admitted))
        return [match(asked, one, facts[one.fact.id]) for one in scored if one.fact.id in facts]

    def _load(
        self, connection: Connection, fact_ids: Sequence[str], window: Window
    ) -> dict[str, Fact]:
        facts = sql_facts.load(connection, fact_ids, as_of=window.as_of)
        return {fact.id: fact for fact in facts}
