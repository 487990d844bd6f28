"""What a reader is trained on, read and counted, in one file for a machine that has not the data folder.

Texts are kept as numbers of words with their tags: such a machine need not read them again. The words themselves
come first, the articles to calibrate on are kept as text.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from model.errors import DataError
from model.packed import read_packed, write_packed
from model.read_data import Example, ReadSet
from model.read_sources import Asked, Source
from model.read_words import TextWords, WordBook

FILE_FORMAT = 2
_CARRIED = ("words", "parts", "names", "sentences")
"""Of a text; where its words stand among its characters is not asked for in training."""


@dataclass(frozen=True, slots=True)
class ReadMaterial:
    """All that a reader is trained on; the words' numbers are those of one book."""

    sets: dict[str, ReadSet]
    development: Source
    """Kept out: with unanswerable questions that people wrote."""
    counts: dict[str, int]
    """Questions of each source; passages of the one without any."""
    digest: str
    """Of every text and place that is trained on."""


def write_recipe(material: ReadMaterial, book: WordBook, path: Path) -> None:
    """Write it to one file."""
    content = {
        "words": book.texts,
        "sets": {name: _plain(given) for name, given in material.sets.items()},
        "development": asdict(material.development),
        "counts": material.counts,
        "digest": material.digest,
    }
    write_packed(content, path, file_format=FILE_FORMAT)


def read_recipe(path: Path, book: WordBook) -> ReadMaterial:
    """Read what `write_recipe` wrote, into a book that is empty.

    Raises:
        DataError: the file is missing, damaged, or of another format.
    """

    def made(content: dict[str, Any]) -> ReadMaterial:
        book.add(content["words"])
        if book.texts != content["words"]:
            raise DataError(f"{path} was read into a book that has other words")
        return ReadMaterial(
            {name: _set(row) for name, row in content["sets"].items()},
            _source(content["development"]),
            {str(name): int(count) for name, count in content["counts"].items()},
            str(content["digest"]),
        )

    return read_packed(path, made, file_format=FILE_FORMAT)


def _plain(given: ReadSet) -> dict[str, Any]:
    return {
        "passages": _columns(given.passages),
        "questions": _columns([example.question for example in given.examples]),
        "of": [example.passage for example in given.examples],
        "answers": [example.answers for example in given.examples],
        "siblings": given.siblings,
    }


def _columns(texts: Sequence[TextWords]) -> dict[str, list[int]]:
    columns = {
        name: np.concatenate([getattr(text, name) for text in texts]).tolist() if texts else []
        for name in _CARRIED
    }
    return {"lengths": [len(text) for text in texts], **columns}


def _set(row: dict[str, Any]) -> ReadSet:
    examples = [
        Example(question, int(passage), tuple((a, b) for a, b in answers))
        for question, passage, answers in zip(
            _texts(row["questions"]), row["of"], row["answers"], strict=True
        )
    ]
    siblings = tuple(tuple(others) for others in row["siblings"])
    return ReadSet(tuple(_texts(row["passages"])), siblings, tuple(examples))


def _texts(columns: dict[str, list[int]]) -> list[TextWords]:
    ends = np.cumsum([0, *columns["lengths"]])
    arrays = {name: np.array(columns[name], np.int32) for name in _CARRIED}
    nowhere = np.zeros(int(ends[-1]), np.int32)
    whole = TextWords(
        **{field.name: arrays.get(field.name, nowhere) for field in fields(TextWords)}
    )
    return [whole.take(slice(int(a), int(b))) for a, b in itertools.pairwise(ends)]


def _source(row: dict[str, Any]) -> Source:
    asked = tuple(
        Asked(each["question"], each["passage"], tuple((a, b) for a, b in each["answers"]))
        for each in row["asked"]
    )
    return Source(tuple(row["passages"]), tuple(row["articles"]), asked)
