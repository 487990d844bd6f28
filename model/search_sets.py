"""Search sets in the layout of BEIR: a corpus, queries, and which documents answer which query."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model.errors import DataError
from model.texts import read_rows

logger = logging.getLogger(__name__)

SPLITS = ("test", "dev", "train")
"""The first that a set has is evaluated."""


@dataclass(frozen=True, slots=True)
class SearchSet:
    """A corpus, the queries of one split, and which documents answer them."""

    name: str
    split: str
    document_ids: tuple[str, ...]
    """Ascending."""
    documents: tuple[str, ...]
    queries: Mapping[str, str]
    """Text by id; each has qrels."""
    qrels: Mapping[str, Mapping[str, int]]

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is encoded."""
        return self.documents + tuple(self.queries.values())


def is_search_folder(folder: Path) -> bool:
    """Whether a folder holds search sets."""
    return any(folder.glob("*/corpus.jsonl.xz"))


def read_search_sets(folder: Path) -> list[SearchSet]:
    """Every set of a folder by name; one that has queries but no qrels is left out.

    Raises:
        DataError: there is none, or a file of one is missing or not of the layout.
    """
    sets = []
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        if any(below.glob("qrels.*.tsv")):
            sets.append(read_search_set(below))
        else:
            logger.warning("set left out: it has no qrels", extra={"set": below.name})
    if not sets:
        raise DataError(f"{folder} holds no set with qrels")
    return sets


def read_search_set(folder: Path, split: str | None = None) -> SearchSet:
    """One set: a split, by default the first of `SPLITS` that there is, or else the first by name.

    Raises:
        DataError: a file is missing or not of the layout.
    """
    split = split or _choose_split(folder)
    qrels = _read_qrels(folder / f"qrels.{split}.tsv")
    texts = _read_texts(folder / "queries.jsonl.xz")
    unknown = qrels.keys() - texts.keys()
    if unknown:
        logger.warning("qrels name unknown queries", extra={"set": folder.name, "n": len(unknown)})
    queries = {query: texts[query] for query in qrels if query in texts}
    if not queries:
        raise DataError(f"{folder.name}: qrels.{split}.tsv names no query of queries.jsonl.xz")
    documents = sorted(_read_texts(folder / "corpus.jsonl.xz").items())
    if not documents:
        raise DataError(f"{folder.name}: corpus.jsonl.xz is empty")
    return SearchSet(
        name=folder.name,
        split=split,
        document_ids=tuple(document for document, _ in documents),
        documents=tuple(text for _, text in documents),
        queries=queries,
        qrels={query: qrels[query] for query in queries},
    )


def _choose_split(folder: Path) -> str:
    found = sorted(path.name.split(".")[1] for path in folder.glob("qrels.*.tsv"))
    if not found:
        raise DataError(f"{folder.name} has no qrels.SPLIT.tsv")
    return next((split for split in SPLITS if split in found), found[0])


def _read_texts(path: Path) -> dict[str, str]:
    try:
        return {
            str(row["_id"]): f"{row.get('title') or ''} {row['text'] or ''}".strip()
            for row in read_rows(path)
        }
    except (KeyError, TypeError, AttributeError) as exc:
        raise DataError(f"{path.parent.name}/{path.name} lacks a field: {exc!r}") from exc


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    try:
        with path.open(encoding="utf8", newline="") as file:
            lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            next(lines, None)
            for query, document, grade in lines:
                qrels.setdefault(query, {})[document] = int(float(grade))
    except (OSError, ValueError) as exc:
        raise DataError(f"cannot read {path.parent.name}/{path.name}: {exc}") from exc
    return qrels
