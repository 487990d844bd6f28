"""Metric functions: numbers in, numbers out; the libraries of the field do the counting.

Shapes: N pairs or examples.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.extras import extra

Scores = npt.NDArray[np.float64]
Qrels = Mapping[str, Mapping[str, int]]
"""Grades of judged documents by query."""

NDCG_AT = 10
RECALL_AT = 100


def pearson(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Linear correlation in [-1, 1]; 0 where one side does not vary.

    Raises:
        ModelError: scipy is not installed.
        ValueError: the lengths differ or are below 2, or a number is not finite.
    """
    with extra("evaluate"):
        from scipy.stats import pearsonr
    return _correlation(pearsonr, first, second)


def spearman(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Rank correlation in [-1, 1]; see `pearson`."""
    with extra("evaluate"):
        from scipy.stats import spearmanr
    return _correlation(spearmanr, first, second)


def _correlation(measure: Any, first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.size < 2:
        raise ValueError("correlation needs two lists of one length, at least 2")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("correlation of numbers that are not finite")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    with warnings.catch_warnings():
        # Nearly constant numbers are warned of; they come out as a number all the same.
        warnings.simplefilter("ignore")
        found = float(measure(x, y).statistic)
    return found if math.isfinite(found) else 0.0


def search_metrics(qrels: Qrels, ranked: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """nDCG@10 (gain is the grade), recall@100 and MRR over the queries of the qrels.

    Args:
        qrels: a grade above 0 is relevant; at least one query.
        ranked: ids of documents by query, best first, as far as the metrics look.

    Raises:
        ModelError: ir-measures is not installed.
    """
    with extra("evaluate"):
        from ir_measures import RR, Qrel, R, ScoredDoc, calc_aggregate, nDCG
    measures = {"ndcg@10": nDCG @ NDCG_AT, "recall@100": R @ RECALL_AT, "mrr": RR}
    judged = [
        Qrel(query, document, grade)
        for query, grades in qrels.items()
        for document, grade in grades.items()
    ]
    # Scores that fall by one: no ties are left for the library to break in its own way.
    run = [
        ScoredDoc(query, document, -rank)
        for query, documents in ranked.items()
        for rank, document in enumerate(documents)
    ]
    found = calc_aggregate(list(measures.values()), judged, run)
    return {name: float(found[measure]) for name, measure in measures.items()}


def accuracy(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of equal labels, in [0, 1].

    Raises:
        ModelError: scikit-learn is not installed.
    """
    with extra("evaluate"):
        from sklearn.metrics import accuracy_score
    return float(accuracy_score(labels, predicted))


def f1(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """F1 of label 1, in [0, 1]; 0 where it is never predicted.

    Raises:
        ModelError: scikit-learn is not installed.
    """
    with extra("evaluate"):
        from sklearn.metrics import f1_score
    return float(f1_score(labels, predicted, zero_division=0))
