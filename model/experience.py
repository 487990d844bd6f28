"""What was read before, as a graph: from stretches of characters to the characters that followed them.

Nodes are the last few characters of a place, at several lengths, found by a hash; an edge's weight is how often its
character followed there. A node also knows what followed it last, and where. The graph grows with every text that is
learned, and nothing is trained for it. When it is full, it forgets the edges that are weakest by then: a weight counts
half as much for every so many characters since something followed its node.

Shapes: T characters of a text, E edges of one length.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from model.alphabet import Ids
from model.hashing import Hashes, SpanHasher, mix

LENGTHS = (2, 3, 4, 5, 6, 8, 11, 16)
"""Of the stretches."""
PENDING = 1 << 17
"""Characters that are learned before their edges are put in order with the others."""
MOST_EDGES = 1_000_000
"""Of one length that are kept; an edge takes 24 bytes."""
HALF_LIFE = 4_000_000
"""Characters learned after which an edge that nothing passed counts half as much, when some are forgotten."""
_CHARACTER = np.uint64(0xFF)

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Traces:
    """What is known, at each character of a text, of what followed the few characters before it; all (T,)."""

    times: Counts
    """How often something did."""
    kinds: Counts
    """How many different characters did."""
    weight: Counts
    """How often the character did that comes now."""
    last: Ids
    """Which one did the last time; 0 where none did."""
    age: Counts
    """Characters since then; 0 where there was none."""

    @classmethod
    def joined(cls, parts: Sequence[Traces]) -> Traces:
        """Of one text after another; one at least."""
        names = [each.name for each in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def part(self, begin: int, end: int) -> Traces:
        """Of some of the characters alone."""
        here = slice(begin, end)
        return Traces(
            self.times[here], self.kinds[here], self.weight[here], self.last[here], self.age[here]
        )


class Experience:
    """What was learned so far, at first nothing; texts are ids of one alphabet."""

    def __init__(self, lengths: Sequence[int] = LENGTHS, *, most_edges: int = MOST_EDGES) -> None:
        """Begin with nothing, and hold so many edges of each length at most."""
        self.lengths, self._most_edges = tuple(lengths), most_edges
        self.learned = 0
        """Characters."""
        self._edges = [_Edges.none() for _ in self.lengths]
        self._before = self._pending = np.zeros(0, np.uint8)

    @property
    def size(self) -> int:
        """Edges, of texts whose edges are in order."""
        return sum(len(each.keys) for each in self._edges)

    def look(self, ids: Ids) -> list[Traces]:
        """What is known at each character of a text that goes on from what was learned last, by length.

        The text itself counts as far as it has been read: no later character is known anywhere.

        Args:
            ids: uint8 (T,).
        """
        stretch = self._stretch(ids)
        begin = len(self._pending)
        return [
            _traces(stretch, length, edges).part(begin, begin + len(ids))
            for length, edges in zip(self.lengths, self._edges, strict=True)
        ]

    def read(self, ids: Ids) -> list[Traces]:
        """`look` at a text while it is learned, so that what it says counts within the bounds of the graph."""
        parts = []
        for begin in range(0, max(len(ids), 1), PENDING):
            part = ids[begin : begin + PENDING]
            parts.append(self.look(part))
            self.learn(part)
        return [Traces.joined(of_length) for of_length in zip(*parts, strict=True)]

    def copy(self) -> Experience:
        """Another one that knows the same; what either learns the other does not."""
        other = copy.copy(self)
        other._edges = list(self._edges)
        return other

    def learn(self, ids: Ids) -> None:
        """Add a text, uint8 (T,)."""
        self._pending = np.concatenate((self._pending, ids))
        self.learned += len(ids)
        if len(self._pending) >= PENDING:
            stretch = self._stretch(ids[:0])
            self._edges = [
                edges.with_text(stretch, length).strongest(self._most_edges)
                for length, edges in zip(self.lengths, self._edges, strict=True)
            ]
            self._before = stretch.ids[-max(self.lengths) :]
            self._pending = ids[:0]

    def _stretch(self, ids: Ids) -> _Stretch:
        """What is not in order yet, and a text after it."""
        whole = np.concatenate((self._before, self._pending, ids))
        return _Stretch(whole, len(self._before), self.learned - len(self._pending))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Characters that follow on what is in order."""

    ids: Ids
    """(T,)."""
    known: int
    """The first ones are in order already: only what follows them counts."""
    begin: int
    """Characters learned before the others."""

    def nodes(self, length: int) -> tuple[Hashes, Ids, Counts]:
        """Of the characters that count and have so many before them: hashes of these, low byte empty; they; places."""
        ends = np.arange(max(length, self.known), len(self.ids))
        spans = SpanHasher(self.ids.astype(np.uint32)).spans(ends - length, ends)
        return mix(spans) & ~_CHARACTER, self.ids[ends], ends - self.known + self.begin


