"""News quizzes by week, with the articles that may answer them: the layout of `realtimeqa`."""

import json
import lzma
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model import DataError

FOLDER = "realtimeqa"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Weeks:
    """Which weeks of a quiz are taken."""

    first: str = "0"
    """YYYYMMDD, or the beginning of it."""
    last: str = "9"
    """The same; a beginning names all that begin so."""
    every: int = 1
    """Only every N-th of them."""

    def among(self, weeks: Sequence[str]) -> list[str]:
        """Those taken, in order."""
        inside = [w for w in sorted(weeks) if self.first <= w and w[: len(self.last)] <= self.last]
        return inside[:: self.every]


@dataclass(frozen=True, slots=True)
class Quiz:
    """A folder of weeks."""

    weeks: tuple[str, ...]
    questions: Mapping[str, Sequence[Row]]
    """By week: `id, question, choices, answer, date`; `answer` is the place of the right choice."""
    articles: Mapping[str, Sequence[Row]]
    """Each under the first of the weeks taken that it belongs to."""


def read_quiz(data: Path, taken: Weeks) -> Quiz:
    """The weeks taken.

    Args:
        data: folder with `questions-YEAR.jsonl.xz` and `articles-YEAR.jsonl.xz`, or one that holds it.
        taken: which weeks.

    Raises:
        DataError: the data are missing or broken, or no week is left.
    """
    folder = data / FOLDER if (data / FOLDER).is_dir() else data
    asked: defaultdict[str, list[Row]] = defaultdict(list)
    found: defaultdict[str, list[Row]] = defaultdict(list)
    try:
        for row in _rows(folder, "questions"):
            if len(row["choices"]) > 1 and 0 <= row["answer"] < len(row["choices"]):
                asked[row["week"]].append(row)
        weeks = taken.among(list(asked))
        for row in _rows(folder, "articles"):
            shown = sorted(set(row["weeks"]).intersection(weeks))
            if shown and str(row["body"]).strip():
                found[shown[0]].append(row)
    except (KeyError, TypeError) as exc:
        raise DataError(f"{folder.name}: a row is not of the layout: {exc!r}") from exc
    if not weeks:
        raise DataError(f"{folder.name}: no week from {taken.first} to {taken.last}")
    return Quiz(tuple(weeks), asked, found)


def _rows(folder: Path, name: str) -> Iterator[Row]:
    paths = sorted(folder.glob(f"{name}-*.jsonl.xz"))
    if not paths:
        raise DataError(f"{folder.name}: no {name}-YEAR.jsonl.xz")
    for path in paths:
        try:
            with lzma.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    yield json.loads(line)
        except (OSError, EOFError, ValueError, lzma.LZMAError) as exc:
            raise DataError(f"cannot read {folder.name}/{path.name}: {exc}") from exc
