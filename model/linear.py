"""Logistic regression on frozen features, and choosing its penalty without the test part.

Shapes: N examples, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.extras import extra
from model.metrics import accuracy
from model.protocols import FloatArray

FOLDS = 10
PENALTY_FOLDS = 3
"""For sets with a test split: more of them cost minutes and move the choice by one step at most."""
HELD_OUT_SHARE = 0.2
PENALTIES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Inverse strengths, the strongest first: weaker ones take longer and are tried while they help."""
PATIENCE = 2
"""Weaker penalties tried without a gain."""
MAX_STEPS = 300
TOLERANCE = 1e-3
SEED = 1

Labels = npt.NDArray[np.int64]
Places = npt.NDArray[np.int64]
Split = tuple[Places, Places]
"""Places of the examples that are learned from, and of those that are asked."""


class Classifier(Protocol):
    """Something fitted."""

    def predict(self, rows: FloatArray) -> Labels:
        """Labels, int64 (N,)."""
        ...

    def decision_function(self, rows: FloatArray) -> npt.NDArray[np.float64]:
        """Of two labels, log-odds of the second, (N,)."""
        ...


def fit(rows: FloatArray, labels: Labels, penalty: float) -> Classifier:
    """Fit one classifier on features brought to mean 0 and spread 1.

    Args:
        rows: float32 (N, F).
        labels: int64 (N,), at least two different ones.
        penalty: inverse strength.
    """
    with extra("evaluate"):
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    found: Classifier = make_pipeline(StandardScaler(), _regression(penalty)).fit(rows, labels)
    return found


def _regression(penalty: float) -> Any:
    with extra("evaluate"):
        from sklearn.linear_model import LogisticRegression
    return LogisticRegression(C=penalty, max_iter=MAX_STEPS, tol=TOLERANCE, warm_start=True)


def folds(labels: Labels, *, count: int) -> list[Split]:
    """Stratified folds of shuffled examples; fewer where a label is rarer than that.

    Raises:
        DataError: a label occurs only once.
    """
    with extra("evaluate"):
        from sklearn.model_selection import StratifiedKFold
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if rarest < 2:
        raise DataError("a label occurs only once: it cannot be both learned and asked")
    splitter = StratifiedKFold(min(count, rarest), shuffle=True, random_state=SEED)
    return list(splitter.split(np.zeros(len(labels)), labels))


def hold_out(labels: Labels) -> Split:
    """One stratified split of shuffled examples."""
    return folds(labels, count=round(1 / HELD_OUT_SHARE))[0]


def choose_penalty(rows: FloatArray, labels: Labels, splits: Sequence[Split]) -> float:
    """The penalty with the best mean accuracy over some splits; the stronger of two equals."""
    with extra("evaluate"):
        from sklearn.preprocessing import StandardScaler
    trials = []
    for learned, asked in splits:
        scaler = StandardScaler().fit(rows[learned])
        scaled = scaler.transform(rows[learned]), scaler.transform(rows[asked])
        trials.append((_regression(PENALTIES[0]), *scaled, labels[learned], labels[asked]))
    best, best_score, fruitless = PENALTIES[0], -1.0, 0
    for penalty in PENALTIES:
        scores = []
        for regression, train, held, answers, expected in trials:
            # Goes on from the weights under the penalty before.
            regression.set_params(C=penalty).fit(train, answers)
            scores.append(accuracy(expected, regression.predict(held)))
        score = float(np.mean(scores))
        if score > best_score:
            best, best_score, fruitless = penalty, score, 0
        else:
            fruitless += 1
        if fruitless == PATIENCE:
            break
    return best


def cross_validate(rows: FloatArray, labels: Labels, *, count: int) -> tuple[float, Labels]:
    """Predict every example by a classifier that did not see it.

    The penalty is chosen once, within the training part of the first fold.

    Returns:
        The penalty, and the predicted labels, int64 (N,).
    """
    splits = folds(labels, count=count)
    first = splits[0][0]
    penalty = choose_penalty(rows[first], labels[first], [hold_out(labels[first])])
    predicted = np.empty_like(labels)
    for learned, asked in splits:
        predicted[asked] = fit(rows[learned], labels[learned], penalty).predict(rows[asked])
    return penalty, predicted
