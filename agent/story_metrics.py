"""How well found stories agree with those that people put together. Pure.

B-cubed (Bagga and Baldwin, 1998) looks at each article: the share of its found story that belongs with it, and the
share of its real story that was found. Pairwise scores look at all pairs of articles: those in one story in truth, and
as found.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

DRAWS = 2_000
"""Samples of a bootstrap interval."""
DIGITS = 4

Clustering = Mapping[str, str]
"""Article id -> story id."""


@dataclass(frozen=True, slots=True)
class BCubed:
    """B-cubed scores of single articles, in the order of the gold clustering."""

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]


def bcubed(gold: Clustering, found: Clustering) -> BCubed:
    """Score every article of `gold`; articles that are found only are left out of their stories."""
    of_gold, of_found, of_both = _sizes(gold, found)
    both = np.array([of_both[story, found[it]] for it, story in gold.items()], np.float64)
    return BCubed(
        both / np.array([of_found[found[it]] for it in gold], np.float64),
        both / np.array([of_gold[story] for story in gold.values()], np.float64),
    )


def clustering_scores(gold: Clustering, found: Clustering) -> dict[str, float]:
    """The figures of a report: B-cubed precision, recall and F1, and the F1 of pairs.

    Raises:
        ValueError: there is nothing to judge.
    """
    if not gold:
        raise ValueError("no labelled articles")
    each = bcubed(gold, found)
    precision, recall = float(each.precision.mean()), float(each.recall.mean())
    return {
        "bcubed_f1": round(_f1(precision, recall), DIGITS),
        "bcubed_precision": round(precision, DIGITS),
        "bcubed_recall": round(recall, DIGITS),
        "pairwise_f1": round(pairwise_f1(gold, found), DIGITS),
    }


def pairwise_f1(gold: Clustering, found: Clustering) -> float:
    """F1 of the pairs of articles that share a story; 1 when there are none and none were found."""
    gold_sizes, found_sizes, both_sizes = _sizes(gold, found)
    of_gold, of_found, of_both = _pairs(gold_sizes), _pairs(found_sizes), _pairs(both_sizes)
    if of_gold == of_found == 0:
        return 1.0
    return 2 * of_both / (of_gold + of_found)


def bootstrap_difference(
    gold: Clustering, ours: Clustering, theirs: Clustering, *, seed: int = 0
) -> list[float]:
    """The 95 % interval of our B-cubed F1 less theirs, when whole stories are drawn anew."""
    stories = {story: number for number, story in enumerate(dict.fromkeys(gold.values()))}
    of = np.array([stories[story] for story in gold.values()])
    sums = [_sums(of, len(stories), bcubed(gold, found)) for found in (ours, theirs)]
    random = np.random.default_rng(seed)
    differences = []
    for _ in range(DRAWS):
        times = np.bincount(
            random.integers(len(stories), size=len(stories)), minlength=len(stories)
        )
        first, second = (_f1(*(times @ one).tolist()) for one in sums)
        differences.append(first - second)
    return [round(float(edge), DIGITS) for edge in np.quantile(differences, (0.025, 0.975))]


def _sums(of: npt.NDArray[np.int64], stories: int, each: BCubed) -> npt.NDArray[np.float64]:
    """(stories, 3): precision, recall and number of the articles of each story."""
    weights = (each.precision, each.recall, np.ones(len(of)))
    return np.stack([np.bincount(of, one, minlength=stories) for one in weights], axis=1)


def _f1(precision: float, recall: float, articles: float = 1.0) -> float:
    total = precision + recall
    return 2 * precision * recall / (total * articles) if total else 0.0


def _sizes(
    gold: Clustering, found: Clustering
) -> tuple[Counter[str], Counter[str], Counter[tuple[str, str]]]:
    return (
        Counter(gold.values()),
        Counter(found[it] for it in gold),
        Counter((story, found[it]) for it, story in gold.items()),
    )


def _pairs(sizes: Counter[Any]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())
