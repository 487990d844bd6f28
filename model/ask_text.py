"""What an asker reads and writes: characters and signs as numbers, and a sentence with its span marked.

    sentence before the span ⟨ span ⟩ rest of the sentence [kind of question] question [end]

Characters outside the alphabet are all one sign, which is read but never written.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PADDING, UNKNOWN, SPAN_BEGIN, SPAN_END, QUESTION_END = range(5)
PEOPLE, QUIZ, WORDS, GRAMMAR = range(8, 12)
"""Kinds of questions, by who asked them: of a paragraph, of the news, of each word, and by templates."""
KINDS = (PEOPLE, QUIZ, WORDS, GRAMMAR)
FIRST_CHARACTER = 16
_RANGES = ((0x20, 0x7F), (0xA1, 0xAD), (0xAE, 0x180), (0x2010, 0x2027))
_SINGLES = "\u20ac\u2122\u2032\u2033\u2212\u0218\u0219\u021a\u021b"
ALPHABET = "".join(chr(at) for first, end in _RANGES for at in range(first, end)) + _SINGLES
SIZE = FIRST_CHARACTER + len(ALPHABET)

LONGEST_SENTENCE = 400
LONGEST_QUESTION = 160

Ids = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question whose answer is `sentence[start:end]`; an empty span where nobody knows which it is."""

    sentence: str
    start: int
    end: int
    question: str
    kind: int = PEOPLE

    @property
    def answer(self) -> str:
        """The words that answer it."""
        return self.sentence[self.start : self.end]


def _table() -> Ids:
    table = np.full(0x10000, UNKNOWN, np.uint16)
    for at, char in enumerate(ALPHABET):
        table[ord(char)] = FIRST_CHARACTER + at
    for blank in "\t\n\r\v\f\u00a0\u2009\u202f":
        table[ord(blank)] = FIRST_CHARACTER
    return table


_TABLE = _table()


def read_characters(text: str) -> Ids:
    """Ids of a text, one for each of its code points, uint16 (T,)."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return _TABLE[np.minimum(points, 0xFFFF)]


def write_characters(ids: npt.ArrayLike) -> str:
    """The text of ids; signs that are no characters are left out."""
    places = [int(at) - FIRST_CHARACTER for at in np.asarray(ids).ravel()]
    return "".join(ALPHABET[at] for at in places if at >= 0)


def prompt_ids(sentence: str, start: int, end: int, kind: int) -> Ids:
    """A sentence with its span marked, up to where the question begins.

    Args:
        sentence: in NFC, best no longer than `LONGEST_SENTENCE`.
        start: first character of the span.
        end: the one after its last; equal to `start`: nothing is marked.
        kind: one of `KINDS`.
    """
    signs = np.array([SPAN_BEGIN, SPAN_END, kind], np.uint16)
    text = read_characters(sentence)
    if start >= end:
        return np.concatenate((text, signs[2:]))
    return np.concatenate(
        (text[:start], signs[:1], text[start:end], signs[1:2], text[end:], signs[2:])
    )


def question_ids(question: str) -> Ids:
    """A question with its end."""
    return np.concatenate((read_characters(question), np.array([QUESTION_END], np.uint16)))


def is_writable(text: str) -> bool:
    """Whether every character stands in the alphabet."""
    return not (read_characters(text) == UNKNOWN).any()


def as_composed(text: str) -> str:
    """The text in NFC, which most text is already."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
