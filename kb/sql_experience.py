"""The experience graph's rows: the queries on the tables `experience_*` alone; `sql_brought.py` joins them to others.

Strengths are what `kb.experience` makes of them. An edge is two rows, so that each node finds its own by one range.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from kb.sql import CHUNK, chunks
from kb.tables import (
    ExperienceEdgeRow,
    ExperienceNodeRow,
    ExperiencePassRow,
    ExperienceTraceRow,
    table_of,
)

_NODE = table_of(ExperienceNodeRow)
_EDGE = table_of(ExperienceEdgeRow)
_PASS = table_of(ExperiencePassRow)
_TRACE = table_of(ExperienceTraceRow)

Pair = tuple[int, int]
Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node as it is stored."""

    id: int
    key: str
    name: str
    fact_count: int
    pass_count: int
    colour: bytes


@dataclass(frozen=True, slots=True)
class PassRow:
    """A passage as it is stored."""

    seq: int
    passed_at: datetime
    fact_seq: int
    article_id: str
    is_question: bool
    things: tuple[str, ...]
    colour: bytes


# ---------------------------------------------------------------------------------------------------- passages
def add_passes(connection: Connection, rows: Sequence[PassRow]) -> None:
    """Write passages to the log."""
    stored = [
        {**asdict(row), "things": json.dumps(list(row.things), ensure_ascii=False)} for row in rows
    ]
    if stored:
        connection.execute(insert(_PASS), stored)


def passes(connection: Connection, seqs: Iterable[int] | None = None) -> Iterator[PassRow]:
    """Passages in the order in which they were made: all of them, or those with these seqs."""
    if seqs is None:
        rows = connection.execution_options(yield_per=CHUNK).execute(
            select(_PASS).order_by(_PASS.c.seq)
        )
        yield from map(_pass, rows)
        return
    for part in chunks(sorted(set(seqs))):
        query = select(_PASS).where(_PASS.c.seq.in_(part)).order_by(_PASS.c.seq)
        yield from map(_pass, connection.execute(query).all())


def _pass(row: Any) -> PassRow:
    return PassRow(
        row.seq,
        row.passed_at,
        row.fact_seq,
        row.article_id,
        row.is_question,
        tuple(json.loads(row.things)),
        row.colour,
    )


def passes_of_article(connection: Connection, article_id: str) -> list[int]:
    """Seqs of the passages of an article's facts."""
    query = select(_PASS.c.seq).where(_PASS.c.article_id == article_id).order_by(_PASS.c.seq)
    return list(connection.execute(query).scalars())


def last_pass(connection: Connection) -> int:
    """Seq of the newest passage: about as many as there ever were; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(_PASS.c.seq), 0))).scalar_one())


def things_of_fact(connection: Connection, fact_seq: int) -> list[str]:
    """The names under which a fact passed; none when it has not."""
    query = (
        select(_PASS.c.things)
        .where(_PASS.c.fact_seq == fact_seq, ~_PASS.c.is_question)
        .order_by(_PASS.c.seq)
        .limit(1)
    )
    stored = connection.execute(query).scalar()
    return list(json.loads(stored)) if stored else []


def set_things(connection: Connection, names: Mapping[int, Sequence[str]]) -> None:
    """Give passages other things, without traces yet; those without any are dropped."""
    remove_traces(connection, sorted(names))
    remove_passes(connection, sorted(seq for seq, things in names.items() if not things))
    for seq, things in names.items():
        stored = json.dumps(list(things), ensure_ascii=False)
        connection.execute(update(_PASS).where(_PASS.c.seq == seq).values(things=stored))


def old_questions(connection: Connection, before: datetime) -> list[int]:
    """Seqs of the passages of questions that were answered before a moment."""
    query = select(_PASS.c.seq).where(_PASS.c.passed_at < before, _PASS.c.is_question)
    return list(connection.execute(query).scalars())


def remove_passes(connection: Connection, seqs: Sequence[int]) -> None:
    """Drop passages and their traces."""
    remove_traces(connection, seqs)
    for part in chunks(seqs):
        connection.execute(delete(_PASS).where(_PASS.c.seq.in_(part)))


def remove_traces(connection: Connection, seqs: Sequence[int]) -> None:
    """Drop the traces of passages."""
    for part in chunks(seqs):
        connection.execute(delete(_TRACE).where(_TRACE.c.pass_seq.in_(part)))


# ------------------------------------------------------------------------------------------------------- nodes
def nodes_by_key(connection: Connection, keys: Iterable[str]) -> dict[str, NodeRow]:
    """Nodes by key, those that there are."""
    found = {}
    for part in chunks(sorted(set(keys))):
        for row in connection.execute(select(_NODE).where(_NODE.c.key.in_(part))):
            found[row.key] = NodeRow(*row)
    return found


def nodes(connection: Connection, ids: Iterable[int]) -> dict[int, NodeRow]:
    """Nodes by id, those that there are."""
    found = {}
    for part in chunks(sorted(set(ids))):
        marks = ", ".join("?" * len(part))
        query = (
            "SELECT id, key, name, fact_count, pass_count, colour"
            f" FROM experience_node WHERE id IN ({marks})"
        )
        found.update({row[0]: NodeRow(*row) for row in _rows(connection, query, tuple(part))})
    return found


def add_nodes(connection: Connection, rows: Sequence[NodeRow]) -> None:
    """Store new nodes."""
    if rows:
        connection.execute(insert(_NODE), [asdict(row) for row in rows])


def last_node(connection: Connection) -> int:
    """The highest id of a node; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(_NODE.c.id), 0))).scalar_one())


