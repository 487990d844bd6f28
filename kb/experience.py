"""The experience graph: what the store has met together, how often and how lately.

Nodes are the things that facts name. Whatever passes over them, a fact that is learned or a question that a fact
answers, strengthens the edges among them by a bounded rule, and edges fade with a half-life. Each node keeps a
colour, the running mean of the vectors of what passed. All of it follows from the log of passages in their order:
replayed, it gives the same graph, and without an article's passages the graph is as if that had never been read. Only
edges that were pruned are replayed as well, until the next sleep; where one grows again, it starts from nothing.

A weight is never rewritten to fade it. Stored is its *strength*: log2 of the weight, plus the moment at which it had
that weight in half-lives since 1970. At the moment t the weight is 2 ** (strength - t), so edges keep their order while
they fade, and the weakest are found without looking at the clock.
"""

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from kb import colours, sql_articles, sql_brought, sql_experience, sql_meta, things
from kb.exact import unpack
from kb.protocols import FloatArray
from kb.reports import Slept
from kb.sql_experience import NodeRow, Pair, PassRow

HALF_LIFE = timedelta(days=90)
FACT_RATE = 0.3
"""Share of what an edge lacks to 1 that a fact adds, over all edges of one of its nodes."""
QUESTION_RATE = 0.6
"""The same for a question that was answered: asking tells what is wanted, a fact only what was written."""
LEAST_WEIGHT = 0.001
"""Weaker edges are pruned in sleep: those of one fact of four names after twenty months."""
MAX_EDGES = 64
"""Of a node, after sleep."""
KEPT_HALF_LIVES = 8
"""How long an answered question stays in the log; its trace in the weights is then below 1/256."""
FACTS_AT_ONCE = 200


def moment(at: datetime) -> float:
    """A time in half-lives since 1970."""
    return at.timestamp() / HALF_LIFE.total_seconds()


def weight(strength: float, at: float) -> float:
    """The weight in (0, 1] that an edge of this strength has at a moment; it halves with every half-life."""
    return float(min(1.0, 2.0 ** (strength - at)))


def grown(strength: float | None, rate: float, at: float) -> float:
    """The strength of an edge after a passage.

    Args:
        strength: before; None for no edge.
        rate: in (0, 1), the share of what the weight lacks to 1 that is added.
        at: the moment; one before an earlier passage counts as if nothing had faded since.

    Returns:
        more than before; the weight stays below 1.
    """
    before = 0.0 if strength is None else weight(strength, at)
    after = before + rate * (1.0 - before)
    found = math.log2(after) + at
    return found if strength is None else max(found, strength)


@dataclass(frozen=True, slots=True)
class Passage:
    """Something that passes over the graph."""

    passed_at: datetime
    fact_seq: int
    article_id: str
    is_question: bool
    names: tuple[str, ...]  # one a thing
    colour: colours.Doubles


