"""The text that a language model is adapted to, and what it is judged on: articles of the last days, and older ones.

Every tenth article is kept out by a hash of its own text, so that it is kept out of every run. No line that stands in
what is kept out is trained on, were it but a stretch of a dozen words; a line that many articles have counts once.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from model.contamination import EvaluationTexts
from model.texts import fold_blanks, mixing_key, text_key, texts_digest

HELD_OUT_OF = 10
"""One article of so many."""
SHORTEST = 200
"""Characters of an article that is worth reading."""
REHEARSED = 500
"""Older articles at most, chosen by hash."""
JUDGED_CHARS = 150_000
"""Of each of the two samples a model is judged on, at most."""


def is_held_out(article: str) -> bool:
    """Whether an article is never trained on."""
    return text_key(article) % HELD_OUT_OF == 0


@dataclass(frozen=True, slots=True)
class AdaptText:
    """Articles, cleaned: a title and paragraphs, one a line."""

    training: tuple[str, ...]
    """Of the last days."""
    rehearsed: tuple[str, ...]
    """From before them, trained on beside the new ones, so that they are not forgotten."""
    held_out: tuple[str, ...]
    """Of the same days."""
    older: tuple[str, ...]
    """From before them, never trained on."""

    @classmethod
    def of(cls, days: Iterable[str], older: Iterable[str], *, sample: str | None = None) -> Self:
        """Clean and divide.

        Args:
            days: articles of the last days, in any order: the result does not depend on it.
            older: articles from before them; of those kept out the first ones are judged on, as many as fit.
            sample: text that is judged on in place of older articles.
        """
        mixed = sorted({_plain(it) for it in days}, key=mixing_key)
        before = [_plain(it) for it in older]
        kept_out = filter(is_held_out, before) if sample is None else [_plain(sample)]
        held_out = _cut(_Cleaner().clean(filter(is_held_out, mixed)))
        judged = _cut(_Cleaner().clean(kept_out))
        cleaner = _Cleaner([line for it in (*held_out, *judged) for line in it.split("\n")])
        training = cleaner.clean(it for it in mixed if not is_held_out(it))
        others = sorted((it for it in before if not is_held_out(it)), key=mixing_key)
        rehearsed = cleaner.clean(others[:REHEARSED])
        return cls(tuple(training), tuple(rehearsed), tuple(held_out), tuple(judged))

    @property
    def digest(self) -> str:
        """Hash of what is trained on."""
        return texts_digest(self.training)


class _Cleaner:
    """Remembers which lines were read."""

    def __init__(self, judged: Sequence[str] = ()) -> None:
        """Set up.

        Args:
            judged: lines of which no stretch may be read.
        """
        self._judged = EvaluationTexts(judged)
        self._read: set[int] = set()

    def clean(self, articles: Iterable[str]) -> list[str]:
        """The articles less what was read before; those with too little left are dropped."""
        texts = ("\n".join(self._own(_lines(article))) for article in articles)
        return [text for text in texts if len(text) >= SHORTEST]

    def _own(self, lines: Sequence[str]) -> Iterator[str]:
        for line, is_judged in zip(lines, self._judged.contain(lines), strict=True):
            if not is_judged and (key := text_key(line)) not in self._read:
                self._read.add(key)
                yield line


def _plain(article: str) -> str:
    # Half a surrogate pair can be stored in no file, and hashed by nothing.
    return unicodedata.normalize("NFC", article.encode("utf8", "replace").decode("utf8"))


def _lines(article: str) -> list[str]:
    return [folded for line in article.split("\n") if (folded := fold_blanks(line))]


def _cut(articles: Sequence[str]) -> list[str]:
    """The first articles, as many as fit."""
    found: list[str] = []
    chars = 0
    for article in articles:
        if chars + len(article) > JUDGED_CHARS:
            room = JUDGED_CHARS - chars
            return [*found, article[:room]] if room >= SHORTEST else found
        found.append(article)
        chars += len(article)
    return found
