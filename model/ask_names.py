"""What a question may name: a capitalised word or a number is copied from its sentence, or not written at all.

Shapes: V alphabet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model.ask_text import ALPHABET, FIRST_CHARACTER, QUESTION_END, SIZE, UNKNOWN, read_characters

Bools = npt.NDArray[np.bool_]

_WORD = re.compile(r"[^\W_]+")


def _having(is_meant: Sequence[bool]) -> Bools:
    mask = np.zeros(SIZE, np.bool_)
    mask[FIRST_CHARACTER:] = is_meant
    return mask


_IN_WORDS = _having([char.isalnum() for char in ALPHABET])
_OPENS_NAMES = _having([char.isupper() or char.isdigit() for char in ALPHABET])
_WRITABLE = _having([True] * len(ALPHABET))
_WRITABLE[[QUESTION_END]] = True


class NameGuard:
    """Follows one question while it is written and says which characters may come next."""

    def __init__(self, sentence: str, start: int, end: int) -> None:
        """Take the words of a sentence that stand outside of the answer, `sentence[start:end]`."""
        self._next: dict[str, Bools] = {"": ~_OPENS_NAMES & _WRITABLE}
        self._whole: set[str] = set()
        for word in {*_WORD.findall(sentence[:start]), *_WORD.findall(sentence[end:])}:
            if word[0].isupper() or word[0].isdigit():
                self._learn(word)
        self._word = ""
        self._is_first, self._is_guarded = True, False

    def _learn(self, word: str) -> None:
        self._whole.add(word)
        for at, sign in enumerate(read_characters(word)):
            prefix = word[:at]
            if prefix not in self._next:
                self._next[prefix] = np.zeros(SIZE, np.bool_)
            if sign != UNKNOWN:
                self._next[prefix][sign] = True

    def allowed(self) -> Bools:
        """Which characters, bool (V,)."""
        if self._is_guarded:
            follows = self._next.get(self._word)
            inside = np.zeros(SIZE, np.bool_) if follows is None else follows
            return inside | (~_IN_WORDS & _WRITABLE) if self._word in self._whole else inside
        if self._word:
            # Within a word of small letters a capital or a digit would begin a name in disguise.
            return _WRITABLE if self._is_first else ~_OPENS_NAMES & _WRITABLE
        return _WRITABLE if self._is_first else self._next[""]

    def write(self, sign: int) -> None:
        """Go on after a character, by its id."""
        if not _IN_WORDS[sign]:
            self._is_first &= not self._word
            self._word, self._is_guarded = "", False
            return
        if not self._word and not self._is_first:
            self._is_guarded = bool(_OPENS_NAMES[sign])
        self._word += ALPHABET[sign - FIRST_CHARACTER]
