"""Evaluation suites: data folder in, one JSON-ready report out.

The report's form is a contract: the same call runs on any folder of the same layout and gives the
same keys.
"""

from __future__ import annotations

import logging
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from model.baseline import HashedWords
from model.checkpoint import current_commit
from model.data import read_rows
from model.embed import Encoder, load_encoder
from model.errors import DataError, ModelError
from model.metrics import pearson, spearman
from model.teacher import MiniLM

logger = logging.getLogger(__name__)

SUITES = ("sts",)
TIMED_TEXTS = 2000
ALTERNATIONS = 5

FloatArray = npt.NDArray[np.float32]


class Embeds(Protocol):
    """Anything that turns texts into unit vectors."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of unit length, float32 (N, D)."""
        ...


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


def evaluate_suite(
    suite: str, data: Path, *, compare: bool = False, encoder: Encoder | None = None
) -> dict[str, Any]:
    """Run one suite.

    Args:
        suite: one of `SUITES`.
        data: the folder with the suite's sets, or one that holds it as `SUITE/` or `eval/SUITE/`.
        compare: also run the comparators and time them against us, in turns.
        encoder: the encoder to evaluate, by default the packaged one.

    Returns:
        The report; see the project's description of the contract.

    Raises:
        ModelError: the suite is not known, its data is missing, or a comparator is not installed.
    """
    if suite not in SUITES:
        raise ModelError(f"unknown suite {suite!r}; there is {', '.join(SUITES)}")
    sets = read_pair_sets(find_suite_folder(data, suite))
    model = encoder if encoder is not None else load_encoder()
    began = time.perf_counter()
    results = {pairs.name: score_pairs(model, pairs) for pairs in sets}
    seconds = time.perf_counter() - began
    chars = sum(len(text) for pairs in sets for text in pairs.texts)
    report = {
        "suite": suite,
        "model": {
            "name": model.name,
            "hash": model.hash,
            "params": model.params,
            "bytes": model.bytes,
        },
        "sets": results,
        "mean": _mean(results),
        "seconds": round(seconds, 3),
        "chars_per_s": round(chars / seconds),
        "machine": describe_machine(),
        "commit": current_commit(),
    }
    if compare:
        report["comparators"] = _compare(model, sets)
    return report


def find_suite_folder(data: Path, suite: str) -> Path:
    """The folder with the suite's sets.

    Raises:
        DataError: neither the folder nor its usual places hold any set.
    """
    for folder in (data, data / suite, data / "eval" / suite):
        if any(folder.glob("*.jsonl.xz")):
            return folder
    raise DataError(f"no {suite} sets (*.jsonl.xz) in {data}")


def read_pair_sets(folder: Path) -> list[PairSet]:
    """Every test set of a folder by name: all `SET.jsonl.xz` but training and development splits.

    Raises:
        DataError: there is none, or a row lacks a field.
    """
    sets = []
    for path in sorted(folder.glob("*.jsonl.xz")):
        name = path.name.removesuffix(".jsonl.xz")
        if name.endswith((".train", ".dev")):
            continue
        sets.append(read_pair_set(path, name))
    if not sets:
        raise DataError(f"{folder} holds no test set")
    return sets


def read_pair_set(path: Path, name: str) -> PairSet:
    """One similarity set.

    Raises:
        DataError: the file cannot be read or a row lacks a field.
    """
    rows = list(read_rows(path))
    try:
        return PairSet(
            name=name,
            first=tuple(row["a"] for row in rows),
            second=tuple(row["b"] for row in rows),
            scores=tuple(float(row["score"]) for row in rows),
            subsets=tuple(str(row.get("subset", "")) for row in rows),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{path.name} is not a similarity set: {exc!r}") from exc


def score_pairs(model: Embeds, pairs: PairSet) -> dict[str, float | int]:
    """Spearman over all pairs, and the mean of the subsets' Pearson, both times 100."""
    cosines = (model.embed(pairs.first) * model.embed(pairs.second)).sum(axis=1)
    scores, subsets = np.array(pairs.scores), np.array(pairs.subsets)
    of_subsets = [
        pearson(cosines[subsets == name], scores[subsets == name]) for name in np.unique(subsets)
    ]
    return {
        "spearman": round(100 * spearman(cosines, scores), 2),
        "pearson_mean": round(100 * statistics.fmean(of_subsets), 2),
        "n": len(scores),
    }


def _mean(results: dict[str, dict[str, float | int]]) -> dict[str, float]:
    names = ("spearman", "pearson_mean")
    return {name: round(statistics.fmean(r[name] for r in results.values()), 2) for name in names}


class _TeacherEmbeds:
    """The teacher under the encoder's protocol, reading texts as far as its makers do."""

    def __init__(self) -> None:
        self._teacher = MiniLM(max_tokens=256, batch_size=32)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        return self._teacher.encode(texts)


def _compare(model: Encoder, sets: Sequence[PairSet]) -> dict[str, Any]:
    comparators: dict[str, Embeds] = {
        MiniLM.name: _TeacherEmbeds(),
        HashedWords.name: HashedWords(),
    }
    everything = sorted({text for pairs in sets for text in pairs.texts})
    step = max(len(everything) // TIMED_TEXTS, 1)
    timed = everything[::step][:TIMED_TEXTS]
    rates = measure_rates(
        {"ours": model.embed, **{n: c.embed for n, c in comparators.items()}}, timed
    )
    ours = statistics.median(rates["ours"])
    report: dict[str, Any] = {
        "timing": {
            "texts": len(timed),
            "alternations": ALTERNATIONS,
            "texts_per_s": round(ours),
        }
    }
    for name, comparator in comparators.items():
        results = {pairs.name: score_pairs(comparator, pairs) for pairs in sets}
        theirs = statistics.median(rates[name])
        report[name] = {
            "sets": results,
            "mean": _mean(results),
            "texts_per_s": round(theirs),
            "speed_ratio": round(ours / theirs, 2),
        }
    return report


def measure_rates(
    embeds: dict[str, Callable[[Sequence[str]], FloatArray]], texts: Sequence[str]
) -> dict[str, list[float]]:
    """Texts per second of each, measured in turns so that a busy machine slows all alike."""
    for embed in embeds.values():
        embed(texts[:64])
    rates: dict[str, list[float]] = {name: [] for name in embeds}
    for _ in range(ALTERNATIONS):
        for name, embed in embeds.items():
            began = time.perf_counter()
            embed(texts)
            rates[name].append(len(texts) / (time.perf_counter() - began))
    return rates


def describe_machine() -> str:
    """Number and kind of cores; nothing that names the machine."""
    return f"{os.cpu_count()} {platform.machine()} cores"