class Experience:
    """The graph of one store. Holds nothing itself: everything is in the rows of the connection it is given."""

    def __init__(self, dim: int) -> None:
        """For vectors of this length."""
        self._dim = dim
        self._projection = colours.projection(dim)

    # -------------------------------------------------------------------------------------------- passing over it
    def learn(self, connection: Connection, *, limit: int = FACTS_AT_ONCE) -> int:
        """Let the oldest facts that have not passed yet do so, at most `limit`; return how many did."""
        last = int(sql_meta.get(connection, sql_meta.EXPERIENCED) or 0)
        rows = sql_brought.facts_after(connection, last, limit)
        if not rows:
            return 0
        passed = colours.project(unpack([row.vector for row in rows], self._dim), self._projection)
        for article_id, group in itertools.groupby(
            zip(rows, passed, strict=True), key=lambda pair: pair[0].article_id
        ):
            self._pass_article(connection, article_id, list(group))
        sql_meta.put(connection, sql_meta.EXPERIENCED, str(rows[-1].seq))
        return len(rows)

    def _pass_article(
        self, connection: Connection, article_id: str, group: Sequence[tuple[Any, colours.Doubles]]
    ) -> None:
        first = group[0][0]
        entities = [e.name for e in sql_articles.topics_of(connection, article_id).entities]
        fuller = [things.fuller_names(entities)]
        if first.story_id:
            elsewhere = sql_brought.names_of_story(connection, first.story_id, article_id)
            fuller.append(things.fuller_names(elsewhere))
        self.pass_over(
            connection,
            [
                Passage(
                    row.recorded_at,
                    row.seq,
                    article_id,
                    False,
                    things.things_of(_names(row), row.title, entities, *fuller),
                    colour,
                )
                for row, colour in group
            ],
        )

    def answered(
        self,
        connection: Connection,
        question: str,
        vector: FloatArray,
        *,
        fact_seq: int,
        article_id: str,
        now: datetime,
    ) -> None:
        """Let a question pass over the nodes that it names and those of the fact that answered it.

        Args:
            connection: a writing one.
            question: its text.
            vector: of it (D).
            fact_seq: of the fact that answered.
            article_id: of that fact.
            now: when.
        """
        spans = things.spans_of_words(question)
        known = sql_experience.nodes_by_key(connection, spans.values())
        asked = things.longest(spans, known)
        names = [known[key].name for key in asked]
        names += sql_experience.things_of_fact(connection, fact_seq)
        unique = {things.key_of(name): name for name in reversed(names)}
        passage = Passage(
            now,
            fact_seq,
            article_id,
            True,
            tuple(reversed(unique.values()))[: things.MAX_THINGS],
            colours.project(vector[None], self._projection)[0],
        )
        self.pass_over(connection, [passage])

    def pass_over(self, connection: Connection, passages: Sequence[Passage]) -> None:
        """Log passages and let them change the graph, in their order."""
        rows = [
            PassRow(
                seq,
                passage.passed_at,
                passage.fact_seq,
                passage.article_id,
                passage.is_question,
                passage.names,
                colours.pack(passage.colour),
            )
            for seq, passage in enumerate(passages, start=sql_experience.last_pass(connection) + 1)
        ]
        sql_experience.add_passes(connection, rows)
        _apply(connection, rows)

    # ------------------------------------------------------------------------------------------------- keeping it
    def sleep(self, connection: Connection, *, now: datetime) -> Slept:
        """Forget the questions of long ago, prune what has faded, and leave each node its strongest edges.

        Nothing else changes: fading needs no work. Sleeping twice is sleeping once.
        """
        nodes_before, _, _ = sql_experience.sizes(connection)
        old = sql_experience.old_questions(connection, now - KEPT_HALF_LIVES * HALF_LIFE)
        _undo(connection, old)
        faded = sql_experience.remove_weaker(connection, math.log2(LEAST_WEIGHT) + moment(now))
        crowded = sql_experience.remove_beyond(connection, MAX_EDGES)
        nodes, edges, _ = sql_experience.sizes(connection)
        return Slept(nodes, edges, faded + crowded, nodes_before - nodes, len(old))

    def forget(self, connection: Connection, article_id: str) -> None:
        """Undo every passage of an article's facts, also of the questions that they answered.

        What these touched is made anew from the passages that are left.
        """
        _undo(connection, sql_experience.passes_of_article(connection, article_id))

    def rebuild(self, connection: Connection) -> None:
        """Make the graph anew from the log of passages."""
        rows = list(sql_experience.passes(connection))
        sql_experience.clear(connection)
        for start in range(0, len(rows), FACTS_AT_ONCE):
            _apply(connection, rows[start : start + FACTS_AT_ONCE])

    def recolour(self, connection: Connection) -> None:
        """Start from nothing, for vectors of another encoder: answered questions are forgotten, facts pass again."""
        sql_experience.clear(connection, log=True)
        sql_meta.put(connection, sql_meta.EXPERIENCED, "0")


def _names(row: Any) -> Sequence[str]:
    found: list[str] = json.loads(row.names)
    return found


def _pairs(ids: Iterable[int]) -> list[Pair]:
    """Both directions of every two of them."""
    return list(itertools.permutations(sorted(set(ids)), 2))


def _rate(row: PassRow, count: int) -> float:
    """What a passage over so many nodes adds to each edge: a long list of names binds no two of them much."""
    return (QUESTION_RATE if row.is_question else FACT_RATE) / max(count - 1, 1)


def _apply(connection: Connection, rows: Sequence[PassRow]) -> None:
    """Let logged passages change nodes, traces and edges."""
    named = {row.seq: {things.key_of(name): name for name in row.things} for row in rows}
    known = _nodes_named(connection, rows, named)
    ids = {row.seq: [known[key].id for key in named[row.seq]] for row in rows}
    edges = sql_experience.strengths(connection, sorted({i for row in ids.values() for i in row}))
    changed: dict[Pair, float | None] = {}
    for row in rows:
        for key in named[row.seq]:
            known[key] = _passed(known[key], row)
        rate, at = _rate(row, len(ids[row.seq])), moment(row.passed_at)
        for pair in _pairs(ids[row.seq]):
            changed[pair] = edges[pair] = grown(edges.get(pair), rate, at)
    touched = {node for row in ids.values() for node in row}
    sql_experience.set_nodes(connection, [node for node in known.values() if node.id in touched])
    sql_experience.set_strengths(connection, changed)
    _add_traces(connection, rows, ids)


