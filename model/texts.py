"""Rows of the data folder, and the cutting and comparing of texts.

Reads `.jsonl.xz` and `.tsv.xz`; knows nothing of what the texts are for.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from model.errors import DataError

LAST_ARTICLE_YEAR = 2024
"""Later articles are kept for evaluation."""

_SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?][\"”’)]))\s+(?=[\"“‘(]?[A-Z0-9])")
_NOT_LETTER_OR_DIGIT = re.compile(r"[\W_]+")
_YEAR = re.compile(r"articles-(\d{4})")

Row = dict[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of one `.jsonl.xz` file, or of a `.tsv.xz` file of pairs as `{"a", "b"}`.

    Raises:
        DataError: the file is missing, not xz, or not JSON lines.
    """
    is_table = path.suffixes[-2:] == [".tsv", ".xz"]
    try:
        with lzma.open(path, "rt", encoding="utf8") as lines:
            for line in lines:
                if is_table:
                    a, _, b = line.rstrip("\n").partition("\t")
                    yield {"a": a, "b": b}
                else:
                    yield json.loads(line)
    except (OSError, EOFError, lzma.LZMAError, ValueError) as exc:
        raise DataError(f"cannot read {path.name}: {exc}") from exc


def training_rows(data: Path, files: str) -> Iterator[Row]:
    """Rows of all files that match a glob below the data folder, later years' articles excepted.

    Raises:
        DataError: no file matches, or one cannot be read.
    """
    paths = sorted(data.glob(files))
    if not paths:
        raise DataError(f"no training file matches {files}")
    for path in paths:
        year = _YEAR.search(path.name)
        if year is None or int(year[1]) <= LAST_ARTICLE_YEAR:
            yield from read_rows(path)


def split_sentences(text: str) -> list[str]:
    """Split paragraphs (parted by newlines) into sentences; whitespace is folded."""
    sentences: list[str] = []
    for paragraph in text.split("\n"):
        sentences.extend(part for part in _SENTENCE_END.split(fold_blanks(paragraph)) if part)
    return sentences


def fill(sentences: Sequence[str], chars: int) -> tuple[str, int]:
    """Join leading sentences up to a length.

    Returns:
        The joined text, at most `chars` long, and how many sentences it holds (perhaps none).
    """
    length = -1
    for count, sentence in enumerate(sentences):
        length += 1 + len(sentence)
        if length > chars:
            return " ".join(sentences[:count]), count
    return " ".join(sentences), len(sentences)


def fold_blanks(text: str) -> str:
    """The text with every run of whitespace as one blank, none at the ends."""
    return " ".join(text.split())


def letters_and_digits(text: str) -> str:
    """The form by which two texts count as the same."""
    return _NOT_LETTER_OR_DIGIT.sub("", text.casefold())


def text_key(text: str) -> int:
    """A 64-bit hash of a text, stable between runs and machines."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def by_hash(text: str) -> tuple[int, str]:
    """Sort key: an order that is the same everywhere and has nothing to do with the file."""
    return text_key(text), text


def mixing_key(text: str) -> bytes:
    """Another order than `by_hash`: what was cut short by that one is mixed by this."""
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def texts_digest(texts: Sequence[str]) -> str:
    """Hash of texts in order; two runs on equal digests saw the same texts."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
