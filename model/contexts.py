"""How predictable the next character is: a hashed count table of character contexts.

One table holds the counts of all n-grams of one to seven characters, as eighths of a binary
logarithm in a byte. The count of an n-gram over the count of its first n - 1 characters is the
probability of its last one; orders are blended from the shortest to the longest, each trusted as
far as its context has been seen.

It is not a language model to generate with: probabilities of one context need not sum to one.

Shapes: T characters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.characters import TEXT_END, Points
from model.hashing import Hashes, SpanHasher, mix

MAX_ORDER = 6
"""Characters of context."""
STEPS_PER_BIT = 8
"""Resolution of the stored logarithm: counts are exact to 9 percent."""
TRUST_COUNT = 4.0
"""A context seen this often counts half, the shorter contexts the other half."""
_COUNTING_BITS = 24


@dataclass(frozen=True, slots=True)
class ContextTable:
    """Logarithms of n-gram counts by hash."""

    log_counts: npt.NDArray[np.uint8]
    """uint8 (2 ** bits,); 0 is unseen, 1 + v stands for a count of 2 ** (v / STEPS_PER_BIT)."""
    total: int
    """Characters counted."""

    def _counts(self, hasher: SpanHasher, length: int) -> npt.NDArray[np.float32]:
        steps = np.arange(256, dtype=np.float32)
        decoded = np.where(steps > 0, np.exp2((steps - 1) / STEPS_PER_BIT), 0).astype(np.float32)
        bits = len(self.log_counts).bit_length() - 1
        return decoded[self.log_counts[_slots(hasher.windows(length), length, bits)]]

    def next_probability(self, points: Points) -> npt.NDArray[np.float32]:
        """Probability of every character given the up to six before it, float32 (T,), in (0, 1].

        A context reaches back to the last `TEXT_END`, no further: texts do not foretell others.
        """
        led = np.concatenate((np.array([TEXT_END], np.uint32), points))
        hasher = SpanHasher(led)
        positions = np.arange(len(led))
        last_end = np.maximum.accumulate(np.where(led == TEXT_END, positions, 0))
        reach = positions[1:] - last_end[:-1]
        probability = np.full(len(led), 1e-6, dtype=np.float32)
        context = np.full(len(led) + 1, self.total, dtype=np.float32)
        for length in range(1, min(MAX_ORDER + 1, len(points)) + 1):
            count = self._counts(hasher, length)
            # The context of the character at i is the (length - 1)-gram that ends before i.
            before = context[: len(count)]
            share = np.minimum(count / np.maximum(before, 1), 1)
            trust = before / (before + np.float32(TRUST_COUNT))
            if length > 1:
                trust *= reach[length - 2 :] >= length - 1
            at = slice(length - 1, len(led))
            probability[at] += trust * (share - probability[at])
            context = count
        return probability[1:]


def _slots(windows: Hashes, length: int, bits: int) -> npt.NDArray[np.int64]:
    return (mix(windows + np.uint64(length)) >> np.uint64(64 - bits)).astype(np.int64)


def train_context_table(blocks: Iterable[Points], *, bits: int, min_count: int) -> ContextTable:
    """Count the n-grams of all blocks; n-grams seen less than `min_count` times are left out.

    Counting happens in a larger table that is then folded, so that rare n-grams, which are most of
    them, do not crowd the frequent ones.
    """
    counts = np.zeros(1 << _COUNTING_BITS, dtype=np.int64)
    total = 0
    for block in blocks:
        total += len(block)
        hasher = SpanHasher(block)
        for length in range(1, min(MAX_ORDER + 1, len(block)) + 1):
            slots = _slots(hasher.windows(length), length, _COUNTING_BITS)
            counts += np.bincount(slots, minlength=len(counts))
    counts[counts < min_count] = 0
    folded = counts.reshape(1 << bits, -1).max(axis=1)
    steps = np.zeros(len(folded), dtype=np.uint8)
    seen = folded > 0
    steps[seen] = 1 + np.round(np.log2(folded[seen]) * STEPS_PER_BIT).astype(np.uint8)
    return ContextTable(steps, total)
