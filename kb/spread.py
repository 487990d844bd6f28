"""Spreading activation: which facts a question brings to mind over the edges of the experience graph. Reads only.

The question's things are given activation by how few facts name them. A share of it moves on along the edges, by
their weights and by whether the colours at their ends suit the question; the rest returns to the question
(personalised PageRank). What a node ends with is divided among the facts that name it. Only the strongest nodes
are asked for their edges, so the work is bounded whatever the size of the graph; but the strongest node's facts are
looked at however many they are.

Shapes: N nodes that are reached, E edges that are touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from kb import colours, sql_experience, things
from kb.protocols import FloatArray
from kb.sql_experience import NodeRow

MOVES_ON = 0.6
"""Share of activation that follows the edges instead of going back to the question."""
ROUNDS = 8
"""Of spreading; what is left to move after them is below 2 %."""
EXPANDED = (24, 32)
"""Nodes asked for their edges behind those of the question, one step away and two."""
EDGES_EACH = 64
MAX_TRACES = 1_500
"""Facts looked at: of nodes that many facts name, none gets much."""
PROPOSED = 40
"""Facts brought to mind that become candidates if they were none."""
FAINT = 1e-4
"""Activation of a fact from which on it counts."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Gate:
    """How much colours decide.

    Attributes:
        heat: the higher, the less; infinite: edges carry their weight whatever the colours.
    """

    heat: float = float("inf")

    def factors(self, found: Doubles, asked: Doubles) -> Doubles:
        """Positive factors (N) of what flows into nodes of these colours (N, K)."""
        if np.isinf(self.heat):
            return np.ones(len(found))
        opened: Doubles = np.logaddexp(0.0, colours.likeness(found, asked) / self.heat)
        return opened


@dataclass(frozen=True, slots=True)
class Reached:
    """The part of the graph that a question reached."""

    nodes: Mapping[int, NodeRow]
    activation: Mapping[int, float]
    """By node; adds up to 1 at most."""
    edges: int
    """How many were touched."""


def brought_to_mind(
    connection: Connection, question: str, vector: FloatArray, *, gate: Gate
) -> dict[int, float]:
    """Facts that a question brings to mind: seq -> how strongly, in (0, 1), the strongest first.

    All facts of the nodes that were reached are there, as far as the bound goes: of facts that one thing brings to
    mind, none must gain on the others by being counted alone. Activation is taken by its logarithm: it falls by orders
    of magnitude with every step, and with how many share it.

    Args:
        connection: a reading one.
        question: its text.
        vector: of it (D).
        gate: how much colours decide.
    """
    reached = spread(connection, question, vector, gate=gate)
    seqs, values = _facts(connection, reached)
    order = np.lexsort((seqs, -values))
    strengths = np.round(np.log1p(values[order] / FAINT) / np.log1p(1.0 / FAINT), 4)
    return dict(zip(seqs[order].tolist(), strengths.tolist(), strict=True))


def spread(connection: Connection, question: str, vector: FloatArray, *, gate: Gate) -> Reached:
    """Activation of the nodes around those that the question names; nothing when it names none."""
    spans = things.spans_of_words(question)
    known = sql_experience.nodes_by_key(connection, spans.values())
    named = [known[key] for key in things.longest(spans, known)]
    if not named:
        return Reached({}, {}, 0)
    passed = sql_experience.last_pass(connection)
    seeds = {node.id: float(np.log1p(passed / max(node.fact_count, 1))) for node in named}
    asked = colours.project(vector[None], colours.projection(len(vector)))[0]
    graph = _Reach(connection, seeds, asked, gate)
    for most in EXPANDED:
        graph.widen(most)
    return graph.reached()


class _Reach:
    """Grows the part of the graph around some seeds."""

    def __init__(
        self, connection: Connection, seeds: Mapping[int, float], asked: Doubles, gate: Gate
    ) -> None:
        self._connection = connection
        self._asked, self._gate = asked, gate
        self._seeds = seeds
        self._expanded: set[int] = set()
        self._nodes: dict[int, NodeRow] = {}
        self._parts: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Doubles]] = []
        self._expand(list(seeds))

    def widen(self, most: int) -> None:
        """Ask the strongest nodes that have not been asked yet for their edges."""
        activation = self._activation()
        open_ones = [node for node in activation if node not in self._expanded]
        open_ones.sort(key=lambda node: (-activation[node], node))
        self._expand(open_ones[:most])

    def reached(self) -> Reached:
        """What it has come to."""
        return Reached(
            self._nodes, self._activation(), sum(len(sources) for sources, _, _ in self._parts)
        )

    def _expand(self, ids: Sequence[int]) -> None:
        self._expanded.update(ids)
        part = sql_experience.edges_from(self._connection, ids, EDGES_EACH)
        self._parts.append(part)
        wanted = {*ids, *part[1].tolist()} - self._nodes.keys()
        self._nodes |= sql_experience.nodes(self._connection, wanted)

    def _activation(self) -> dict[int, float]:
        ids = np.array(sorted(self._nodes), dtype=np.int64)
        start = np.array([self._seeds.get(node, 0.0) for node in ids.tolist()])
        start /= start.sum()
        sources, targets = (
            np.searchsorted(ids, np.concatenate([part[at] for part in self._parts]))
            for at in (0, 1)
        )
        flow = self._flow(sources, targets, ids)
        active = start
        for _ in range(ROUNDS):
            moved = np.bincount(targets, active[sources] * flow, minlength=len(ids))
            active = (1 - MOVES_ON) * start + MOVES_ON * moved
        return {
            node: value for node, value in zip(ids.tolist(), active.tolist(), strict=True) if value
        }

    def _flow(
        self,
        sources: npt.NDArray[np.intp],
        targets: npt.NDArray[np.intp],
        ids: npt.NDArray[np.int64],
    ) -> Doubles:
        """Share (E) of a node's activation that takes each of its edges; 1 over all edges of a node."""
        strengths = np.concatenate([part[2] for part in self._parts])
        strongest = np.full(len(ids), -np.inf)
        np.maximum.at(strongest, sources, strengths)
        found = colours.unpack([self._nodes[node].colour for node in ids.tolist()])
        opened = self._gate.factors(found, self._asked)
        weights = 2.0 ** (strengths - strongest[sources]) * opened[targets]
        sums = np.bincount(sources, weights, minlength=len(ids))
        flow: Doubles = weights / sums[sources]
        return flow


def _facts(connection: Connection, reached: Reached) -> tuple[npt.NDArray[np.int64], Doubles]:
    """Seqs of facts, and their part of the activation of the nodes that they name."""
    ids = np.array(sorted(reached.activation), dtype=np.int64)
    rows = [reached.nodes[node] for node in ids.tolist()]
    named = np.array([max(row.fact_count, 1) for row in rows])
    each = np.array([reached.activation[node] for node in ids.tolist()]) / named
    order = np.lexsort((ids, -each))
    traces = np.cumsum([rows[at].pass_count for at in order.tolist()])
    chosen = order[: max(int(np.searchsorted(traces, MAX_TRACES, side="right")), 1)]
    nodes, seqs, shares = sql_experience.facts_through(connection, ids[chosen].tolist())
    found, places = np.unique(seqs, return_inverse=True)
    parts = each[np.searchsorted(ids, nodes)] * shares
    summed: Doubles = np.bincount(places, weights=parts, minlength=len(found)).astype(np.float64)
    return found, summed