def set_nodes(connection: Connection, rows: Sequence[NodeRow]) -> None:
    """Overwrite nodes."""
    if rows:
        changed = update(_NODE).where(_NODE.c.id == bindparam("of"))
        connection.execute(
            changed,
            [
                {
                    "of": row.id,
                    "name": row.name,
                    "fact_count": row.fact_count,
                    "pass_count": row.pass_count,
                    "colour": row.colour,
                }
                for row in rows
            ],
        )


def remove_nodes(connection: Connection, ids: Sequence[int]) -> None:
    """Drop nodes with their edges."""
    for part in chunks(ids):
        touching = or_(_EDGE.c.node.in_(part), _EDGE.c.other.in_(part))
        connection.execute(delete(_EDGE).where(touching))
        connection.execute(delete(_NODE).where(_NODE.c.id.in_(part)))


def add_traces(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store which nodes a passage went through."""
    if rows:
        connection.execute(insert(_TRACE), list(rows))


def traces(connection: Connection, ids: Iterable[int]) -> dict[int, list[int]]:
    """Node id -> seqs of the passages that went through it, in order."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for part in chunks(sorted(set(ids))):
        query = (
            select(_TRACE.c.node, _TRACE.c.pass_seq)
            .where(_TRACE.c.node.in_(part))
            .order_by(_TRACE.c.node, _TRACE.c.pass_seq)
        )
        for node, seq in connection.execute(query):
            found[node].append(seq)
    return found


def nodes_passed(connection: Connection, seqs: Sequence[int]) -> dict[int, list[int]]:
    """Seq of a passage -> ids of the nodes that it went through."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    for part in chunks(seqs):
        query = select(_TRACE.c.pass_seq, _TRACE.c.node).where(_TRACE.c.pass_seq.in_(part))
        for seq, node in connection.execute(query.order_by(_TRACE.c.pass_seq, _TRACE.c.node)):
            found[seq].append(node)
    return found


# ------------------------------------------------------------------------------------------------------- edges
def strengths(connection: Connection, ids: Sequence[int]) -> dict[Pair, float]:
    """Edges among these nodes by (node, other), both ways."""
    among = set(ids)
    found: dict[Pair, float] = {}
    for part in chunks(sorted(among)):
        query = select(_EDGE).where(_EDGE.c.node.in_(part))
        if len(among) <= CHUNK:  # else most edges of a node may well be among them
            query = query.where(_EDGE.c.other.in_(part))
        for row in connection.execute(query):
            if row.other in among:
                found[row.node, row.other] = row.strength
    return found


def set_strengths(connection: Connection, edges: Mapping[Pair, float | None]) -> None:
    """Overwrite edges, or with None drop them; each pair is one direction."""
    if not edges:
        return
    gone = delete(_EDGE).where(
        and_(_EDGE.c.node == bindparam("a"), _EDGE.c.other == bindparam("b"))
    )
    connection.execute(gone, [{"a": a, "b": b} for a, b in edges])
    rows = [
        {"node": a, "other": b, "strength": strength}
        for (a, b), strength in sorted(edges.items())
        if strength is not None
    ]
    if rows:
        connection.execute(insert(_EDGE), rows)


def remove_weaker(connection: Connection, strength: float) -> int:
    """Drop the edges below a strength; return how many, each direction counted."""
    return int(connection.execute(delete(_EDGE).where(_EDGE.c.strength < strength)).rowcount)


def remove_beyond(connection: Connection, most: int) -> int:
    """Leave each node its strongest edges, at most so many; return how many were dropped, each direction counted."""
    crowded = (
        select(_EDGE.c.node)
        .group_by(_EDGE.c.node)
        .having(func.count() > most)
        .order_by(_EDGE.c.node)
    )
    dropped = 0
    for node in list(connection.execute(crowded).scalars()):
        kept = (
            select(_EDGE.c.other)
            .where(_EDGE.c.node == node)
            .order_by(_EDGE.c.strength.desc(), _EDGE.c.other)
            .limit(most)
        )
        others = list(connection.execute(kept).scalars())
        weak = delete(_EDGE).where(_EDGE.c.node == node, _EDGE.c.other.not_in(others))
        dropped += int(connection.execute(weak).rowcount)
    return dropped


def clear(connection: Connection, *, log: bool = False) -> None:
    """Drop the graph; with `log` the passages too."""
    for table in (_EDGE, _TRACE, _NODE, *((_PASS,) if log else ())):
        connection.execute(delete(table))


def sizes(connection: Connection) -> tuple[int, int, int]:
    """Nodes, pairs of nodes with an edge in one direction or both, and passages."""
    back = _EDGE.alias()
    is_answered = (
        select(back.c.node)
        .where(back.c.node == _EDGE.c.other, back.c.other == _EDGE.c.node)
        .exists()
    )
    is_first = or_(_EDGE.c.node < _EDGE.c.other, ~is_answered)
    nodes, edges, passes = (
        connection.execute(query).scalar_one()
        for query in (
            select(func.count()).select_from(_NODE),
            select(func.count()).select_from(_EDGE).where(is_first),
            select(func.count()).select_from(_PASS),
        )
    )
    return nodes, edges, passes


# ----------------------------------------------------------------------------------- what is spread over, quickly
def edges_from(connection: Connection, ids: Sequence[int], most: int) -> tuple[Ints, Ints, Doubles]:
    """Nodes, others and strengths of the edges that leave these nodes, of each node the strongest."""
    rows = []
    for node in ids:
        rows += _rows(
            connection,
            "SELECT node, other, strength FROM experience_edge WHERE node = ?"
            " ORDER BY strength DESC, other LIMIT ?",
            (node, most),
        )
    return _columns(rows)


def facts_through(connection: Connection, ids: Sequence[int]) -> tuple[Ints, Ints, Doubles]:
    """Nodes, seqs of facts and shares of every trace of these nodes."""
    found: list[Any] = []
    for part in chunks(ids):
        marks = ", ".join("?" * len(part))
        found += _rows(
            connection,
            f"SELECT node, fact_seq, share FROM experience_trace WHERE node IN ({marks})",
            tuple(part),
        )
    return _columns(found)


def _columns(rows: Sequence[tuple[int, int, float]]) -> tuple[Ints, Ints, Doubles]:
    first, second, third = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(first, dtype=int), np.array(second, dtype=int), np.array(third, dtype=float)


def _rows(connection: Connection, query: str, values: tuple[Any, ...]) -> list[Any]:
    # By the driver's own cursor: the engine's rows cost more than the search.
    cursor = connection.connection.cursor()
    cursor.execute(query, values)
    return list(cursor.fetchall())
