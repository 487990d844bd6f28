"""Texts cut into windows of units: attention looks at one window, so cost grows with length alone.

A text of at most `window` units is one window; a longer one is cut into as few windows of nearly
equal length as will do. Windows of like length are laid beside each other, padded to one length,
so that attention is a few products of whole blocks. What a window holds does not depend on which
texts stand beside it.

Shapes: N texts, U units of all of them, S slots (units and padding).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]

PADDED_LENGTHS = (4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56)
"""A window is padded to the next of these lengths, or to the full window."""


@dataclass(frozen=True, slots=True)
class Group:
    """Windows of one padded length, laid one after the other."""

    first: int
    """First slot."""
    windows: int
    length: int
    """Slots of each window."""

    @property
    def slots(self) -> slice:
        """All slots of the group."""
        return slice(self.first, self.first + self.windows * self.length)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the units of some texts are put."""

    unit_of: Offsets
    """int64 (S,): the unit in each slot; padding repeats its window's first unit."""
    is_filled: npt.NDArray[np.bool_]
    """bool (S,): whether a slot holds a unit and not padding."""
    positions: Offsets
    """int64 (S,): place of each slot in its window."""
    slot_of: Offsets
    """int64 (U,): the slot of each unit."""
    groups: tuple[Group, ...]


def lay_out(text_offsets: Offsets, window: int) -> Layout:
    """Cut texts, given by the start of each one's units, int64 (N + 1,) from 0, into windows."""
    starts, lengths = _cut(np.diff(text_offsets), window)
    steps = np.array([*(length for length in PADDED_LENGTHS if length < window), window])
    padded = steps[np.searchsorted(steps, lengths)]
    units, filled, positions, groups, first = [], [], [], [], 0
    for length in steps:
        chosen = padded == length
        count = int(chosen.sum())
        if not count:
            continue
        places = np.arange(length)
        is_filled = places < lengths[chosen, None]
        units.append((starts[chosen, None] + np.where(is_filled, places, 0)).reshape(-1))
        filled.append(is_filled.reshape(-1))
        positions.append(np.tile(places, count))
        groups.append(Group(first, count, int(length)))
        first += count * int(length)
    empty = np.empty(0, np.int64)
    unit_of = np.concatenate((empty, *units))
    is_filled = np.concatenate((empty.astype(np.bool_), *filled))
    slot_of = np.empty(int(text_offsets[-1]), np.int64)
    slot_of[unit_of[is_filled]] = np.flatnonzero(is_filled)
    return Layout(unit_of, is_filled, np.concatenate((empty, *positions)), slot_of, tuple(groups))


@dataclass(frozen=True, slots=True)
class Packing:
    """Texts side by side in full windows, for training: no shape depends on their lengths.

    Shapes: W windows of L slots, U units.
    """

    unit_of: Offsets
    """int64 (W, L): the unit in each slot; padding repeats the first unit of all."""
    piece_of: Offsets
    """int64 (W, L): the part of a text that each slot belongs to, -1 for padding."""
    slot_of: Offsets
    """int64 (U,): the slot of each unit, counted over all windows."""


def pack(text_offsets: Offsets, window: int) -> Packing:
    """Put texts, cut where they are longer, into windows: the longest first, each where it fits."""
    starts, lengths = _cut(np.diff(text_offsets), window)
    free: list[list[tuple[int, int]]] = [[] for _ in range(window + 1)]
    """Windows and their first free slot, by the slots that are left."""
    windows = 0
    first = np.empty(len(lengths), np.int64)
    for piece in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[piece])
        left = next((left for left in range(length, window) if free[left]), window)
        at, slot = free[left].pop() if left < window else (windows, 0)
        windows += left == window
        first[piece] = at * window + slot
        free[left - length].append((at, slot + length))
    owners = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(len(owners)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    slots, units = first[owners] + within, starts[owners] + within
    unit_of = np.zeros(windows * window, np.int64)
    piece_of = np.full(windows * window, -1, np.int64)
    slot_of = np.empty(int(text_offsets[-1]), np.int64)
    unit_of[slots], piece_of[slots], slot_of[units] = units, owners, slots
    return Packing(unit_of.reshape(-1, window), piece_of.reshape(-1, window), slot_of)


def _cut(units: Offsets, window: int) -> tuple[Offsets, Offsets]:
    """First unit and length of every window of texts with so many units each."""
    counts = -(-units // window)
    owners = np.repeat(np.arange(len(units)), counts)
    rank = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    base, longer = np.divmod(units, np.maximum(counts, 1))
    lengths = base[owners] + (rank < longer[owners])
    first = np.cumsum(units) - units
    starts = first[owners] + rank * base[owners] + np.minimum(rank, longer[owners])
    return starts, lengths
