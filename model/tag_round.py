"""Round a tagger's tables to sixteen levels a tag, so that words keep their scores.

The levels of a tag lose least of its steps, each counted as often as its row is read in training text. Then rows are
rounded anew, some at a time, each to the level that best makes up for what the other rows of the same words have lost.

Shapes: R rows of a table, K tags, N words, F features, V different steps, L levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from model.extras import extra
from model.tag_stored import LEVELS, Steps

MAX_WORDS = 200_000
"""Of a text, evenly."""
SWEEPS = 3
BLOCKS = 32
"""Parts of a table whose rows are rounded at once."""
CAUTION = 50.0
"""Times that a row counts as read beside those in the text: what is rounded for the text must not fit it alone."""

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Reads = Any
"""A sparse matrix (N, R): how often a word reads a row."""


def text_reads(features: Ids, rows: int) -> Reads:
    """Which rows the words of a text read, at most `MAX_WORDS` of them.

    Args:
        features: int32 (N, F), folded hashes of the words, -1 for none.
        rows: R, a power of two.

    Raises:
        ModelError: scipy is not installed.
    """
    with extra("train"):
        from scipy import sparse
    features = features[:: 1 + len(features) // MAX_WORDS]
    words, columns = np.nonzero(features >= 0)
    read = features[words, columns] & (rows - 1)
    ones = np.ones(len(read), np.float32)
    return sparse.csc_matrix((ones, (words, read)), shape=(len(features), rows))


def round_table(table: Steps, reads: Reads) -> Steps:
    """Round each step of a table, int8 (R, K), to one of at most L levels of its tag."""
    counts = np.asarray(reads.sum(axis=0), np.float32).reshape(-1, 1)
    levels = [best_levels(column, counts[:, 0] + 1) for column in table.T]
    exact = table.astype(np.float32)
    rounded = _nearest(exact, levels)
    lost = reads @ (rounded - exact)  # (N, K), of the scores
    size = max(len(table) // BLOCKS, 1)
    for start in [*range(0, len(table), size)] * SWEEPS:
        block = slice(start, start + size)
        before = rounded[block].copy()
        # Half the slope of the squared loss, and its steepness: the way to where it is least.
        pull = reads[:, block].T @ lost + CAUTION * (before - exact[block])
        rounded[block] = _nearest(before - pull / (counts[block] + CAUTION), levels)
        lost += reads[:, block] @ (rounded[block] - before)
    return rounded.astype(np.int8)


def best_levels(steps: Steps, weights: Floats) -> Steps:
    """The levels (at most L, ascending) to which steps (R,) are rounded with the least weighted squared error.

    Exact, by dynamic programming over the V steps there are: the best k + 1 levels of the first steps are the best k of
    fewer, and one for the rest.
    """
    values, places = np.unique(steps, return_inverse=True)
    if len(values) <= LEVELS:
        return values
    mass = np.bincount(places, weights)  # (V,)
    sums = [np.concatenate([[0.0], np.cumsum(mass * values.astype(float) ** p)]) for p in range(3)]
    first, last = np.meshgrid(np.arange(len(values)), np.arange(1, len(values) + 1), indexing="ij")
    count, total, squares = (np.where(first < last, it[last] - it[first], 1.0) for it in sums)
    level = np.rint(total / count)
    cost = np.where(first < last, squares - 2 * level * total + level**2 * count, np.inf)  # (V, V)
    best = cost[0]  # (V,), by the last step
    opened: list[npt.NDArray[np.intp]] = []  # where the last of the levels begins
    for _ in range(LEVELS - 1):
        paths = best[:-1, None] + cost[1:]  # (V - 1, V)
        opened.append(paths.argmin(axis=0) + 1)
        best = paths.min(axis=0)
    end = len(values) - 1
    chosen = []
    for starts in reversed(opened):
        chosen.append(level[starts[end], end])
        end = starts[end] - 1
    return np.array([level[0, end], *reversed(chosen)], np.int8)


def _nearest(steps: Floats, levels: list[Steps]) -> Floats:
    """The level nearest to each step (R, K)."""
    columns = []
    for column, own in zip(steps.T, levels, strict=True):
        found = own.astype(np.float32)
        columns.append(found[np.searchsorted((found[1:] + found[:-1]) / 2, column)])
    return np.stack(columns, axis=1)
