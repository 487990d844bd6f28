"""Experience inside the encoder: a graph of units, coloured by the texts that they were met in.

Nodes are units that are rare or unknown to the encoder's table, edges the units that stood beside them, and a node's
colour is the running mean of the texts that passed through it, without the unit itself. A unit that passes again hears
its colour, or its strongest neighbours. All of it is learned text by text, in one pass and without gradients; it fades,
and beyond a fixed number of nodes the weakest are forgotten. Measured against the encoder alone and not shipped: see
the lab book.

Shapes: U units of N texts, D width, M nodes, K numbers of a colour, E edges of a node on either side.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.checkpoint import Arrays, Checkpoint, load_checkpoint, save_checkpoint
from model.embed import Encoder, FloatArray, Offsets, Units, unit_length
from model.errors import CheckpointError
from model.trunk import text_sums
from model.units import BUCKET_BITS

HALF_LIFE_DAYS = 90.0
RATE = 0.3
"""Share of what a node's weight lacks to 1 that a text adds, and of an edge's that it is passed."""
LEAST_SHARE = 0.02
"""Of the newest text in a colour: a unit met a thousand times can still change."""
LEAST_SHARE_OF_ALL = 1e-4
"""The same in the mean of all texts, which is taken off every colour."""
EDGES = 4
CONFIDENT = 0.2
"""Edges below this weight are not heard."""
SPARE = 8
"""When nodes are forgotten, one in so many goes: it is done seldom."""
NOTHING = -1
SIDES = 2
"""Before a unit and after it."""

Places = npt.NDArray[np.int64]


def principal_axes(vectors: FloatArray, count: int) -> FloatArray:
    """The orthonormal axes (D, K) along which vectors (N, D) vary most: they make colours, and undo them."""
    centred = vectors - vectors.mean(axis=0)
    found = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :count]
    return np.ascontiguousarray(found, dtype=np.float32)


class UnitColours:
    """The graph, at first empty."""

    def __init__(self, axes: FloatArray, *, from_row: int, limit: int = 1 << 16) -> None:
        """Set up.

        Args:
            axes: orthonormal, float32 (D, K).
            from_row: units that own a row below this are no nodes; rows are in the order of their frequency.
            limit: nodes at most.
        """
        K = axes.shape[1]
        self.axes, self.from_row, self.limit = axes, from_row, limit
        self.learned = 0
        """Texts."""
        self._size = 0
        self._place = np.full(1 << BUCKET_BITS, NOTHING, np.int32)
        self._nodes: Arrays = {
            "buckets": np.zeros(limit, np.int32),
            "weights": np.zeros(limit, np.float32),
            "days": np.zeros(limit, np.float32),
            "counts": np.zeros(limit, np.int32),
            "colours": np.zeros((limit, K), np.float16),
            "neighbours": np.full((limit, SIDES, EDGES), NOTHING, np.int32),
            "edges": np.zeros((limit, SIDES, EDGES), np.float32),
        }
        self._mean = np.zeros(K, np.float32)

    def __len__(self) -> int:
        return self._size

    @property
    def node_bytes(self) -> int:
        """Of one node with its edges."""
        return sum(array[:1].nbytes for array in self._nodes.values())

    def weights(self, buckets: Offsets, *, day: float) -> FloatArray:
        """How strong units are on a day, in [0, 1]; 0 for what is no node. float32 (n,)."""
        places = self._at(buckets)
        found = self._nodes["weights"][places] * self._faded(places, day)
        return np.where(places < 0, 0, found).astype(np.float32)

    def colours(self, buckets: Offsets) -> FloatArray:
        """What each unit was met with more than others: unit vectors (n, K), or zeros where that is not known."""
        places = self._at(buckets)
        apart = self._nodes["colours"][places].astype(np.float32) - self._mean
        return _directions(apart * (places >= 0)[:, None])

    def edges(self, buckets: Offsets, *, day: float) -> tuple[Offsets, FloatArray]:
        """The units beside each unit, `NOTHING` where there is none, and how confident that is.

        Returns:
            int64 (n, 2 E), and float32 (n, 2 E) in [0, 1]; those of one side add up to 1 at most.
        """
        places = self._at(buckets)
        weights = self._nodes["edges"][places] * self._faded(places, day)[:, None, None]
        weights[places < 0] = 0
        neighbours = self._nodes["neighbours"][places].astype(np.int64)
        shape = len(places), SIDES * EDGES
        return neighbours.reshape(shape), weights.reshape(shape)

    def _at(self, buckets: Offsets) -> Places:
        """Places of nodes, `NOTHING` where there is none."""
        return self._place[buckets].astype(np.int64)

    def _faded(self, places: Places, day: float) -> FloatArray:
        """What is left, by a day, of what nodes were when they passed last."""
        age = np.maximum(day - self._nodes["days"][places], 0)
        return np.exp2(-age / HALF_LIFE_DAYS).astype(np.float32)

    # ------------------------------------------------------------------------------------------------- learning
    def learn(self, units: Units, *, day: float) -> None:
        """Let texts pass, one after the other.

        Args:
            units: of the texts.
            day: days since 1970; one before an earlier day counts as if nothing had faded since.
        """
        is_node = self.is_node(units)
        projected = units.vectors @ self.axes  # (U, K)
        for first, last in itertools.pairwise(units.text_offsets):
            if last > first:
                here = slice(first, last)
                self._pass(projected[here], units.buckets[here], is_node[here], day)

    def is_node(self, units: Units) -> npt.NDArray[np.bool_]:
        """Which units can be nodes, bool (U,)."""
        return np.asarray((units.rows < 0) | (units.rows >= self.from_row))

    def _pass(
        self, projected: FloatArray, buckets: Offsets, is_node: npt.NDArray[np.bool_], day: float
    ) -> None:
        """Let one text pass over its nodes; one that stands in it several times counts once."""
        whole = projected.sum(axis=0)
        self._mix_all(_directions(whole[None])[0])
        at = np.flatnonzero(is_node)
        if not len(at):
            return
        nodes, first, which = np.unique(buckets[at], return_index=True, return_inverse=True)
        own = np.zeros((len(nodes), projected.shape[1]), np.float32)
        np.add.at(own, which, projected[at])
        kept = slice(0, self.limit)
        places = self._places(nodes[kept])
        self._strengthen(places, day)
        self._colour(places, _directions(whole - own[kept]))
        beside = np.concatenate(([NOTHING], buckets, [NOTHING]))
        for side in range(SIDES):
            self._join(places, side, beside[at[first[kept]] + 2 * side])

    def _mix_all(self, passed: FloatArray) -> None:
        self.learned += 1
        share = np.float32(max(1 / self.learned, LEAST_SHARE_OF_ALL))
        self._mean += share * (passed - self._mean)

    def _strengthen(self, places: Places, day: float) -> None:
        faded = self._faded(places, day)
        before = self._nodes["weights"][places] * faded
        self._nodes["weights"][places] = before + RATE * (1 - before)
        self._nodes["edges"][places] *= faded[:, None, None]
        self._nodes["days"][places] = np.maximum(self._nodes["days"][places], day)
        self._nodes["counts"][places] += 1

    def _colour(self, places: Places, passed: FloatArray) -> None:
        """Mix directions (n, K) into the colours of nodes: these stay within the unit ball."""
        shares = np.maximum(1 / self._nodes["counts"][places], LEAST_SHARE)[:, None]
        before = self._nodes["colours"][places].astype(np.float32)
        self._nodes["colours"][places] = before + shares * (passed - before)

    def _join(self, places: Places, side: int, beside: Offsets) -> None:
        """Strengthen the edges to the units on one side, (n,), and weaken the others of that side by as much."""
        places, beside = places[beside != NOTHING], beside[beside != NOTHING]
        neighbours = self._nodes["neighbours"][places, side]
        edges = self._nodes["edges"][places, side]
        is_known = neighbours == beside[:, None]
        slots = np.where(is_known.any(axis=1), is_known.argmax(axis=1), edges.argmin(axis=1))
        nodes = np.arange(len(places))
        edges[nodes, slots] *= is_known[nodes, slots]  # the weakest makes room
        edges *= 1 - RATE
        edges[nodes, slots] += RATE
        neighbours[nodes, slots] = beside
        self._nodes["neighbours"][places, side] = neighbours
        self._nodes["edges"][places, side] = edges

    def _places(self, buckets: Offsets) -> Places:
        """Places of nodes, which are made where there are none; the weakest are forgotten to make room."""
        if self._size + int((self._place[buckets] < 0).sum()) > self.limit:
            self._forget(self.limit - len(buckets) - self.limit // SPARE)
        new = buckets[self._place[buckets] < 0]
        places = self._size + np.arange(len(new))
        self._place[new], self._nodes["buckets"][places] = places, new
        self._size += len(new)
        return self._at(buckets)

    def _forget(self, kept: int) -> None:
        """Leave the strongest nodes alone; all fade alike, so these are the same on any day."""
        alive = {name: array[: self._size] for name, array in self._nodes.items()}
        strengths = np.log2(alive["weights"]) + alive["days"] / HALF_LIFE_DAYS
        strongest = np.sort(np.argsort(strengths, kind="stable")[self._size - max(kept, 0) :])
        self._place[alive["buckets"]] = NOTHING
        self._size = len(strongest)
        for name, array in self._nodes.items():
            array[: self._size] = array[strongest]
            array[self._size :] = NOTHING if name == "neighbours" else 0
        self._place[self._nodes["buckets"][: self._size]] = np.arange(self._size)

    # ------------------------------------------------------------------------------------------------- as a whole
    def copy(self) -> UnitColours:
        """Another graph that learns by itself from here on."""
        return copy.deepcopy(self)

    def shuffled(self, seed: int) -> UnitColours:
        """A copy whose nodes have each other's colours and edges: the control."""
        other = self.copy()
        order = np.random.default_rng(seed).permutation(self._size)
        for name in ("colours", "neighbours", "edges"):
            other._nodes[name][: self._size] = self._nodes[name][order]
        return other

    def save(self, folder: Path) -> None:
        """Write.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        arrays = {name: array[: self._size] for name, array in self._nodes.items()}
        config = {"from_row": self.from_row, "limit": self.limit, "learned": self.learned}
        arrays |= {"axes": self.axes, "mean": self._mean}
        save_checkpoint(Checkpoint(arrays, config, {}), folder)

    @classmethod
    def load(cls, folder: Path) -> UnitColours:
        """Read what `save` wrote.

        Raises:
            CheckpointError: the files are missing, damaged, or no such graph.
        """
        checkpoint = load_checkpoint(folder)
        arrays, config = checkpoint.arrays, checkpoint.config
        try:
            found = cls(arrays["axes"], from_row=config["from_row"], limit=config["limit"])
            found._size, found.learned = len(arrays["buckets"]), config["learned"]
            for name, array in found._nodes.items():
                array[: found._size] = arrays[name]
            found._mean[:] = arrays["mean"]
            found._place[arrays["buckets"]] = np.arange(found._size)
        except (KeyError, TypeError, ValueError, IndexError) as exc:
            raise CheckpointError(f"{folder} holds no colours of units: {exc}") from exc
        return found


@dataclass(frozen=True, slots=True)
class Hearing:
    """How units hear what is known of them."""

    colour: float = 0.0
    """Weight of a node's colour, in lengths of the unit's own vector."""
    neighbours: float = 0.0
    """The same of its confident neighbours."""
    itself: float = 0.0
    """The same of its own vector as a colour tells it: a control that has learned nothing."""


class ColouredEncoder:
    """An encoder and its experience; the same texts get other vectors once more has been learned."""

    def __init__(
        self, encoder: Encoder, known: UnitColours, hearing: Hearing, *, day: float = 0.0
    ) -> None:
        self.known, self.hearing = known, hearing
        self.day = day
        """The last that was learned: what faded, faded until then."""
        self.dim = encoder.dim
        self._encoder = encoder

    def learn(self, texts: Sequence[str], *, day: float) -> None:
        """Let texts pass, in their order; see `UnitColours.learn`."""
        self.known.learn(self._encoder.units(texts), day=day)
        self.day = max(self.day, day)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of unit length, float32 (N, D)."""
        units = self._encoder.units(texts)
        sums = text_sums(units.vectors, units.text_offsets)
        return unit_length(sums + self.heard(units))

    def heard(self, units: Units) -> FloatArray:
        """What experience adds to the sum of each text's units, float32 (N, D)."""
        at = np.flatnonzero(self.known.is_node(units))
        offsets = np.searchsorted(at, units.text_offsets)
        lengths = np.sqrt(np.einsum("ud,ud->u", units.vectors, units.vectors))[at, None]
        sums = np.zeros((len(offsets) - 1, self.dim), np.float32)
        if self.hearing.colour:
            colours = lengths * self.known.colours(units.buckets[at])
            sums += self.hearing.colour * text_sums(colours, offsets) @ self.known.axes.T
        if self.hearing.itself:
            own = lengths * _directions(units.vectors @ self.known.axes)[at]
            sums += self.hearing.itself * text_sums(own, offsets) @ self.known.axes.T
        if self.hearing.neighbours:
            beside = lengths * self._beside(units.buckets[at])
            sums += self.hearing.neighbours * text_sums(beside, offsets)
        return sums

    def _beside(self, buckets: Offsets) -> FloatArray:
        """Directions (n, D) of the rows of confident neighbours; zeros without any that owns a row."""
        neighbours, weights = self.known.edges(buckets, day=self.day)
        node, edge = np.nonzero(weights >= CONFIDENT)
        rows = self._encoder.own_rows(neighbours[node, edge])
        rows *= weights[node, edge][:, None]
        return _directions(text_sums(rows, np.searchsorted(node, np.arange(len(buckets) + 1))))


def _directions(vectors: FloatArray) -> FloatArray:
    """Vectors (n, D) of length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)
