"""The facts' vectors in memory, searched exactly.

What is learned must not depend on the order in which an approximate index was built: killed and run
again, a run has to take the same decisions. So learning searches here, over the vectors that stand in
SQL; asking goes through the vector index.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kb.protocols import FloatArray

QUERIES_AT_ONCE = 512  # bounds memory: each is compared with every fact
STRIPE = 64
MARGIN = 4  # extra neighbours taken before exact scoring, so that ties at the edge fall by seq


def pack(vectors: FloatArray) -> list[bytes]:
    """Rows as stored bytes: half precision, half the space, and the same numbers for ever after."""
    return [row.tobytes() for row in vectors.astype("<f2")]


def unpack(rows: Sequence[bytes], dim: int) -> FloatArray:
    """Stored bytes as float32 rows."""
    if not rows:
        return np.zeros((0, dim), dtype=np.float32)
    return np.frombuffer(b"".join(rows), dtype="<f2").reshape(len(rows), -1).astype(np.float32)


class ExactVectors:
    """A growing matrix of vectors and the seqs of their facts."""

    def __init__(self, dim: int) -> None:
        self._matrix = np.zeros((1024, dim), dtype=np.float32)
        self._seqs: npt.NDArray[np.int64] = np.zeros(1024, dtype=np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def last_seq(self) -> int:
        """Seq of the newest fact here; 0 when there is none."""
        return int(self._seqs[self._count - 1]) if self._count else 0

    def append(self, seqs: Sequence[int], vectors: FloatArray) -> None:
        """Add facts in the order of their seqs."""
        needed = self._count + len(seqs)
        if needed > len(self._seqs):
            room = max(needed, 2 * len(self._seqs))
            self._matrix = np.resize(self._matrix, (room, self._matrix.shape[1]))
            self._seqs = np.resize(self._seqs, room)
        self._matrix[self._count : needed] = vectors
        self._seqs[self._count : needed] = seqs
        self._count = needed

    def nearest(self, vectors: FloatArray, *, limit: int) -> list[list[int]]:
        """Seqs of the nearest facts of each vector, nearest first, older ones first among equals."""
        if not self._count or not len(vectors):
            return [[] for _ in vectors]
        found: list[list[int]] = []
        for start in range(0, len(vectors), QUERIES_AT_ONCE):
            similarity = vectors[start : start + QUERIES_AT_ONCE] @ self._matrix[: self._count].T
            places = np.sort(largest(similarity, min(limit + MARGIN, self._count)), axis=1)
            near = np.round(np.take_along_axis(similarity, places, axis=1), 5)
            order = np.argsort(-near, axis=1, kind="stable")[:, :limit]
            found += self._seqs[np.take_along_axis(places, order, axis=1)].tolist()
        return found


def largest(rows: FloatArray, count: int) -> npt.NDArray[np.intp]:
    """Places of the largest values of each row, in no order.

    A row is cut into stripes. The largest values stand in the stripes whose maxima are the largest, so only those
    are sorted out: many times cheaper than to sort out whole rows.
    """
    stripes = rows.shape[1] // STRIPE
    if stripes <= count:
        return np.argpartition(rows, rows.shape[1] - count, axis=1)[:, -count:]
    # Stripe s holds the places s, s + stripes, s + 2 stripes ...; what is left over at the end is looked at too.
    maxima = rows[:, : stripes * STRIPE].reshape(len(rows), STRIPE, stripes).max(axis=1)
    highest = np.argpartition(maxima, stripes - count, axis=1)[:, -count:]
    places = (highest[:, None, :] + np.arange(STRIPE)[:, None] * stripes).reshape(len(rows), -1)
    rest = np.arange(stripes * STRIPE, rows.shape[1])
    places = np.concatenate((places, np.broadcast_to(rest, (len(rows), len(rest)))), axis=1)
    values = np.take_along_axis(rows, places, axis=1)
    best = np.argpartition(values, values.shape[1] - count, axis=1)[:, -count:]
    return np.take_along_axis(places, best, axis=1)


def cosines(query: FloatArray, rows: FloatArray) -> npt.NDArray[np.float64]:
    """Cosine of one unit vector, or of a row of unit vectors each, with each row, to four digits.

    Summed in double precision pair by pair, so that it does not depend on what else is in the batch.
    """
    products = rows.astype(np.float64) * query.astype(np.float64)
    return np.asarray(np.round(np.clip(products.sum(axis=1), 0.0, 1.0), 4), dtype=np.float64)
