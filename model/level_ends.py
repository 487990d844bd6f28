"""Which states of the levels are complete where, in a text that is read on: after 2, 4, 8 characters, or 1, 2, 4 words.

A word is complete with the one mark or blank that ends it, as in `word_levels.py`. On every level a character completes
one state at most.

Shapes: V of the alphabet, L characters of the stretch that was read last, l states of a level that it completed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


class LevelEnds:
    """How far a text has been read, and which states that completed."""

    def __init__(self, is_letter: Bools | None) -> None:
        """At the beginning of a text.

        Args:
            is_letter: bool (V,), of every id whether words consist of it, where levels have states of words; None where
                they have states of characters.
        """
        self._is_letter = is_letter
        self._letters = np.zeros(1, bool)
        """(L + 1,): whether the character before the stretch is a letter, and its own are; of levels of words."""
        self.length = 0
        """Characters read."""
        self.complete: Places = np.zeros(1, np.int64)
        """int64 (L + 1,): states of level 1 that are complete before the stretch, and with each of its characters."""
        self._opened = 0
        """Where the state of level 1 begins that was not complete before the stretch."""

    @property
    def stretch(self) -> int:
        """Characters that were read last, and not taken back, L."""
        return len(self.complete) - 1

    def read(self, ids: npt.NDArray[np.integer]) -> None:
        """Read on, a stretch (L,)."""
        if self.complete[-1] > self.complete[0]:
            self._opened = int(self.of(1)[-1])
        if self._is_letter is None:
            self.complete = np.arange(self.length, self.length + len(ids) + 1) // 2
        else:
            self._letters = np.concatenate((self._letters[-1:], self._is_letter[ids]))
            ends = np.cumsum(self._letters[:-1] & ~self._letters[1:])
            known = self.complete[-1:]
            self.complete = np.concatenate((known, known + ends))
        self.length += len(ids)

    def take_back(self, count: int) -> None:
        """Forget the last characters of the stretch.

        Raises:
            ValueError: it has not so many.
        """
        if not 0 <= count <= self.stretch:
            raise ValueError(f"{count} characters were not read last, but {self.stretch}")
        self.length -= count
        self.complete = self.complete[: len(self.complete) - count]
        self._letters = self._letters[: len(self.complete)]

    def count(self, level: int) -> int:
        """States of a level that are complete by now."""
        return int(self.complete[-1]) >> (level - 1) if level else self.length

    def count_before(self, level: int) -> int:
        """States of a level that were complete before the stretch."""
        return int(self.complete[0]) >> (level - 1) if level else self.length - self.stretch

    def of(self, level: int) -> Places:
        """Where the states of a level end that the stretch completed, as characters read by then, (l,)."""
        first = self.length - self.stretch + 1
        if not level:
            return first + np.arange(self.stretch)
        counts = self.complete >> (level - 1)
        return first + np.flatnonzero(counts[1:] > counts[:-1])

    def made_of(self, level: int) -> tuple[int, Places]:
        """What the states of a level, from 1 on, are made of that the stretch completed.

        Returns:
            How many states of the level below there were before the stretch in the one that was not complete then; and
            which of those that the stretch completed there are the last ones of states here, (l,).
        """
        if level == 1:
            begin = self.length - self.stretch
            return begin - self._opened, self.of(1) - begin - 1
        before, now = self.count_before(level - 1), self.count(level - 1)
        return before % 2, np.arange(1 - before % 2, now - before, 2)
