"""Exact match and F1 of short answers as SQuAD 2.0 counts them, and the threshold at which to abstain."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_MARKS = str.maketrans("", "", string.punctuation)


def normalized(answer: str) -> str:
    """Small letters without punctuation, articles and extra blanks."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_MARKS)).split())


def exact_match(answer: str, references: Sequence[str]) -> float:
    """1 if the answer is one of the references; without references, if it is empty."""
    return float(normalized(answer) in {normalized(text) for text in _usable(references)})


def f1_score(answer: str, references: Sequence[str]) -> float:
    """Best overlap of words with a reference; without references, 1 if the answer is empty."""
    return max(_overlap(normalized(answer), normalized(text)) for text in _usable(references))


def _usable(references: Sequence[str]) -> list[str]:
    """A reference of articles and marks alone says nothing; none at all is an empty answer."""
    return [text for text in references if normalized(text)] or [""]


def _overlap(answer: str, reference: str) -> float:
    words, wanted = answer.split(), reference.split()
    if not words or not wanted:
        return float(words == wanted)
    same = sum((Counter(words) & Counter(wanted)).values())
    if not same:
        return 0.0
    precision, recall = same / len(words), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def best_threshold(no_answer: Floats, gain: Floats, is_absent: Floats, weight: Floats) -> float:
    """The threshold above which abstaining gives the best weighted mean.

    Args:
        no_answer: (N,), high where the reader thinks that there is no answer.
        gain: (N,), what answering is worth; 0 where there is no answer.
        is_absent: (N,), 1 where there is no answer: what abstaining is worth.
        weight: (N,)
    """
    order = np.argsort(no_answer, kind="stable")
    answered = np.concatenate(([0.0], np.cumsum((gain * weight)[order])))
    abstained = (is_absent * weight)[order]
    left = abstained.sum() - np.concatenate(([0.0], np.cumsum(abstained)))
    best = int((answered + left).argmax())
    ranked = np.concatenate((no_answer[order][:1] - 1, no_answer[order], no_answer[order][-1:] + 1))
    return float((ranked[best] + ranked[best + 1]) / 2)


def area_under_curve(scores: Floats, is_positive: npt.NDArray[np.bool_]) -> float:
    """Share of (positive, negative) pairs in which the positive scores higher; ties count half."""
    positive, negative = int(is_positive.sum()), int((~is_positive).sum())
    if not positive or not negative:
        return 0.5
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[place]
    total = float(ranks[is_positive].sum()) - positive * (positive + 1) / 2
    return total / (positive * negative)


def calibration_error(
    probability: Floats, happened: npt.NDArray[np.bool_], bins: int = 10
) -> float:
    """Expected calibration error: mean distance of probability and share over bins of equal width."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    size = np.bincount(place, minlength=bins)
    said = np.bincount(place, probability, minlength=bins)
    seen = np.bincount(place, happened.astype(np.float64), minlength=bins)
    return float(np.abs(said - seen).sum() / max(size.sum(), 1))
