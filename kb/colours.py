"""Colours: a few numbers that say in what connection a thing is met, a running mean of what passed through it.

Shapes: N things, D the encoder's length, K numbers of a colour.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kb.protocols import FloatArray

LENGTH = 16
"""K: 32 bytes in half precision."""
LEAST_SHARE = 0.02
"""Of the newest passage in the mean: a thing met a thousand times can still change."""
_SEED = 20_261_127

Doubles = npt.NDArray[np.float64]


@lru_cache(maxsize=8)
def projection(dim: int) -> Doubles:
    """A fixed random map (D, K) that keeps cosines roughly; the same for ever for one D."""
    return np.random.default_rng(_SEED).normal(size=(dim, LENGTH))


def project(vectors: FloatArray, onto: Doubles) -> Doubles:
    """Colours (N, K) of unit length of vectors (N, D); a vector of zeros gets the first axis."""
    return unit(vectors.astype(np.float64) @ onto)


def unit(rows: Doubles) -> Doubles:
    """Rows (N, K) of length 1, rounded as they are stored; rows of zeros become the first axis."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    axis = np.zeros(rows.shape[1])
    axis[0] = 1.0
    scaled = np.where(lengths > 0, rows / np.where(lengths > 0, lengths, 1.0), axis)
    found: Doubles = scaled.astype("<f2").astype(np.float64)
    return found


def mix(colour: Doubles, passed: Doubles, count: int) -> Doubles:
    """The colour (K) of a thing once `passed` (K) is the `count`-th that went through it, the first being 1."""
    share = max(1.0 / count, LEAST_SHARE)
    mixed: Doubles = unit(((1 - share) * colour + share * passed)[None])[0]
    return mixed


def pack(colour: Doubles) -> bytes:
    """Stored bytes, 2 K of them."""
    return colour.astype("<f2").tobytes()


def unpack(rows: Sequence[bytes]) -> Doubles:
    """Stored bytes as (N, K)."""
    return np.frombuffer(b"".join(rows), dtype="<f2").reshape(len(rows), LENGTH).astype(np.float64)


def likeness(colours: Doubles, asked: Doubles) -> Doubles:
    """Cosines (N) of colours (N, K) with that of a question (K)."""
    found: Doubles = np.clip(colours @ asked, -1.0, 1.0)
    return found
