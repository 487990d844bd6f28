"""Metric functions: numbers in, numbers out.

Shapes: N pairs or examples.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]


def ranks(values: npt.ArrayLike) -> Scores:
    """Ranks from 1, ties sharing their mean rank, float64 (N,)."""
    array = np.asarray(values, dtype=np.float64)
    _, group, counts = np.unique(array, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean_rank = last - (counts - 1) / 2
    return np.asarray(mean_rank[group], dtype=np.float64)


def pearson(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Linear correlation in [-1, 1]; 0 where one side does not vary.

    Raises:
        ValueError: the lengths differ or are below 2.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.size < 2:
        raise ValueError("correlation needs two lists of one length, at least 2")
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(np.clip((x @ y) / scale, -1, 1)) if scale > 0 else 0.0


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Rank correlation in [-1, 1]; see `pearson`."""
    return pearson(ranks(first), ranks(second))
