"""Questions and passages side by side in rows of one length, as the reader's network takes them.

A row is the question, a gap, the passage, padding. Long texts are cut into windows first.

Shapes: B rows, L places, F columns of features, T words of a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.read_features import FEATURES, pair_features
from model.read_words import FloatArray, Numbers, TextWords, WordBook

MAX_QUESTION_WORDS = 40
MAX_PASSAGE_WORDS = 320
OVERLAP_WORDS = 40
GAP = 4
"""Empty places between question and passage: as many as a convolution reaches."""
PADDING, QUESTION, PASSAGE = 0, 1, 2
LENGTH_STEP = 16

Pair = tuple[TextWords, TextWords]


@dataclass(frozen=True, slots=True)
class Rows:
    """Pairs laid out, padded with zeros."""

    words: Numbers
    """int32 (B, L), numbers in the book."""
    parts: Numbers
    """int32 (B, L)"""
    names: Numbers
    """int32 (B, L)"""
    features: FloatArray
    """float32 (B, L, F)"""
    sides: Numbers
    """int32 (B, L): padding, question or passage."""
    firsts: Numbers
    """int32 (B,): the place of the passage's first word."""


def row_length(pair: Pair) -> int:
    """Places a pair takes, up to the next step: equal for pairs of like length."""
    needed = len(pair[0]) + GAP + len(pair[1])
    return -(-needed // LENGTH_STEP) * LENGTH_STEP


def lay_out_pairs(book: WordBook, pairs: Sequence[Pair], length: int) -> Rows:
    """Put pairs, none with an empty side or longer than `length`, into rows."""
    shape = (len(pairs), length)
    rows = Rows(
        np.zeros(shape, np.int32),
        np.zeros(shape, np.int32),
        np.zeros(shape, np.int32),
        np.zeros((*shape, FEATURES), np.float32),
        np.zeros(shape, np.int32),
        np.array([len(question) + GAP for question, _ in pairs], np.int32),
    )
    for row, (question, passage) in enumerate(pairs):
        features = pair_features(book, question, passage)
        places = (slice(0, len(question)), slice(rows.firsts[row], rows.firsts[row] + len(passage)))
        parts = (features[: len(question)], features[len(question) :])
        sides = (QUESTION, PASSAGE)
        for text, at, columns, side in zip((question, passage), places, parts, sides, strict=True):
            rows.words[row, at] = text.words
            rows.parts[row, at] = text.parts
            rows.names[row, at] = text.names
            rows.features[row, at] = columns
            rows.sides[row, at] = side
    return rows


def windows(count: int) -> list[tuple[int, int]]:
    """First and end of the overlapping windows that a passage of so many words is read in."""
    step = MAX_PASSAGE_WORDS - OVERLAP_WORDS
    firsts = range(0, max(count - OVERLAP_WORDS, 1), step)
    return [(first, min(first + MAX_PASSAGE_WORDS, count)) for first in firsts]
