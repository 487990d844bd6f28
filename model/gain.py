"""Whether some features add to others in telling two kinds of rows apart: areas under the curve, with intervals.

Two logistic regressions predict every row from rows of other groups, without the features in question and with them.

Shapes: N rows, F features.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.linear import Places, fit
from model.read_metrics import Floats, area_under_curve
from model.texts import text_key

FOLDS = 5
PENALTY = 1.0
LEAST_GAIN = 0.01
"""Of area, from which on features are worth their time."""
DRAWS = 1000
"""Samples of a bootstrap interval."""
SEED = 11

Flags = npt.NDArray[np.bool_]
Columns = Mapping[str, Floats]
"""Features by name, (N,) each."""


def compare(labels: Flags, groups: Sequence[str], given: Columns, added: Columns) -> dict[str, Any]:
    """How well each feature tells by itself, and what the added ones bring.

    Args:
        labels: bool (N,).
        groups: what the rows belong to: those of one are learned from together, and drawn together.
        given: features that there are.
        added: features in question.

    Returns:
        `auroc` of each feature, `auroc_given` and `auroc_added` of the regressions, each with the ends of its 95 %
        interval; the `gain` with `gain_95`, and whether it `helps`.
    """
    both = {**given, **added}
    before, after = (cross_scores(stacked(each), labels, groups) for each in (given, both))

    def area(scores: Floats) -> list[float]:
        ends = interval(groups, lambda rows: area_under_curve(scores[rows], labels[rows]))
        return [round(area_under_curve(scores, labels), 4), *ends]

    def gain(rows: Places) -> float:
        here = labels[rows]
        return area_under_curve(after[rows], here) - area_under_curve(before[rows], here)

    found, ends = round(gain(np.arange(len(labels))), 4), interval(groups, gain)
    return {
        "n": len(labels),
        "n_positive": int(labels.sum()),
        "auroc": {name: area(column) for name, column in both.items()},
        "auroc_given": area(before),
        "auroc_added": area(after),
        "gain": found,
        "gain_95": ends,
        "helps": found >= LEAST_GAIN and ends[0] > 0,
    }


def cross_scores(rows: Floats, labels: Flags, groups: Sequence[str]) -> Floats:
    """Log-odds of every row by a regression that saw no row of its group, (N,); 0 where it saw one label alone.

    Args:
        rows: (N, F).
        labels: bool (N,).
        groups: of the rows, parted into folds by their hashes.
    """
    fold = np.array([text_key(group) % FOLDS for group in groups])
    inputs, scores = rows.astype(np.float32), np.zeros(len(rows))
    for each in np.unique(fold):
        asked = fold == each
        learned = labels[~asked].astype(np.int64)
        if len(np.unique(learned)) == 2:
            found = fit(inputs[~asked], learned, PENALTY)
            scores[asked] = found.decision_function(inputs[asked])
    return scores


def interval(groups: Sequence[str], measure: Callable[[Places], float]) -> list[float]:
    """The 95 % bootstrap interval of a measure of some rows; whole groups are drawn."""
    held: dict[str, list[int]] = defaultdict(list)
    for at, group in enumerate(groups):
        held[group].append(at)
    rows = [np.array(places) for places in held.values()]
    drawn = np.random.default_rng(SEED).integers(len(rows), size=(DRAWS, len(rows)))
    values = [measure(np.concatenate([rows[at] for at in draw])) for draw in drawn]
    return [round(float(end), 4) for end in np.quantile(values, [0.025, 0.975])]


def columns_of(rows: Sequence[Mapping[str, float]]) -> dict[str, Floats]:
    """Features of rows that all have the same."""
    return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def stacked(columns: Columns) -> Floats:
    """Features side by side, (N, F)."""
    return np.stack(list(columns.values()), axis=1)
