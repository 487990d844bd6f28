"""How predictable the next character is: a hashed count table of character contexts.

One table holds the counts of all n-grams of one to seven characters, as eighths of a binary
logarithm in a byte. The count of an n-gram over the count of its first n - 1 characters is the
probability of its last one; orders are blended from the shortest to the longest, each trusted as
far as its context has been seen.

It is not a language model to generate with: probabilities of one context need not sum to one.

Shapes: T characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.characters import TEXT_END, Points
from model.hashing import Offsets, WindowSlots

MAX_ORDER = 6
"""Characters of context."""
STEPS_PER_BIT = 8
"""Resolution of the stored logarithm: counts are exact to 9 percent."""
TRUST_COUNT = 4.0
"""A context seen this often counts half, the shorter contexts the other half."""
BLOCK_CHARS = 16_384
"""Characters worked on at once: all arrays of a block stay in the processor's cache."""
TABLE_FORMAT = 2
"""First byte of a table; 1 hashed another way and had no such byte."""
_COUNTING_BITS = 24
_FLOOR = np.float32(1e-6)
"""Probability of a character never counted."""


@dataclass(frozen=True, slots=True)
class ContextTable:
    """Logarithms of n-gram counts by hash."""

    log_counts: npt.NDArray[np.uint8]
    """uint8 (1 + 2 ** bits,): `TABLE_FORMAT`, then the slots; in these 0 is unseen, and 1 + v
    stands for a count of 2 ** (v / STEPS_PER_BIT)."""
    total: int
    """Characters counted."""

    def slots(self) -> npt.NDArray[np.uint8]:
        """The logarithms alone, uint8 (2 ** bits,).

        Raises:
            ValueError: the table is of another format.
        """
        slots = self.log_counts[1:]
        is_whole = len(slots) > 0 and len(slots) & (len(slots) - 1) == 0
        if not is_whole or self.log_counts[0] != TABLE_FORMAT:
            raise ValueError("this table of contexts is of another format: train a new one")
        return slots

    def next_probability(self, points: Points) -> npt.NDArray[np.float32]:
        """Probability of every character given the up to six before it, float32 (T,), in (0, 1].

        A context reaches back to the last `TEXT_END`, no further: texts do not foretell others.
        """
        probability = np.empty(len(points), dtype=np.float32)
        for start, block in self.probability_blocks(points):
            probability[start : start + len(block)] = block
        return probability

    def probability_blocks(self, points: Points) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """What `next_probability` says, in blocks with the place of their first character.

        A block is valid until the next one is asked for.

        Raises:
            ValueError: the table is of another format.
        """
        # Every text begins after a `TEXT_END`; more of them change nothing.
        lead = np.full(MAX_ORDER, TEXT_END, dtype=np.uint32)
        blending = _Blending(self)
        for start in range(0, len(points), BLOCK_CHARS):
            if start:
                lead = points[start - MAX_ORDER : start]
            block = np.concatenate((lead, points[start : start + BLOCK_CHARS]))
            yield start, blending.probability(block)[MAX_ORDER:]


class _Blending:
    """The work on one block, in arrays that are used again by the next."""

    def __init__(self, table: ContextTable) -> None:
        steps = np.arange(256, dtype=np.float32)
        self._decoded = np.where(steps > 0, np.exp2((steps - 1) / STEPS_PER_BIT), 0)
        self._decoded = self._decoded.astype(np.float32)
        self._log_counts = table.slots()
        self._bits = len(self._log_counts).bit_length() - 1
        self._total = np.float32(table.total)
        room = BLOCK_CHARS + MAX_ORDER
        self._steps = np.empty(room, dtype=np.uint8)
        self._counts = np.empty((2, room), dtype=np.float32)
        self._capped = np.empty(room, dtype=np.float32)
        self._probability = np.empty(room, dtype=np.float32)

    def probability(self, block: Points) -> npt.NDArray[np.float32]:
        """Probability of each character from those before it in the block, float32 (T,).

        (n + TRUST_COUNT p) / (c + TRUST_COUNT), order by order, where c counts the context, n the
        context with the character, and p is the probability from the shorter context: a context
        never seen leaves p as it is.
        """
        windows = WindowSlots(block, bits=self._bits)
        # Where windows start that have a text's end behind their first character, by its distance.
        crossing = np.flatnonzero(block == TEXT_END)[:, None] - np.arange(1, MAX_ORDER)
        probability = self._probability[: len(block)]
        probability[:] = _FLOOR
        context = self._counts[0, : len(block)]
        context[:] = self._total
        for length in range(1, MAX_ORDER + 2):
            count = self._look_up(windows.next_length(), length)
            # By start, as windows are: the context of a window starts where the window does.
            before = context[: len(count)]
            blended = probability[length - 1 :]
            capped = np.minimum(count, before, out=self._capped[: len(count)])
            blended *= np.float32(TRUST_COUNT)
            blended += capped
            before += np.float32(TRUST_COUNT)
            blended /= before
            # A context may begin with the end of the text before, but not reach over it.
            starts = crossing[:, : length - 1].ravel()
            count[starts[(starts >= 0) & (starts < len(count))]] = 0
            context = count
        return probability

    def _look_up(self, slots: Offsets, length: int) -> npt.NDArray[np.float32]:
        # "clip" never clips here: it spares numpy a second pass that looks for wrong places.
        steps = self._log_counts.take(slots, out=self._steps[: len(slots)], mode="clip")
        counts = self._counts[length % 2, : len(slots)]
        return self._decoded.take(steps, out=counts, mode="clip")


def train_context_table(blocks: Iterable[Points], *, bits: int, min_count: int) -> ContextTable:
    """Count the n-grams of all blocks; n-grams seen less than `min_count` times are left out.

    Counting happens in a larger table that is then folded, so that rare n-grams, which are most of
    them, do not crowd the frequent ones.
    """
    counts = np.zeros(1 << _COUNTING_BITS, dtype=np.int64)
    total = 0
    for block in blocks:
        total += len(block)
        windows = WindowSlots(block, bits=_COUNTING_BITS)
        for _ in range(MAX_ORDER + 1):
            counts += np.bincount(windows.next_length(), minlength=len(counts))
    counts[counts < min_count] = 0
    folded = counts.reshape(1 << bits, -1).max(axis=1)
    log_counts = np.zeros(1 + len(folded), dtype=np.uint8)
    log_counts[0] = TABLE_FORMAT
    seen = np.flatnonzero(folded)
    log_counts[1 + seen] = 1 + np.round(np.log2(folded[seen]) * STEPS_PER_BIT).astype(np.uint8)
    return ContextTable(log_counts, total)
