"""Hashes of many substrings at once, equal for equal characters wherever they stand.

Spans: a polynomial over 64-bit integers; prefix sums give the hash of any span in constant time,
and a final mix spreads it. Windows of one length: a cheaper polynomial over 32-bit integers.

Shapes: T characters, S spans.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Offsets = npt.NDArray[np.int64]

_BASE = 0x9E3779B97F4A7C15
_BASE_INVERSE = pow(_BASE, -1, 1 << 64)
_MIX_1 = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)
_GRANULE = 1 << 16
_WINDOW_BASE = 0x9E3779B1


@functools.lru_cache(maxsize=4)
def _powers(base: int, count: int) -> Hashes:
    powers = np.full(count, base, dtype=np.uint64)
    powers[0] = 1
    return np.cumprod(powers)


def mix(values: Hashes) -> Hashes:
    """Spread 64-bit values so that every bit depends on all of them (MurmurHash3's finaliser)."""
    mixed = values ^ (values >> _SHIFT)
    mixed *= _MIX_1
    mixed ^= mixed >> _SHIFT
    mixed *= _MIX_2
    mixed ^= mixed >> _SHIFT
    return mixed


class SpanHasher:
    """Hashes of spans of one array of code points."""

    def __init__(self, points: npt.NDArray[np.uint32]) -> None:
        count = (len(points) // _GRANULE + 1) * _GRANULE
        self._inverse = _powers(_BASE_INVERSE, count)
        terms = points.astype(np.uint64)
        terms += np.uint64(1)
        terms *= _powers(_BASE, count)[: len(points)]
        self._prefix = np.zeros(len(points) + 1, dtype=np.uint64)
        np.cumsum(terms, out=self._prefix[1:])

    def spans(self, starts: Offsets, ends: Offsets) -> Hashes:
        """Hashes of [start, end) for each pair, uint64 (S,), not yet mixed."""
        sums = self._prefix[ends]
        sums -= self._prefix[starts]
        sums *= self._inverse[starts]
        return sums


class WindowSlots:
    """Places in a hashed table of all windows of an array of code points, length after length.

    A polynomial over 32-bit integers, for tables that are read for every character: its top bits
    are spread as they are, and fill a table as evenly as mixed ones do.
    """

    def __init__(self, points: npt.NDArray[np.uint32], *, bits: int) -> None:
        self._shift = np.uint32(32 - bits)
        self._terms = points + np.uint32(1)
        self._sums = np.zeros(len(points), dtype=np.uint32)
        self._scratch = np.empty(len(points), dtype=np.uint32)
        self._slots = np.empty(len(points), dtype=np.int64)
        self._length = 0

    def next_length(self) -> Offsets:
        """Slots of windows one longer than the last time, at first of one character, by start.

        Returns:
            int64 (T - length + 1,), below 2 ** bits, valid until the next call.
        """
        last_terms = self._terms[self._length :]
        self._length += 1
        sums, scratch = self._sums[: len(last_terms)], self._scratch[: len(last_terms)]
        np.multiply(last_terms, np.uint32(pow(_WINDOW_BASE, self._length, 1 << 32)), out=scratch)
        sums += scratch
        np.right_shift(sums, self._shift, out=scratch)
        slots = self._slots[: len(last_terms)]
        np.copyto(slots, scratch)
        return slots
