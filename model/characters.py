"""Text as arrays of code points: NFC, case split off, and an id for every character there is.

No tokenizer and no vocabulary to be missing from: frequent characters have ids of their own, all
others share hashed ids. `encode` and `decode` are exact inverses on NFC text. There is no Python
loop per character; what Python knows of a character (its lower case, its base letter, its class)
is read once into tables.

Shapes: T characters.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.uint32]

SPACE = 0x20
TEXT_END = 0x0A
"""Parts the texts of one joined array; a line break is the strongest boundary there is."""

DIRECT_IDS = 256
HASHED_IDS = 768
MAP_SIZE = DIRECT_IDS + HASHED_IDS

# Every cased script and every combining mark in common use lies in these blocks.
_TABLE_BLOCKS = ((0x0000, 0x3000), (0xA000, 0xAC00), (0xFB00, 0xFB10), (0xFE00, 0x10000))
_TABLE_SIZE = 0x10000
NO_PART, LETTER, LOWER, UPPER, DIGIT = range(5)
"""What parts of a word are told apart by; `LETTER` is a letter without case, or a mark."""
_HASH_FACTOR = np.uint32(2654435761)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as folded code points and what folding took away."""

    points: Points
    """uint32 (T,), lower case where that is one character and can be undone."""
    is_upper: npt.NDArray[np.bool_]
    """bool (T,)"""


@dataclass(frozen=True, slots=True)
class _Tables:
    lower: Points
    upper: Points
    base: Points
    is_word: npt.NDArray[np.bool_]
    is_space: npt.NDArray[np.bool_]
    part_class: npt.NDArray[np.uint8]


@functools.cache
def _tables() -> _Tables:
    lower = np.arange(_TABLE_SIZE, dtype=np.uint32)
    upper = lower.copy()
    base = lower.copy()
    # Outside the blocks read below every character counts as a letter (Han, Hangul, ...).
    is_word = np.ones(_TABLE_SIZE, dtype=np.bool_)
    is_space = np.zeros(_TABLE_SIZE, dtype=np.bool_)
    part_class = np.full(_TABLE_SIZE, LETTER, dtype=np.uint8)
    for first, end in _TABLE_BLOCKS:
        for point in range(first, end):
            char = chr(point)
            small = char.lower()
            if small != char and len(small) == 1 and small.upper() == char:
                lower[point] = ord(small)
                upper[ord(small)] = point
            base[point] = ord(_base_letter(small if len(small) == 1 else char))
            category = unicodedata.category(char)
            is_word[point] = category[0] in "LNM"
            is_space[point] = char.isspace() or category in {"Cc", "Cf", "Zs", "Zl", "Zp"}
            part_class[point] = _part_class(category)
    return _Tables(lower, upper, base, is_word, is_space, part_class)


def _part_class(category: str) -> int:
    if category[0] == "N":
        return DIGIT
    if category[0] not in "LM":
        return NO_PART
    return {"Ll": LOWER, "Lu": UPPER, "Lt": UPPER}.get(category, LETTER)


def _base_letter(char: str) -> str:
    parts = unicodedata.normalize("NFKD", char)
    is_marked = len(parts) > 1 and all(unicodedata.combining(mark) for mark in parts[1:])
    return parts[0] if is_marked or len(parts) == 1 else char


def _look_up(table: npt.NDArray[np.generic], points: Points) -> npt.NDArray[np.generic]:
    # "clip" gives all characters beyond the table its last entry, in one pass.
    return table.take(points, mode="clip")


def _points(text: str) -> Points:
    normal = text if text.isascii() else unicodedata.normalize("NFC", text)
    # A lone surrogate is no text, but it must not stop us.
    return np.frombuffer(normal.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def encode(text: str) -> Encoded:
    """Split a text, normalised to NFC, into folded code points and case."""
    points = _points(text)
    folded = np.where(points < _TABLE_SIZE, _look_up(_tables().lower, points), points)
    return Encoded(folded.astype(np.uint32), folded != points)


def decode(encoded: Encoded) -> str:
    """The NFC text that `encode` was given."""
    points = encoded.points
    raised = np.where(points < _TABLE_SIZE, _look_up(_tables().upper, points), points)
    chosen = np.where(encoded.is_upper, raised, points).astype("<u4")
    return chosen.tobytes().decode("utf-32-le", "surrogatepass")


def character_ids(points: Points) -> npt.NDArray[np.int32]:
    """Ids below `MAP_SIZE`: Latin-1 characters have their own, all others share hashed ones."""
    hashed = ((points * _HASH_FACTOR) >> np.uint32(16)) % np.uint32(HASHED_IDS)
    return np.where(points < DIRECT_IDS, points, hashed + np.uint32(DIRECT_IDS)).astype(np.int32)


def join_points(texts: Sequence[str]) -> tuple[Points, npt.NDArray[np.int64]]:
    """All texts, normalised to NFC, as one array, each text ended by `TEXT_END`.

    Returns:
        uint32 (T,) and the start of each text, int64 (N + 1,); the last entry is T.
    """
    normal = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in texts]
    lengths = np.fromiter(map(len, normal), np.int64, len(normal)) + 1
    everything = chr(TEXT_END).join([*normal, ""]).encode("utf-32-le", "surrogatepass")
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    return np.frombuffer(everything, dtype=np.uint32), starts


def base_letters(points: Points) -> Points:
    """Lower-case base letters, one for one: "São" finds "sao".

    Accents are dropped here, because this form is only hashed, never shown.
    """
    base = np.asarray(_look_up(_tables().base, points), dtype=np.uint32)
    is_beyond = points >= _TABLE_SIZE
    return np.where(is_beyond, points, base) if is_beyond.any() else base


def join_base_letters(texts: Sequence[str]) -> tuple[Points, npt.NDArray[np.int64]]:
    """What `join_points` gives, as base letters."""
    points, starts = join_points(texts)
    return base_letters(points), starts


def part_classes(points: Points) -> npt.NDArray[np.uint8]:
    """`NO_PART`, `LETTER`, `LOWER`, `UPPER` or `DIGIT`, uint8 (T,), of points with their case."""
    return np.asarray(_look_up(_tables().part_class, points), dtype=np.uint8)


def is_word_character(points: Points) -> npt.NDArray[np.bool_]:
    """Letters, digits and combining marks."""
    return np.asarray(_look_up(_tables().is_word, points), dtype=np.bool_)


def is_blank(points: Points) -> npt.NDArray[np.bool_]:
    """White space, line breaks and control characters."""
    return np.asarray(_look_up(_tables().is_space, points), dtype=np.bool_)