def _nodes_named(
    connection: Connection, rows: Sequence[PassRow], named: Mapping[int, Mapping[str, str]]
) -> dict[str, NodeRow]:
    """The nodes of passages by key; those that there were not are made, with nothing passed yet."""
    known = sql_experience.nodes_by_key(
        connection, {key for keys in named.values() for key in keys}
    )
    fresh: list[NodeRow] = []
    first = sql_experience.last_node(connection) + 1
    for row in rows:
        for key, name in named[row.seq].items():
            if key not in known:
                fresh.append(NodeRow(first + len(fresh), key, name, 0, 0, row.colour))
                known[key] = fresh[-1]
    sql_experience.add_nodes(connection, fresh)
    return known


def _add_traces(
    connection: Connection, rows: Sequence[PassRow], ids: Mapping[int, Sequence[int]]
) -> None:
    sql_experience.add_traces(
        connection,
        [
            {
                "node": node,
                "pass_seq": row.seq,
                "fact_seq": row.fact_seq,
                "share": 1.0 / math.sqrt(len(ids[row.seq])),
            }
            for row in rows
            for node in ids[row.seq]
        ],
    )


def _passed(node: NodeRow, row: PassRow) -> NodeRow:
    """The node after a passage went through it."""
    count = node.pass_count + 1
    before, passing = colours.unpack([node.colour, row.colour])
    mixed = colours.mix(before, passing, count)
    facts = node.fact_count + (not row.is_question)
    return replace(node, pass_count=count, fact_count=facts, colour=colours.pack(mixed))


def pass_otherwise(connection: Connection, otherwise: Mapping[int, Sequence[str]]) -> None:
    """Let passages have gone over other things, and make anew what that changes.

    Args:
        connection: a writing one.
        otherwise: seq of a passage -> the names of the things, one a thing; without any it goes.
    """
    before = sql_experience.nodes_passed(connection, sorted(otherwise))
    sql_experience.set_things(connection, otherwise)
    rows = list(sql_experience.passes(connection, otherwise))
    named = {row.seq: {things.key_of(name): name for name in row.things} for row in rows}
    known = _nodes_named(connection, rows, named)
    after = {row.seq: [known[key].id for key in named[row.seq]] for row in rows}
    _add_traces(connection, rows, after)
    through = [*before.values(), *after.values()]
    touched = sorted({node for ids in through for node in ids})
    _remake(connection, touched, {pair for ids in through for pair in _pairs(ids)})


def _undo(connection: Connection, seqs: Sequence[int]) -> None:
    """Take passages out of the log, and make anew what they touched."""
    through = sql_experience.nodes_passed(connection, seqs)
    sql_experience.remove_passes(connection, seqs)
    touched = sorted({node for ids in through.values() for node in ids})
    _remake(connection, touched, {pair for ids in through.values() for pair in _pairs(ids)})


def _remake(connection: Connection, touched: Sequence[int], pairs: Iterable[Pair]) -> None:
    """Make nodes, and edges between them, anew from the passages that still go through them."""
    traces = sql_experience.traces(connection, touched)
    rows = {
        row.seq: row
        for row in sql_experience.passes(connection, {s for seqs in traces.values() for s in seqs})
    }
    old = sql_experience.nodes(connection, touched)
    sql_experience.remove_nodes(connection, [node for node in touched if not traces.get(node)])
    sql_experience.set_nodes(
        connection,
        [_replayed(old[node], [rows[seq] for seq in seqs]) for node, seqs in traces.items()],
    )
    counts: defaultdict[int, int] = defaultdict(int)
    for seq, ids in sql_experience.nodes_passed(connection, sorted(rows)).items():
        counts[seq] = len(ids)
    remade: dict[Pair, float | None] = {}
    for a, b in pairs:
        if a in traces and b in traces:
            shared = sorted(set(traces[a]).intersection(traces[b]))
            remade[a, b] = _strength(shared, rows, counts)
    sql_experience.set_strengths(connection, remade)


def _replayed(node: NodeRow, rows: Sequence[PassRow]) -> NodeRow:
    name = next(name for name in rows[0].things if things.key_of(name) == node.key)
    node = replace(node, name=name, fact_count=0, pass_count=0, colour=rows[0].colour)
    for row in rows:
        node = _passed(node, row)
    return node


def _strength(
    seqs: Sequence[int], rows: Mapping[int, PassRow], counts: Mapping[int, int]
) -> float | None:
    strength: float | None = None
    for seq in seqs:
        row = rows[seq]
        strength = grown(strength, _rate(row, counts[seq]), moment(row.passed_at))
    return strength


def colour_of(node: NodeRow) -> colours.Doubles:
    """A node's colour (K)."""
    found: colours.Doubles = colours.unpack([node.colour])[0]
    return found
