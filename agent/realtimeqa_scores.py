"""What the answers to a news quiz are worth: figures with intervals, from one record a question. Pure.

An answer is compared as SQuAD compares it: lower case, without articles and punctuation, by words.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

RESAMPLES = 1000
SEED = 7
INTERVAL = (2.5, 97.5)
RIGHT_F1 = 0.5
"""From here on a free answer counts as right where only right or wrong is asked."""
BINS = 15

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a quiz, before and after its week's articles were learned."""

    id: str
    probability_before: float
    probability: float
    known_before: bool
    known: bool
    em: float
    f1: float
    """Of the free answer, whatever its probability."""
    right_choice: bool
    right_choice_before: bool
    found_kept: bool
    """Whether one of the ten best of the kept sentences holds the right answer's words."""
    found_all: bool
    """The same of all sentences."""
    rivals: Mapping[str, bool]
    """Whether each comparator's choice is right."""


def answer_words(text: str) -> list[str]:
    """The words of an answer as SQuAD compares them."""
    bare = text.lower().translate(_PUNCTUATION)
    return _ARTICLES.sub(" ", bare).split()


def holds_answer(text: str, answer: str) -> bool:
    """Whether the words of an answer stand in a text one behind the other."""
    return f" {' '.join(answer_words(answer))} " in f" {' '.join(answer_words(text))} "


def exact_match(given: str, right: str) -> float:
    """1.0 when both have the same words in the same order."""
    return float(answer_words(given) == answer_words(right))


def word_f1(given: str, right: str) -> float:
    """F1 of the words that both share, counted with repeats; two empty answers agree."""
    ours, theirs = answer_words(given), answer_words(right)
    if not ours or not theirs:
        return float(ours == theirs)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs))


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Chance that a positive is above a negative, ties counted half; 0.5 without either."""
    if not len(positive) or not len(negative):
        return 0.5
    ordered = np.sort(np.asarray(negative))
    below = np.searchsorted(ordered, positive, "left")
    upto = np.searchsorted(ordered, positive, "right")
    return float((below + upto).mean() / 2 / len(ordered))


def calibration_error(probabilities: Sequence[float], right: Sequence[bool]) -> float:
    """Mean distance of probability and share of right answers over equally wide bins."""
    likely, hit = np.asarray(probabilities), np.asarray(right, dtype=np.float64)
    if not len(likely):
        return 0.0
    bins = np.minimum((likely * BINS).astype(int), BINS - 1)
    gaps = [
        (bins == at).mean() * abs(likely[bins == at].mean() - hit[bins == at].mean())
        for at in np.unique(bins)
    ]
    return float(sum(gaps))


def _share(values: Sequence[bool]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _kept_recall(rows: Sequence[Asked]) -> float:
    found = sum(row.found_all for row in rows)
    return sum(row.found_kept for row in rows) / found if found else 1.0


FIGURES: Mapping[str, Callable[[Sequence[Asked]], float]] = {
    "mc_accuracy": lambda rows: 100 * _share([row.right_choice for row in rows]),
    "mc_accuracy_before": lambda rows: 100 * _share([row.right_choice_before for row in rows]),
    "em": lambda rows: 100 * float(np.mean([row.em for row in rows])),
    "f1": lambda rows: 100 * float(np.mean([row.f1 for row in rows])),
    "coverage": lambda rows: _share([row.known for row in rows]),
    "wrong_rate": lambda rows: _share([row.known and row.f1 < RIGHT_F1 for row in rows]),
    "unknown_before": lambda rows: _share([not row.known_before for row in rows]),
    "auroc_known": lambda rows: auroc(
        [row.probability for row in rows], [row.probability_before for row in rows]
    ),
    "ece": lambda rows: calibration_error(
        [row.probability for row in rows], [row.f1 >= RIGHT_F1 for row in rows]
    ),
    "recall@10_all": lambda rows: _share([row.found_all for row in rows]),
    "recall@10_kept": _kept_recall,
}
"""Each figure from the records; `recall@10_kept` is relative to storing every sentence.

It can be above 1: what is not kept cannot stand in the way of what is.
"""


def figures(rows: Sequence[Asked]) -> dict[str, Any]:
    """Every figure of `FIGURES`, its 95 % interval over resampled questions, and `n`."""
    if not rows:
        return {"n": 0}
    found: dict[str, Any] = {name: round(of(rows), 4) for name, of in FIGURES.items()}
    rng = np.random.default_rng(SEED)
    samples = [
        [rows[at] for at in rng.integers(len(rows), size=len(rows))] for _ in range(RESAMPLES)
    ]
    found["interval_95"] = {
        name: [
            round(float(bound), 4) for bound in np.percentile([of(s) for s in samples], INTERVAL)
        ]
        for name, of in FIGURES.items()
    }
    return found | {"n": len(rows)}


def mean_interval(values: npt.ArrayLike) -> Floats:
    """The 95 % interval of a mean over resampled rows: (2,) for values (N,), (2, K) for (N, K)."""
    rows = np.asarray(values, dtype=np.float64)
    chosen = np.random.default_rng(SEED).integers(len(rows), size=(RESAMPLES, len(rows)))
    return np.asarray(np.percentile(rows[chosen].mean(axis=1), INTERVAL, axis=0))


def rivals_accuracy(rows: Sequence[Asked]) -> dict[str, float]:
    """Multiple-choice accuracy, times 100, of every comparator."""
    names = sorted({name for row in rows for name in row.rivals})
    return {
        name: round(100 * _share([row.rivals[name] for row in rows if name in row.rivals]), 2)
        for name in names
    }