@dataclass(frozen=True, slots=True)
class _Edges:
    """The edges of one length, in the order of their nodes."""

    keys: Hashes
    """uint64 (E,), ascending: the node's hash, its low byte the character."""
    sums: Counts
    """(E + 1,): weights of all edges before."""
    newest: Counts
    """(E,): of the node's edge that was passed last, its place and in the low byte its character."""

    @classmethod
    def none(cls) -> _Edges:
        return cls(np.zeros(0, np.uint64), np.zeros(1, np.int64), np.zeros(0, np.int64))

    def with_text(self, stretch: _Stretch, length: int) -> _Edges:
        """With those of a stretch."""
        nodes, ids, places = stretch.nodes(length)
        if not len(nodes):
            return self
        keys = np.concatenate((self.keys, nodes | ids))
        weights = np.concatenate((np.diff(self.sums), np.ones(len(places), np.int64)))
        newest = np.concatenate((self.newest, places << 8 | ids))
        order = np.argsort(keys, kind="stable")
        keys, newest = keys[order], newest[order]
        first = _first_of_each(keys)
        sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(weights[order])))
        ends = np.append(np.flatnonzero(first)[1:], len(keys))
        kept = keys[first]
        return _Edges(
            kept, np.concatenate((sums[:1], sums[ends])), _largest_of_node(kept, newest[ends - 1])
        )

    def strongest(self, most: int) -> _Edges:
        """Without those that are weakest by now, where there are more than so many."""
        if len(self.keys) <= most:
            return self
        weights = np.diff(self.sums)
        strengths = np.log2(weights) + (self.newest >> 8) / HALF_LIFE
        kept = np.sort(np.argpartition(-strengths, most)[:most])
        sums = np.concatenate((self.sums[:1], np.cumsum(weights[kept])))
        return _Edges(self.keys[kept], sums, self.newest[kept])

    def at(self, nodes: Hashes, ids: Ids) -> tuple[Counts, Counts, Counts, Counts]:
        """Of nodes and a character each: weight of all edges, their number, the edge's own weight, the newest."""
        low = np.searchsorted(self.keys, nodes)
        high = np.searchsorted(self.keys, nodes | _CHARACTER, side="right")
        own = np.searchsorted(self.keys, nodes | ids)
        is_known = np.append(self.keys, np.uint64(0))[own] == nodes | ids
        weight = np.where(is_known, np.append(np.diff(self.sums), 0)[own], 0)
        newest = np.where(high > low, np.append(self.newest, 0)[low], -1)
        return self.sums[high] - self.sums[low], high - low, weight, newest


def _traces(stretch: _Stretch, length: int, edges: _Edges) -> Traces:
    """At every character that counts; those with fewer before them know nothing."""
    nodes, ids, places = stretch.nodes(length)
    times, kinds, weight, newest = edges.at(nodes, ids)
    # How often the node, and the edge, was passed within the stretch before.
    order, first = _grouped(nodes)
    count = np.arange(len(nodes))
    begins = _latest(first)
    edge_order, edge_first = _grouped(nodes | ids)
    again = _scattered(edge_order, count - _latest(edge_first))
    is_new = ((again == 0) & (weight == 0))[order].astype(np.int64)
    before = np.cumsum(is_new) - is_new
    passes = (places << 8 | ids)[order]
    recent = np.where(first, -1, np.concatenate((passes[:1], passes[:-1])))
    newest = np.maximum(newest, _scattered(order, recent))
    is_known = newest >= 0
    padding = (len(stretch.ids) - stretch.known - len(nodes), 0)
    return Traces(
        np.pad(times + _scattered(order, count - begins), padding),
        np.pad(kinds + _scattered(order, before - before[begins]), padding),
        np.pad(weight + again, padding),
        np.pad(np.where(is_known, newest & 0xFF, 0), padding).astype(np.uint8),
        np.pad(np.where(is_known, places - (newest >> 8), 0), padding),
    )


def _latest(first: npt.NDArray[np.bool_]) -> Counts:
    """For each place the latest one that is first of its kind."""
    return np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))


def _grouped(keys: Hashes) -> tuple[Counts, npt.NDArray[np.bool_]]:
    """An order that brings equal keys together, and where in it each begins."""
    order = np.argsort(keys, kind="stable")
    return order, _first_of_each(keys[order])


def _first_of_each(ordered: Hashes) -> npt.NDArray[np.bool_]:
    return np.concatenate((np.ones(min(len(ordered), 1), bool), ordered[1:] != ordered[:-1]))


def _largest_of_node(keys: Hashes, values: Counts) -> Counts:
    """For every edge the largest of its node's values."""
    begins = np.flatnonzero(_first_of_each(keys & ~_CHARACTER))
    sizes = np.diff(np.append(begins, len(keys)))
    return np.repeat(np.maximum.reduceat(values, begins), sizes)


def _scattered(order: Counts, values: Counts) -> Counts:
    found = np.empty_like(values)
    found[order] = values
    return found
