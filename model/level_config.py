"""Settings of the language model of levels, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MLP_FACTOR, MLP_STEP = 8 / 3, 16
CHARACTERS_A_WORD = 6
"""Of English news, with the blank or mark behind it: what a window of words is reckoned from."""


class LevelsOf(StrEnum):
    """What makes the states of the levels above the lowest; level l predicts 2**l characters either way."""

    CHARACTERS = "characters"
    """Level l has a state for every 2**l of them."""
    WORDS = "words"
    """Level 1 has a state for every word, level l for every 2**(l - 1) of them."""


@dataclass(frozen=True, slots=True)
class LevelConfig:
    """What a model of levels is: the lowest has a state for every character, and level l predicts the next 2**l."""

    alphabet: int
    """Characters."""
    widths: tuple[int, ...] = (96, 128, 192, 256)
    """Of the states, by level."""
    layers: tuple[int, ...] = (1, 1, 1, 2)
    """Blocks on the way up, by level."""
    code_widths: tuple[int, ...] = (64, 128, 128, 128)
    """Of what is predicted, by level."""
    head_width: int = 32
    reach: int = 4
    """Characters before each that the lowest level's convolutions see, beside itself."""
    rows: int = 0
    """Of the table of larger units (`unit_hash.py`); 0 for none."""
    grams: tuple[int, ...] = (3, 5)
    """Lengths of the stretches that have a row at every character."""
    words: int = 2
    """The word being read, with the word before, has a row at every character."""
    levels_of: LevelsOf = LevelsOf.CHARACTERS
    """What the levels above the lowest have states of."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        lists = (self.widths, self.layers, self.code_widths)
        numbers = (self.alphabet, self.head_width, self.reach, *sum(lists, ()), *self.grams)
        is_odd = self.head_width % 2 or self.rows < 0 or self.words not in (0, 1, 2)
        if min(numbers) < 1 or len({len(each) for each in lists}) > 1 or is_odd:
            raise ValueError(f"sizes of the levels do not go together: {self}")
        if any(width % self.head_width for width in self.widths[1:]):
            raise ValueError(f"a level's width must be some heads of {self.head_width}: {self}")
        if self.levels_of is LevelsOf.WORDS and self.levels < 2:
            raise ValueError(f"there is no level to have states of words: {self}")

    @property
    def levels(self) -> int:
        """How many there are."""
        return len(self.widths)

    @property
    def stride(self) -> int:
        """What a text's length in characters must be a multiple of, to be read at once in training."""
        return 1 if self.levels_of is LevelsOf.WORDS else int(2 ** (self.levels - 1))

    def window_of(self, level: int, chars: int) -> int:
        """States of a level that attention looks back over, one at least, where it looks back over so many characters.

        Of levels of words the number is fixed, and the characters are as many as usual in English news.
        """
        if self.levels_of is LevelsOf.WORDS and level:
            return max(chars // CHARACTERS_A_WORD >> (level - 1), 1)
        return chars >> level


def mlp_width(width: int) -> int:
    """Inside the feed-forward half of a block whose states are so wide."""
    return round(width * MLP_FACTOR / MLP_STEP) * MLP_STEP
