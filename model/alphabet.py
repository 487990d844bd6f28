"""The characters that a language model knows by themselves; all others share one sign.

What stands in the text of a model is never lost for want of a vocabulary: a character that the alphabet does not hold
is the sign for others, and which one it is costs the bits of a choice among all code points that are left. So every
text of Unicode has a probability, and all of them together have one.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.uint8]

MOST = 255
"""Characters at most: an id, with that of the others, is one byte."""
OTHER_MARK = "�"
"""Stands for another character where an id is written out."""
_CODE_POINTS = 0x110000 - 0x800
"""Without the halves of surrogate pairs."""


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Characters and their ids: a character's place, and one more for all others."""

    characters: str
    """In the order of their ids, each once."""

    def __post_init__(self) -> None:
        """Refuse what would not have an id of a byte."""
        if not 1 <= len(self.characters) <= MOST or len(set(self.characters)) < len(
            self.characters
        ):
            raise ValueError(
                f"no alphabet of 1 to {MOST} different characters: {self.characters!r}"
            )

    @classmethod
    def of(cls, texts: Iterable[str], *, least: int = 1) -> Alphabet:
        """The characters that occur in some texts so many times, the most frequent ones, by code point.

        Raises:
            ValueError: none does.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        frequent = [char for char, count in counts.most_common(MOST) if count >= least]
        return cls("".join(sorted(frequent)))

    @property
    def size(self) -> int:
        """Ids there are."""
        return len(self.characters) + 1

    @property
    def other(self) -> int:
        """The id of characters that are not in it."""
        return len(self.characters)

    @property
    def other_bits(self) -> float:
        """Bits it takes to say which of them one is."""
        return math.log2(_CODE_POINTS - len(self.characters))

    def ids(self, text: str) -> Ids:
        """Ids of a text's characters, normalised to NFC, uint8 (T,); half a surrogate pair is another character."""
        normal = text if text.isascii() else unicodedata.normalize("NFC", text)
        points = np.frombuffer(normal.encode("utf-32-le", "surrogatepass"), np.uint32)
        known = np.frombuffer(self.characters.encode("utf-32-le", "surrogatepass"), np.uint32)
        order = np.argsort(known)
        places = np.minimum(np.searchsorted(known[order], points), len(known) - 1)
        found = order[places]
        return np.where(known[found] == points, found, self.other).astype(np.uint8)

    def text(self, ids: npt.NDArray[np.integer]) -> str:
        """The characters of ids, others as `OTHER_MARK`."""
        signs = self.characters + OTHER_MARK
        return "".join(signs[at] for at in ids)
