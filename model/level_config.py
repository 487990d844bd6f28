"""Settings of the language model of levels, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LevelConfig:
    """What a model of levels is: level l has a state for every 2**l characters and predicts the next so many."""

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

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        lists = (self.widths, self.layers, self.code_widths)
        numbers = (self.alphabet, self.head_width, self.reach, *sum(lists, ()), *self.grams)
        is_odd = self.head_width % 2 or self.rows < 0 or self.words not in (0, 1, 2)
        if min(numbers) < 1 or len({len(each) for each in lists}) > 1 or is_odd:
            raise ValueError(f"sizes of the levels do not go together: {self}")
        if any(width % self.head_width for width in self.widths[1:]):
            raise ValueError(f"a level's width must be some heads of {self.head_width}: {self}")

    @property
    def levels(self) -> int:
        """How many there are."""
        return len(self.widths)

    @property
    def stride(self) -> int:
        """Characters of the highest level's states; a text's length is a multiple of it."""
        return int(2 ** (self.levels - 1))
