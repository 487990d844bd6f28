"""The `classification` suite: what can a linear classifier read off the frozen encoder?

SentEval's protocol: logistic regression, its penalty chosen within the training part alone.

Shapes: N examples, F features.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model import metrics
from model.baseline import HashedWords, PublicEncoder
from model.errors import DataError
from model.features import Features, VectorAlone, features_of
from model.linear import FOLDS, PENALTY_FOLDS, choose_penalty, cross_validate, fit, folds
from model.protocols import Embeds, FloatArray, GivesUnitStates, variants_of
from model.suite import Outcome, find_suite_folder, finite, mean_of
from model.texts import read_rows

logger = logging.getLogger(__name__)

FOLDER = "classification"
SIX = frozenset({"MR", "SUBJ", "MPQA", "SST2", "TREC", "MRPC"})
"""The tasks of the mean by which encoders are compared; SST5 shares its sentences with SST2."""
SPLITS = ("all", "train", "dev", "test")
_ENDING = ".jsonl.xz"

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Examples:
    """One split of a task."""

    texts: tuple[str, ...]
    seconds: tuple[str, ...]
    """The other text of each example, in tasks on pairs; else empty."""
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """A task with its splits: `all`, or `train` and `test`, and `dev` where there is one."""

    name: str
    splits: Mapping[str, Examples]

    @property
    def texts(self) -> list[str]:
        """Everything that is encoded."""
        return [text for split in self.splits.values() for text in (*split.texts, *split.seconds)]


class ClassificationSuite:
    """All tasks of a folder."""

    timed_texts = 2000

    def __init__(self, data: Path) -> None:
        """Read them.

        Raises:
            DataError: there is none, or a file is missing or not of the layout.
        """
        folder = find_suite_folder(data, FOLDER, _holds_tasks)
        self._tasks = read_tasks(folder)
        self.texts = list(itertools.chain.from_iterable(task.texts for task in self._tasks))

    def evaluate(self, model: Embeds) -> Outcome:
        """Score an encoder on every task, by the richest features it allows."""
        return self._evaluate(features_of(model))

    def variants(self, model: Embeds) -> Mapping[str, Outcome]:
        """Score the other ways in which an encoder can be run, and its vector without the rest."""
        found = {name: self.evaluate(variant) for name, variant in variants_of(model).items()}
        if isinstance(model, GivesUnitStates):
            found["vector alone"] = self._evaluate(VectorAlone(model))
        return found

    def comparators(self) -> Mapping[str, Outcome]:
        """Score the public encoder and hashed words, by their vectors."""
        return {
            PublicEncoder.name: self.evaluate(PublicEncoder()),
            HashedWords.name: self.evaluate(HashedWords()),
        }

    def _evaluate(self, features: Features) -> Outcome:
        sets, penalties = {}, {}
        for task in self._tasks:
            sets[task.name], penalties[task.name] = score_task(features, task)
            logger.info("set scored", extra={"set": task.name, **sets[task.name]})
        results = {
            "sets": sets,
            "mean": _means(sets),
            "features": features.name,
            "penalties": penalties,
        }
        return Outcome(results, features)


def _means(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    means = mean_of(sets.values(), ("accuracy",), digits=2)
    if sets.keys() >= SIX:
        of_six = mean_of((sets[name] for name in sorted(SIX)), ("accuracy",), digits=2)
        means["accuracy_of_six"] = of_six["accuracy"]
    return means


def _holds_tasks(folder: Path) -> bool:
    return any(any(folder.glob(f"*/{split}{_ENDING}")) for split in SPLITS)


def read_tasks(folder: Path) -> list[Task]:
    """Every task of a folder by name.

    Raises:
        DataError: a task's file is missing or not of the layout.
    """
    found = sorted({path.parent for s in SPLITS for path in folder.glob(f"*/{s}{_ENDING}")})
    return [read_task(below) for below in found]


def read_task(folder: Path) -> Task:
    """One task.

    Raises:
        DataError: a file is missing or not of the layout.
    """
    if (folder / ("all" + _ENDING)).exists():
        names: tuple[str, ...] = ("all",)
    elif (folder / ("dev" + _ENDING)).exists():
        names = ("train", "dev", "test")
    else:
        names = ("train", "test")
    return Task(folder.name, {name: _read_examples(folder / (name + _ENDING)) for name in names})


def _read_examples(path: Path) -> Examples:
    place = f"{path.parent.name}/{path.name}"
    if not path.exists():
        raise DataError(f"{place} is missing")
    rows = list(read_rows(path))
    try:
        is_pairs = any("text2" in row for row in rows)
        examples = Examples(
            texts=tuple(str(row["text"]) for row in rows),
            seconds=tuple(str(row["text2"]) for row in rows) if is_pairs else (),
            labels=tuple(int(row["label"]) for row in rows),
        )
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{place} is not a classification set: {exc!r}") from exc
    if not rows:
        raise DataError(f"{place} is empty")
    return examples


def score_task(features: Features, task: Task) -> tuple[dict[str, Any], float]:
    """Accuracy x100 (and F1 of label 1 in tasks on pairs with two labels), and the penalty.

    Raises:
        DataError: the training part has one label only.
        ModelError: a feature is not finite; names the task.
    """
    rows = {name: _rows(features, split, task.name) for name, split in task.splits.items()}
    labels = {name: np.array(split.labels) for name, split in task.splits.items()}
    of_training = labels["all" if "all" in labels else "train"]
    if len(np.unique(of_training)) < 2:
        raise DataError(f"{task.name}: every example has the same label")
    if "all" in rows:
        penalty, predicted = cross_validate(rows["all"], labels["all"], count=FOLDS)
        expected = labels["all"]
    else:
        penalty = _choose(rows, labels)
        train, test = rows["train"], rows["test"]
        predicted = fit(train, labels["train"], penalty).predict(test)
        expected = labels["test"]
    found: dict[str, Any] = {"accuracy": round(100 * metrics.accuracy(expected, predicted), 2)}
    is_pairs = any(split.seconds for split in task.splits.values())
    if is_pairs and set(np.unique(expected)) <= {0, 1}:
        found["f1"] = round(100 * metrics.f1(expected, predicted), 2)
    return {**found, "n": len(expected)}, penalty


def _rows(features: Features, examples: Examples, name: str) -> FloatArray:
    first = finite(features(examples.texts), name)
    if not examples.seconds:
        return first
    second = finite(features(examples.seconds), name)
    return np.concatenate((np.abs(first - second), first * second), axis=1)


def _choose(rows: Mapping[str, FloatArray], labels: Mapping[str, Labels]) -> float:
    if "dev" in rows:
        # One list, so that training and held-out examples are told apart by their places.
        together = np.concatenate((rows["train"], rows["dev"]))
        answers = np.concatenate((labels["train"], labels["dev"]))
        places = np.arange(len(together))
        split = (places[: len(rows["train"])], places[len(rows["train"]) :])
        return choose_penalty(together, answers, [split])
    count = PENALTY_FOLDS
    return choose_penalty(rows["train"], labels["train"], folds(labels["train"], count=count))
