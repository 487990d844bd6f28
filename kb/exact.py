"""The facts' vectors in memory, searched exactly.

What is learned must not depend on the order in which an approximate index was built: killed and run
again, a run has to take the same decisions. So learning searches here, over the vectors that stand in
SQL; asking goes through the vector index.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kb.protocols import FloatArray

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
        similarity = vectors @ self._matrix[: self._count].T
        take = min(limit + MARGIN, self._count)
        top = np.argpartition(similarity, self._count - take, axis=1)[:, -take:]
        found = []
        for row, places in enumerate(top):
            places = np.sort(places)
            order = np.argsort(-np.round(similarity[row, places], 5), kind="stable")[:limit]
            found.append(self._seqs[places[order]].tolist())
        return found


def cosines(query: FloatArray, rows: FloatArray) -> npt.NDArray[np.float64]:
    """Cosine of one unit vector with each row, to four digits.

    Summed in double precision pair by pair, so that it does not depend on what else is in the batch.
    """
    products = rows.astype(np.float64) * query.astype(np.float64)
    return np.asarray(np.round(np.clip(products.sum(axis=1), 0.0, 1.0), 4), dtype=np.float64)
