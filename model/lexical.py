"""Lexical search: BM25 over words, parts of identifiers and stems, and over what lies beside words.

An identifier counts as itself and as its parts (`min_x`, `walkRows`), so that a question in plain
words finds code. Two words that stand together say more than both apart (the sequential dependence
of Metzler and Croft 2005), and words that share a stretch of characters are often of one root where
no stemmer knows it. Tokens are split by rule, the weights come from bm25s, the stems from Snowball.

Shapes: Q queries, D documents.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.extras import extra

FloatArray = npt.NDArray[np.float32]
Tokenize = Callable[[Sequence[str]], list[list[str]]]

GRAM_CHARS = 5
"""Characters of a gram; each end of a word counts as one."""

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


@dataclass(frozen=True, slots=True)
class WordWeights:
    """How words are scored."""

    k1: float
    """How fast repetition saturates in BM25."""
    b: float
    """How much length counts in BM25."""
    pairs: float = 0.0
    """Weight of the BM25 of pairs of neighbouring tokens, against 1 of the tokens themselves."""
    grams: float = 0.0
    """The same of the grams of tokens."""

    @property
    def of_kinds(self) -> dict[str, float]:
        """The weight of each kind of token that weighs anything."""
        every = {WORDS: 1.0, PAIRS: self.pairs, GRAMS: self.grams}
        return {kind: weight for kind, weight in every.items() if weight}


def neighbour_pairs(tokens: Sequence[str]) -> list[str]:
    """Each token with the next."""
    return [f"{one} {other}" for one, other in itertools.pairwise(tokens)]


def character_grams(tokens: Sequence[str]) -> list[str]:
    """The grams of each token, its ends marked; a short one is its own gram."""
    marked = [f"<{token}>" for token in tokens]
    return [
        word[start : start + GRAM_CHARS]
        for word in marked
        for start in range(max(len(word) - GRAM_CHARS + 1, 1))
    ]


WORDS, PAIRS, GRAMS = "words", "pairs", "grams"
_MADE_OF: Mapping[str, Callable[[Sequence[str]], Sequence[str]]] = {
    WORDS: lambda tokens: tokens,
    PAIRS: neighbour_pairs,
    GRAMS: character_grams,
}


def add_up(parts: Mapping[str, FloatArray], weights: WordWeights) -> FloatArray:
    """The weighted sum of BM25 by each kind of token, float32 (Q, D)."""
    found = np.zeros_like(parts[WORDS])
    for kind, weight in weights.of_kinds.items():
        found += np.float32(weight) * parts[kind]
    return found


class LexicalIndex:
    """Scores of a fixed list of documents: the weighted sum of a BM25 for each kind of token."""

    def __init__(self, documents: Sequence[str], tokenize: Tokenize, weights: WordWeights) -> None:
        """Count the tokens of all documents; kinds that weigh nothing are left out.

        Raises:
            ModelError: bm25s is not installed.
        """
        self._tokenize = tokenize
        self._size = len(documents)
        self._weights = weights
        tokens = tokenize(documents)
        self._indexes = {
            kind: _index([_MADE_OF[kind](of_text) for of_text in tokens], weights)
            for kind in weights.of_kinds
        }

    def scores(self, queries: Sequence[str]) -> FloatArray:
        """Score of every document for every query, float32 (Q, D); 0 where no token is shared."""
        return add_up(self.parts(queries), self._weights)

    def parts(self, queries: Sequence[str]) -> dict[str, FloatArray]:
        """BM25 by each kind of token alone, float32 (Q, D) each."""
        tokens = self._tokenize(queries)
        return {
            kind: self._bm25(index, [_MADE_OF[kind](of_text) for of_text in tokens])
            for kind, index in self._indexes.items()
        }

    def _bm25(self, index: Any, queries: Sequence[Sequence[str]]) -> FloatArray:
        found = np.zeros((len(queries), self._size), dtype=np.float32)
        if index is None:
            return found
        for at, tokens in enumerate(queries):
            known = index.get_tokens_ids(tokens)
            if known:
                found[at] = index.get_scores_from_ids(known)
        return found


def _index(documents: Sequence[Sequence[str]], weights: WordWeights) -> Any:
    """The library's index, or None if there is no token at all."""
    with extra("evaluate"):
        import bm25s
    if not any(documents):
        return None
    index = bm25s.BM25(k1=weights.k1, b=weights.b)
    index.index(documents, show_progress=False)
    return index
