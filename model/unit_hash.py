"""Hashed rows of what ends at a character: larger units than one, without a list of them.

Beside its character every place has a few stretches that end there: the last few characters, the word as far as it has
been read, that word and the one before. Each stretch is hashed to a row of a table that is learned with the rest. None
of them knows a later character, and none looks further back than `LOOK_BACK`, so that a text can be read on from its
last characters alone.

Shapes: B rows, T characters, K stretches that end at a character.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.alphabet import Alphabet, Ids
from model.hashing import SpanHasher, mix
from model.level_config import LevelConfig

Rows = npt.NDArray[np.int64]

LONGEST_WORD = 24
"""Characters of a word that are looked at."""
LOOK_BACK = 2 * (LONGEST_WORD + 1)
"""Characters that decide the rows of one, itself included."""
_IN_WORDS = "'’"
_SALT = 0x9E3779B97F4A7C15


class UnitFinder(Protocol):
    """Tells which rows belong to a character."""

    def __call__(self, ids: Ids, /) -> Rows:
        """Rows (B, T, K) of texts (B, T); none knows a later character, or one before the last `LOOK_BACK`."""
        ...


def letters_of(alphabet: Alphabet) -> npt.NDArray[np.bool_]:
    """Of every id whether words consist of it; what is not in the alphabet counts as a letter."""
    known = [char.isalnum() or char in _IN_WORDS for char in alphabet.characters]
    return np.array([*known, True])


@dataclass(frozen=True, slots=True)
class UnitHash:
    """Which rows belong to a character."""

    rows: int
    """Of the table."""
    grams: tuple[int, ...]
    """Lengths of the stretches that end at every character whatever they are."""
    words: int
    """How many words the longer stretches span: the one being read, and with 2 the one before as well."""
    is_letter: npt.NDArray[np.bool_]
    """bool, of every id of the alphabet."""

    @classmethod
    def of(
        cls, alphabet: Alphabet, *, rows: int, grams: tuple[int, ...], words: int = 2
    ) -> UnitHash:
        """For an alphabet, see `letters_of`."""
        return cls(rows, grams, words, letters_of(alphabet))

    @property
    def count(self) -> int:
        """Stretches that end at a character, K."""
        return len(self.grams) + self.words

    def __call__(self, ids: Ids) -> Rows:
        """Rows of every character's stretches.

        Args:
            ids: uint8 (B, T), each row a text from its beginning.

        Returns:
            int64 (B, T, K), rows of the table.
        """
        B, T = ids.shape
        points = ids.reshape(-1).astype(np.uint32)
        places = np.arange(B * T)
        row_starts = places // T * T
        word = self._word_starts(points, places, row_starts)
        starts = [np.maximum(places + 1 - length, row_starts) for length in self.grams]
        starts += [word, _before(word, row_starts)][: self.words]
        hasher = SpanHasher(points)
        hashes = [
            mix(hasher.spans(start, places + 1) + np.uint64(_SALT * at % 2**64))
            for at, start in enumerate(starts)
        ]
        found = np.stack(hashes, axis=-1) % np.uint64(self.rows)
        return found.astype(np.int64).reshape(B, T, self.count)

    def _word_starts(self, points: npt.NDArray[np.uint32], places: Rows, row_starts: Rows) -> Rows:
        """Where the word began that each character belongs to; of a mark or a blank, itself."""
        marks = np.where(self.is_letter[points], -1, places)
        starts = np.minimum(np.maximum.accumulate(marks) + 1, places)
        found: Rows = np.maximum(np.maximum(starts, row_starts), places + 1 - LONGEST_WORD)
        return found


def hash_of(levels: LevelConfig, alphabet: Alphabet) -> UnitHash | None:
    """The hash of a model's table of larger units, where it has one."""
    if not levels.rows:
        return None
    return UnitHash.of(alphabet, rows=levels.rows, grams=levels.grams, words=levels.words)


def _before(word: Rows, row_starts: Rows) -> Rows:
    """Where the word before began, over one mark or blank between."""
    return np.minimum(word[np.maximum(word - 2, row_starts)], word)
