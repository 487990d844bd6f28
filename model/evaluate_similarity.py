"""The `sts` suite: does the cosine of two sentences agree with people?

No training: Spearman over all pairs of a set, and the mean of its subsets' Pearson.

Shapes: N pairs.
"""

from __future__ import annotations

import itertools
import logging
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.baseline import HashedWords, PublicEncoder
from model.errors import DataError
from model.metrics import pearson, spearman
from model.protocols import Embeds, variants_of
from model.suite import Outcome, find_suite_folder, finite, mean_of
from model.texts import read_rows

logger = logging.getLogger(__name__)

FOLDER = "sts"
METRICS = ("spearman", "pearson_mean")
DEVELOPMENT_SETS = ("STSB-part.dev", "STS12.train", "SICK-R.dev")
_ENDING = ".jsonl.xz"


@dataclass(frozen=True, slots=True)
class PairSet:
    """A similarity set: pairs with human scores."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    scores: tuple[float, ...]
    subsets: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Both sides."""
        return self.first + self.second


class SimilaritySuite:
    """All similarity sets of a folder."""

    timed_texts = 2000

    def __init__(self, data: Path) -> None:
        """Read them.

        Raises:
            DataError: there is none, or a file is not of the layout.
        """
        folder = find_suite_folder(data, FOLDER, lambda at: any(at.glob("*" + _ENDING)))
        self._sets = read_pair_sets(folder)
        self.texts = list(itertools.chain.from_iterable(pairs.texts for pairs in self._sets))

    def evaluate(self, model: Embeds) -> Outcome:
        """Score an encoder on every set."""
        sets = {}
        for pairs in self._sets:
            sets[pairs.name] = score_pairs(model, pairs)
            logger.info("set scored", extra={"set": pairs.name, **sets[pairs.name]})
        results = {"sets": sets, "mean": mean_of(sets.values(), METRICS, digits=2)}
        return Outcome(results, model.embed)

    def variants(self, model: Embeds) -> Mapping[str, Outcome]:
        """Score the other ways in which an encoder can be run."""
        return {name: self.evaluate(variant) for name, variant in variants_of(model).items()}

    def comparators(self) -> Mapping[str, Outcome]:
        """Score the public encoder and hashed words."""
        return {
            PublicEncoder.name: self.evaluate(PublicEncoder()),
            HashedWords.name: self.evaluate(HashedWords()),
        }


def read_pair_sets(folder: Path) -> list[PairSet]:
    """Every test set of a folder by name: all `SET.jsonl.xz` but training and development splits.

    Raises:
        DataError: there is none, or a row lacks a field.
    """
    sets = []
    for path in sorted(folder.glob("*" + _ENDING)):
        name = path.name.removesuffix(_ENDING)
        if not name.endswith((".train", ".dev")):
            sets.append(read_pair_set(path, name))
    if not sets:
        raise DataError(f"{folder} holds no test set")
    return sets


def read_development_sets(data: Path) -> list[PairSet]:
    """The sets that choices are made on, those of them that there are.

    Args:
        data: folder with `eval/`.
    """
    paths = {name: data / "eval" / FOLDER / (name + _ENDING) for name in DEVELOPMENT_SETS}
    return [read_pair_set(path, name) for name, path in paths.items() if path.exists()]


def read_pair_set(path: Path, name: str) -> PairSet:
    """One similarity set.

    Raises:
        DataError: the file cannot be read, has fewer than two pairs, or a row lacks a field.
    """
    rows = list(read_rows(path))
    try:
        pairs = PairSet(
            name=name,
            first=tuple(str(row["a"]) for row in rows),
            second=tuple(str(row["b"]) for row in rows),
            scores=tuple(float(row["score"]) for row in rows),
            subsets=tuple(str(row.get("subset", "")) for row in rows),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{path.name} is not a similarity set: {exc!r}") from exc
    if len(rows) < 2 or not np.isfinite(pairs.scores).all():
        raise DataError(f"{path.name} is not a similarity set: too short, or a score is no number")
    return pairs


def score_pairs(model: Embeds, pairs: PairSet) -> dict[str, Any]:
    """Spearman over all pairs, and the mean of the subsets' Pearson, both times 100.

    A subset of one pair counts as 0, like one whose cosines are all equal.

    Raises:
        ModelError: a vector is not finite; names the set.
    """
    first = finite(model.embed(pairs.first), pairs.name)
    second = finite(model.embed(pairs.second), pairs.name)
    cosines = (first * second).sum(axis=1)
    scores, subsets = np.array(pairs.scores), np.array(pairs.subsets)
    of_subsets = []
    for subset in np.unique(subsets):
        at = subsets == subset
        of_subsets.append(pearson(cosines[at], scores[at]) if at.sum() > 1 else 0.0)
    return {
        "spearman": round(100 * spearman(cosines, scores), 2),
        "pearson_mean": round(100 * statistics.fmean(of_subsets), 2),
        "n": len(scores),
    }
