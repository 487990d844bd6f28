"""What a suite of evaluation is, and how its sets are found in a data folder."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from model.errors import DataError, ModelError
from model.protocols import Embeds, FloatArray

Encode = Callable[[Sequence[str]], object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one contender scored, and how its speed is to be measured."""

    results: Mapping[str, Any]
    """Of the report: `sets` and `mean`, and what a suite tells besides."""
    encode: Encode
    """All that has to be done with the texts, to be timed."""
    parts: Mapping[str, Encode] = field(default_factory=dict)
    """Parts of it that are timed as well."""


class LoadedSuite(Protocol):
    """A suite with its sets."""

    @property
    def texts(self) -> Sequence[str]:
        """All that is encoded."""
        ...

    @property
    def timed_texts(self) -> int:
        """How many of them speeds are measured on."""
        ...

    def evaluate(self, model: Embeds) -> Outcome:
        """Score an encoder on every set."""
        ...

    def variants(self, model: Embeds) -> Mapping[str, Outcome]:
        """Score the other ways in which an encoder can be run."""
        ...

    def comparators(self) -> Mapping[str, Outcome]:
        """Score what the encoder is compared with."""
        ...


def find_suite_folder(data: Path, name: str, holds_sets: Callable[[Path], bool]) -> Path:
    """The folder with a suite's sets: the one given, or `NAME/` or `eval/NAME/` in it.

    Raises:
        DataError: none of them holds any.
    """
    for folder in (data, data / name, data / "eval" / name):
        if folder.is_dir() and holds_sets(folder):
            return folder
    raise DataError(f"no {name} sets in {data}")


def finite(vectors: FloatArray, name: str) -> FloatArray:
    """Vectors of a set, as they are.

    Raises:
        ModelError: a number of them is not finite; names the set.
    """
    if not np.isfinite(vectors).all():
        raise ModelError(f"{name}: the encoder gave a vector with a number that is not finite")
    return vectors


def mean_of(
    results: Iterable[Mapping[str, Any]], names: Sequence[str], *, digits: int
) -> dict[str, float]:
    """Mean of each metric over the sets that have it."""
    rows = list(results)
    return {
        name: round(statistics.fmean(row[name] for row in rows if name in row), digits)
        for name in names
        if any(name in row for row in rows)
    }
