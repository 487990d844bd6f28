"""Questions whose answer is spread over several texts, and questions that one text answers, for the `memory` suite."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model import DataError
from model.search_sets import is_search_folder
from model.suite import find_suite_folder
from model.texts import read_rows

FOLDER = "multihop"
SINGLE_HOP = "squad2_dev"
SINGLE_HOP_FILES = ("train/qa/squad2_dev.jsonl.xz", "../../train/qa/squad2_dev.jsonl.xz")
"""Below the data folder, or beside the sets of several hops."""
PARAGRAPHS, QUESTIONS = 300, 300
"""Of the single hop: so many paragraphs of whole articles, and questions spread over them."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A question, the paragraphs that answer it together, and what may be said."""

    text: str
    supporting: frozenset[str]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HopSet:
    """Paragraphs and questions about them."""

    name: str
    paragraphs: tuple[Mapping[str, Any], ...]
    """Rows of `_id`, `title` and `text`."""
    questions: tuple[Hop, ...]


def read_hop_sets(data: Path, limit: int | None = None) -> list[HopSet]:
    """The sets of several hops, by name, and then that of one hop where it is there.

    Args:
        data: the data folder, or the folder of the sets.
        limit: questions of each set at most.

    Raises:
        DataError: there is no set, or a file is missing or broken.
    """
    folder = find_suite_folder(data, FOLDER, is_search_folder)
    found = [
        _read_set(below, limit)
        for below in sorted(path for path in folder.iterdir() if path.is_dir())
    ]
    for file in (data / SINGLE_HOP_FILES[0], folder / SINGLE_HOP_FILES[1]):
        if file.is_file():
            found.append(_read_single_hop(file, limit))
            break
    return found


def _read_set(folder: Path, limit: int | None) -> HopSet:
    try:
        paragraphs = tuple(read_rows(folder / "corpus.jsonl.xz"))
        rows = list(read_rows(folder / "queries.jsonl.xz"))
        [qrels] = sorted(folder.glob("qrels.*.tsv"))
        with qrels.open(encoding="utf8", newline="") as file:
            judged = [
                (row["query-id"], row["corpus-id"]) for row in csv.DictReader(file, delimiter="\t")
            ]
        supporting: dict[str, set[str]] = {}
        for query, paragraph in judged:
            supporting.setdefault(query, set()).add(paragraph)
        questions = [
            Hop(
                row["text"],
                frozenset(supporting[row["_id"]]),
                (row["answer"], *row.get("aliases", ())),
            )
            for row in rows
            if row["_id"] in supporting
        ]
    except (KeyError, TypeError, ValueError, OSError) as exc:
        raise DataError(f"{folder.name}: not a set of questions with answers: {exc!r}") from exc
    return HopSet(folder.name, paragraphs, tuple(questions[:limit]))


def _read_single_hop(file: Path, limit: int | None) -> HopSet:
    """Whole articles up to `PARAGRAPHS`, and answerable questions spread evenly over their paragraphs."""
    paragraphs: list[Mapping[str, Any]] = []
    asked: list[Hop] = []
    last = ""
    try:
        for number, row in enumerate(read_rows(file)):
            if len(paragraphs) >= PARAGRAPHS and row["title"] != last:
                break
            last = row["title"]
            name = f"s{number}"
            title = last.replace("_", " ")
            paragraphs.append({"_id": name, "title": title, "text": row["context"]})
            can_be = [it for it in row["qas"] if it["answerable"]]
            if can_be:
                answers = tuple(dict.fromkeys(text for text, _ in can_be[0]["answers"]))
                asked.append(Hop(can_be[0]["q"], frozenset([name]), answers))
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{file.name}: not of the layout: {exc!r}") from exc
    wanted = min(limit or QUESTIONS, QUESTIONS, len(asked))
    chosen = tuple(asked[at * len(asked) // wanted] for at in range(wanted))
    return HopSet(SINGLE_HOP, tuple(paragraphs), chosen)
