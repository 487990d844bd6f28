"""The text a language model learns from: news to 2024, and news of 2025 that it is tested on, cleaned alike.

An article is its title and its paragraphs, one a line. Left out are lines that many articles share (lists of states,
calls to subscribe), short lines that call for clicks or say whom to follow, and longer paragraphs that an earlier
article had: what remains was written once. The articles that the model is tested on are cleaned last, so that none of
their paragraphs was read before.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from model.errors import DataError
from model.texts import (
    Row,
    fold_blanks,
    mixing_key,
    read_rows,
    text_key,
    texts_digest,
    training_rows,
)

NEWS_FILES = ("realtimeqa/articles-*.jsonl.xz", "train/lm/news_abp_*.jsonl.xz")
TEST_FILE, TEST_YEAR = "realtimeqa/articles-2025.jsonl.xz", "2025"
TEST_ARTICLES, DEVELOPMENT_ARTICLES = 600, 100
SHARED_BY = 10
"""A line of more articles than these is no article's own."""
LONG_PARAGRAPH = 80
"""Characters from which a paragraph is not written twice by chance."""
LONGEST_FURNITURE = 200
"""Characters: a longer line may well be the article's, whatever it speaks of."""
SHORTEST_ARTICLE = 500
"""Characters of one that is worth reading."""
ARTICLE_END = "\n\n"
_FURNITURE = re.compile(
    r"read more|sign up|subscri|newsletter|follow (?:us|him|her|them|me|@|on )|click here|advertisement"
    r"|all rights reserved|copyright|getty images|@\w+\.com|^cnn\W*$|^by [a-z]+ [a-z]+$"
    r"|^(?:contact|reach|email|contributing|photo|watch|listen|related|more)\b.{0,40}[@:]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NewsText:
    """Articles as text, mixed in an order that depends on them alone."""

    training: tuple[str, ...]
    development: tuple[str, ...]
    """Of the same years, kept out of training."""
    test: tuple[str, ...]
    """Of the year after them."""

    @property
    def digest(self) -> str:
        """Hash of what is trained on."""
        return texts_digest(self.training)


def read_news_text(data: Path, *, most: int | None = None) -> NewsText:
    """Clean and mix the articles of a data folder.

    Args:
        data: folder with `realtimeqa/` and `train/lm/`.
        most: articles taken of each kind of files; None for all.

    Raises:
        DataError: files are missing or cannot be read, or no article is left.
    """
    rows = [row for files in NEWS_FILES for row in islice(training_rows(data, files), most)]
    cleaner = _Cleaner(rows)
    written = sorted(cleaner.articles(rows), key=mixing_key)
    if not written:
        raise DataError(f"no article of {SHORTEST_ARTICLE} characters in {data}")
    count = min(DEVELOPMENT_ARTICLES, len(written) // 10)
    return NewsText(
        tuple(written[count:]), tuple(written[:count]), tuple(_test_articles(data, cleaner))
    )


def read_dated_news(data: Path) -> list[tuple[str, str]]:
    """The articles of the test year with their days (YYYY-MM-DD), oldest first, cleaned among themselves.

    Raises:
        DataError: the file is missing or cannot be read.
    """
    rows = sorted(_test_rows(data), key=lambda row: (str(row["published"]), str(row["title"])))
    cleaner = _Cleaner(rows)
    found = ((str(row["published"])[:10], list(cleaner.articles([row]))) for row in rows)
    return [(day, text) for day, texts in found for text in texts]


def _test_articles(data: Path, cleaner: _Cleaner) -> list[str]:
    rows = sorted(_test_rows(data), key=lambda row: mixing_key(str(row["title"])))
    return list(islice(cleaner.articles(rows), TEST_ARTICLES))


def _test_rows(data: Path) -> list[Row]:
    return [row for row in read_rows(data / TEST_FILE) if _is_of_test_year(row)]


def _is_of_test_year(row: Row) -> bool:
    return str(row.get("published") or "").startswith(TEST_YEAR)


def joined(texts: Iterable[str]) -> str:
    """Articles as one text."""
    return "".join(text + ARTICLE_END for text in texts)


class _Cleaner:
    """Remembers which lines are everybody's, and which paragraphs were read."""

    def __init__(self, rows: Iterable[Row]) -> None:
        articles: Counter[int] = Counter()
        for row in rows:
            articles.update({text_key(line) for line in _lines(row)})
        self._shared = {key for key, count in articles.items() if count > SHARED_BY}
        self._read: set[int] = set()

    def articles(self, rows: Iterable[Row]) -> Iterable[str]:
        """The text of every row that has enough of its own."""
        for row in rows:
            text = "\n".join(line for line in _lines(row) if self._is_own(line))
            if len(text) >= SHORTEST_ARTICLE:
                yield text

    def _is_own(self, line: str) -> bool:
        key = text_key(line)
        if key in self._shared or key in self._read:
            return False
        if len(line) >= LONG_PARAGRAPH:
            self._read.add(key)
        return len(line) > LONGEST_FURNITURE or not _FURNITURE.search(line)


def _lines(row: Row) -> list[str]:
    """Title and paragraphs, NFC, blanks folded."""
    body = row["body"] if "body" in row else row["text"]
    whole = unicodedata.normalize("NFC", f"{row['title'] or ''}\n{body}")
    return [folded for line in whole.split("\n") if (folded := fold_blanks(line))]
