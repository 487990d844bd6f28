"""The knowledge base's experience: what passes over the graph, what it brings to mind, and what it looks like."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine

from kb import sql_brought, sql_experience, sql_facts, sql_meta
from kb.exact import pack, unpack
from kb.experience import Experience, colour_of, moment, weight
from kb.intake import Intake
from kb.protocols import Embedder
from kb.recall import RecallWeights
from kb.reports import GraphEdge, GraphNode, Neighbourhood, Slept
from kb.sql import reading, writing
from kb.values import Answer

NIGHT = timedelta(hours=24)
"""Least time between two sleeps."""


class Remembering(Intake):
    """The part of a knowledge base that keeps and reads its experience graph.

    Without `recall` nothing passes over the graph and nothing is taken from it.
    """

    def __init__(
        self, home: Path, engine: Engine, embedder: Embedder, recall: RecallWeights | None
    ) -> None:
        """Keep the graph of this home's rows."""
        super().__init__(engine, str(home))
        self._embedder = embedder
        self._recall = recall
        self._experience = Experience(embedder.dim)

    def remember(self, reply: Answer, *, now: datetime) -> None:
        """Let an answered question pass over the graph, so that its like is found more easily; once for each asking."""
        if self._recall is None:
            return
        vector = unpack(pack(self._embedder.embed([reply.question])), self._embedder.dim)[0]
        fact = reply.facts[0].fact
        with self._lock, writing(self._engine, self._place) as connection:
            self._experience.answered(
                connection,
                reply.question,
                vector,
                fact_seq=sql_facts.seqs_of(connection, [fact.id])[fact.id],
                article_id=fact.article.id,
                now=now,
            )

    def sleep(self, *, now: datetime, since: timedelta = NIGHT) -> Slept | None:
        """Prune the graph, unless that was done in the time `since`; None when it was, or there is no graph."""
        if self._recall is None:
            return None
        with self._lock, writing(self._engine, self._place) as connection:
            slept_at = sql_meta.get(connection, sql_meta.SLEPT)
            if slept_at is not None and now - datetime.fromisoformat(slept_at) < since:
                return None
            slept = self._experience.sleep(connection, now=now)
            sql_meta.put(connection, sql_meta.SLEPT, now.isoformat())
            return slept

    def neighbourhood(
        self, *, now: datetime, story_id: str | None = None, limit: int | None = None
    ) -> Neighbourhood:
        """A part of the graph as it is now: the things that a story's facts name, or everything.

        Args:
            now: when; edges are given with their weights of that moment.
            story_id: of the story.
            limit: of the things the so many that stand in most facts.
        """
        with reading(self._engine, self._place) as connection:
            counts = sql_brought.fact_counts(connection, story_id)
            ids = sorted(counts, key=lambda node: (-counts[node], node))[:limit]
            rows = sql_experience.nodes(connection, ids)
            edges = sql_experience.strengths(connection, ids)
        nodes = tuple(
            GraphNode(
                node,
                rows[node].name,
                counts[node],
                rows[node].pass_count,
                tuple(colour_of(rows[node]).tolist()),
            )
            for node in ids
        )
        at = moment(now)
        weights = {
            pair: max(weight(strength, at), weight(edges.get(pair[::-1], strength), at))
            for pair, strength in edges.items()
        }
        undirected = {(min(pair), max(pair)): value for pair, value in weights.items()}
        drawn = tuple(GraphEdge(a, b, value) for (a, b), value in sorted(undirected.items()))
        return Neighbourhood(nodes, drawn)

    def _catch_up(self) -> None:
        """Let facts pass that were stored while there was no graph."""
        while self._recall is not None:
            with self._lock, writing(self._engine, self._place) as connection:
                if not self._experience.learn(connection):
                    return

    def _pass_new_facts(self, connection: Connection) -> None:
        """Let the facts of the article just stored pass; part of its transaction."""
        while self._recall is not None and self._experience.learn(connection):
            pass
