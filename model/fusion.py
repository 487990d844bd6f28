"""Fusion: one score from a dense and a lexical one, as a convex combination of normalised scores.

The form is that of Bruch, Gai and Ingber (2022), "An Analysis of Fusion Functions for Hybrid
Retrieval": a weight on each, after both were brought to one scale for each query. Scores, not
ranks, so how far ahead the first document is counts. The weights are fitted on development sets
alone, by `scripts/fit_fusion.py`, which wrote `scripts/reports/fusion.json`.

Shapes: Q queries, D documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Normalize = Callable[[npt.ArrayLike], Doubles]


@dataclass(frozen=True, slots=True)
class DenseWeights:
    """Weights of the dense score, each in [0, 1], for the two kinds of search."""

    text: float
    code: float


OURS = DenseWeights(text=0.8, code=0.6)
"""Best on the development sets; a step to either side costs less than 0.01."""
MINILM = DenseWeights(text=0.5, code=0.5)
"""For BM25 and the comparator: equal parts, until the report holds fitted ones (`--public`)."""


def z_scores(scores: npt.ArrayLike) -> Doubles:
    """Scores of each query in units of their spread over all documents, around a mean of 0.

    Args:
        scores: (Q, D).

    Returns:
        float64 (Q, D); zeros for a query whose scores are all equal.
    """
    found = np.asarray(scores, dtype=np.float64)
    return _scaled(found, found.mean(axis=1, keepdims=True), found.std(axis=1, keepdims=True))


def min_max(scores: npt.ArrayLike) -> Doubles:
    """Scores of each query between 0, the worst document, and 1, the best; see `z_scores`."""
    found = np.asarray(scores, dtype=np.float64)
    return _scaled(found, found.min(axis=1, keepdims=True), np.ptp(found, axis=1, keepdims=True))


def _scaled(scores: Doubles, origin: Doubles, unit: Doubles) -> Doubles:
    is_flat = np.ptp(scores, axis=1, keepdims=True) == 0
    return np.where(is_flat, 0.0, (scores - origin) / np.where(is_flat, 1.0, unit))


NORMALIZERS: Mapping[str, Normalize] = MappingProxyType({"z-score": z_scores, "min-max": min_max})


def fuse(
    dense: npt.ArrayLike,
    lexical: npt.ArrayLike,
    *,
    dense_weight: float,
    normalize: Normalize = z_scores,
) -> FloatArray:
    """Convex combination of two kinds of scores.

    Args:
        dense: (Q, D), D at least 1.
        lexical: (Q, D).
        dense_weight: in [0, 1]; the lexical scores get the rest.
        normalize: how scores are brought to one scale; the best of `NORMALIZERS` by default.

    Returns:
        float32 (Q, D), the same whatever positive factor and summand either side is given.
    """
    fused = dense_weight * normalize(dense) + (1 - dense_weight) * normalize(lexical)
    return fused.astype(np.float32)
