"""Lexical search: BM25 over words, parts of identifiers and stems.

An identifier counts as itself and as its parts (`min_x`, `walkRows`), so that a question in plain
words finds code. Tokens are split by rule, the weights come from bm25s, the stems from Snowball.

Shapes: Q queries, D documents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from model.extras import extra

FloatArray = npt.NDArray[np.float32]
Tokenize = Callable[[Sequence[str]], list[list[str]]]

_WORD = re.compile(r"\w+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]*[^A-Z_]+|[A-Z]+")


class WordTokens:
    """Texts to tokens: base letters in lower case, identifiers whole and in parts, stems.

    Stop words are left out, also as parts of identifiers.
    """

    def __init__(self) -> None:
        """Load the stemmer.

        Raises:
            ModelError: it is not installed.
        """
        with extra("evaluate"):
            import Stemmer
            from bm25s.stopwords import STOPWORDS_EN
        self._stem: Callable[[str], str] = Stemmer.Stemmer("english").stemWord
        self._stop_words = frozenset(STOPWORDS_EN)
        self._tokens_of: dict[str, tuple[str, ...]] = {}

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text."""
        return [
            [token for word in _WORD.findall(text) for token in self._of(word)] for text in texts
        ]

    def _of(self, word: str) -> tuple[str, ...]:
        if word not in self._tokens_of:
            parts = _PART.findall(word)
            whole = [word.strip("_")] if len(parts) > 1 else []
            plain = [base_letters(part) for part in (*whole, *parts)]
            self._tokens_of[word] = tuple(
                self._stem(part) if part.isalpha() else part
                for part in plain
                if part not in self._stop_words
            )
        return self._tokens_of[word]


def base_letters(word: str) -> str:
    """Lower case without accents."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))


class EnglishTokens:
    """The tokens of bm25s as it comes: words of two characters and more, no stop words, stems."""

    def __init__(self, *, splits_identifiers: bool = False) -> None:
        """Load the libraries.

        Args:
            splits_identifiers: show it the parts of identifiers, in place of them.

        Raises:
            ModelError: a library is not installed.
        """
        with extra("evaluate"):
            import bm25s
            import Stemmer
        self._tokenize: Any = bm25s.tokenize
        self._stemmer = Stemmer.Stemmer("english")
        self._splits_identifiers = splits_identifiers

    def __call__(self, texts: Sequence[str]) -> list[list[str]]:
        """The tokens of each text."""
        if not texts:
            return []
        given, options = list(texts), {}
        if self._splits_identifiers:
            given = [_HUMP.sub(" ", text) for text in texts]
            options = {"token_pattern": r"[^\W_]+"}
        found: list[list[str]] = self._tokenize(
            given,
            stopwords="english",
            stemmer=self._stemmer,
            return_ids=False,
            show_progress=False,
            **options,
        )
        return found


class LexicalIndex:
    """BM25 scores of a fixed list of documents."""

    def __init__(
        self, documents: Sequence[str], tokenize: Tokenize, *, k1: float, b: float
    ) -> None:
        """Count the tokens of all documents.

        Raises:
            ModelError: bm25s is not installed.
        """
        with extra("evaluate"):
            import bm25s
        self._tokenize = tokenize
        self._size = len(documents)
        tokens = tokenize(documents)
        self._bm25: Any = None
        if any(tokens):
            self._bm25 = bm25s.BM25(k1=k1, b=b)
            self._bm25.index(tokens, show_progress=False)

    def scores(self, queries: Sequence[str]) -> FloatArray:
        """BM25 of every document for every query, float32 (Q, D); 0 where no token is shared."""
        found = np.zeros((len(queries), self._size), dtype=np.float32)
        if self._bm25 is None:
            return found
        for at, tokens in enumerate(self._tokenize(queries)):
            known = self._bm25.get_tokens_ids(tokens)
            if known:
                found[at] = self._bm25.get_scores_from_ids(known)
        return found
