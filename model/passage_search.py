"""Documents by their vectors and by those of their passages: a long text is found by its best part.

The vector of a whole document is a mean of all it says. A claim is often borne out by one sentence,
so the best passage is heard beside the whole (MaxP of Dai and Callan 2019). Passages overlap by
half, since nothing says where a thought begins.

Shapes: Q queries, D documents, P passages, E width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from model.protocols import Embeds, FloatArray
from model.suite import finite

PASSAGE_WORDS = 24
"""The best of 24, 40 and 64 on development sets of questions on paragraphs."""
STEP_WORDS = PASSAGE_WORDS // 2
MAX_BLOCK_SCORES = 8_000_000


class DocumentVectors:
    """Vectors of some documents, and of the passages of the longer ones."""

    def __init__(
        self, model: Embeds, documents: Sequence[str], *, name: str, has_passages: bool
    ) -> None:
        """Encode all.

        Args:
            model: the encoder.
            documents: texts of any length.
            name: of the set, for errors.
            has_passages: whether the passages are encoded too.

        Raises:
            ModelError: a vector is not finite.
        """
        self._whole = finite(model.embed(documents), name)  # (D, E)
        cut = [_passages(text) if has_passages else [] for text in documents]
        counts = np.array([len(passages) for passages in cut], dtype=np.int64)
        self._long = np.flatnonzero(counts)
        """Places of the documents that have passages."""
        self._ends = np.cumsum(counts[self._long])
        passages = [passage for passages in cut for passage in passages]
        self._passages = finite(model.embed(passages), name) if passages else self._whole[:0]

    def cosines(self, queries: FloatArray) -> FloatArray:
        """Cosine of each query, unit vectors (Q, E), with each whole document; float32 (Q, D)."""
        return np.asarray(queries @ self._whole.T)

    def best_passages(self, queries: FloatArray) -> FloatArray:
        """Cosine with each document's best passage, or with the whole of a short one; (Q, D)."""
        found = self.cosines(queries)
        for first, last in self._blocks(len(queries)):
            begin = self._ends[first - 1] if first else 0
            passages = self._passages[begin : self._ends[last - 1]]
            starts = np.concatenate(([0], self._ends[first : last - 1] - begin))
            best = np.maximum.reduceat(queries @ passages.T, starts, axis=1)
            found[:, self._long[first:last]] = best
        return found

    def _blocks(self, queries: int) -> Iterator[tuple[int, int]]:
        """Ranges of long documents whose passages are scored at once."""
        room = max(MAX_BLOCK_SCORES // max(queries, 1), 1)
        first = 0
        while first < len(self._long):
            begin = self._ends[first - 1] if first else 0
            last = int(np.searchsorted(self._ends, begin + room, side="right"))
            last = max(last, first + 1)
            yield first, last
            first = last


def _passages(text: str) -> list[str]:
    """Stretches of so many words, each half over the one before; none if the text is one alone."""
    words = text.split()
    if len(words) <= PASSAGE_WORDS:
        return []
    starts = range(0, len(words) - STEP_WORDS, STEP_WORDS)
    return [" ".join(words[start : start + PASSAGE_WORDS]) for start in starts]
