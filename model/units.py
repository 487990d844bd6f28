"""Text to units and units to rows: which hashed vectors make up a text.

A unit is a stretch of characters that belongs together. Two ways of finding units share all the
rest: plain words (runs of letters and digits), and confident units, which end where the next
character stops being predictable. A feature is a unit or a character n-gram of a word; features
are hashed into buckets, and the buckets that proved frequent in training own a row. There is no
Python loop per character or per unit.

Shapes: N texts, T characters of all of them, U units, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.characters import SPACE, TEXT_END, Points, is_blank, is_word_character, join_base_letters
from model.contexts import ContextTable
from model.hashing import Hashes, Offsets, SpanHasher, mix

BUCKET_BITS = 22
"""Four million buckets: about two in a hundred unknown features fall into one that owns a row."""
NO_ROW = -1
MIN_GRAM, MAX_GRAM = 3, 5
MAX_UNIT_CHARS = 24

_SALTS = {
    "word": np.uint64(0x1B873593CC9E2D51),
    "unit": np.uint64(0x85EBCA6BC2B2AE35),
    "gram": np.uint64(0x27D4EB2F165667C5),
    "pair": np.uint64(0x2545F4914F6CDD1D),
}
_PAIR_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Spans:
    """Stretches of a joined array of texts, in order."""

    starts: Offsets
    """int64 (U,)"""
    ends: Offsets
    """int64 (U,), exclusive."""


@dataclass(frozen=True, slots=True)
class Features:
    """Hash buckets of all features of all texts, the units that grams are cut from first."""

    buckets: npt.NDArray[np.int64]
    """int64 (F,)"""
    owners: npt.NDArray[np.int64]
    """int64 (F,): the text each feature belongs to, ascending within each kind."""
    parents: npt.NDArray[np.int64]
    """int64 (F,): for a gram, the place in these arrays of the unit it lies in; -1 for others."""


def find_words(points: Points) -> Spans:
    """Runs of letters and digits, and every other visible character by itself."""
    is_word = is_word_character(points)
    is_alone = ~is_word & ~is_blank(points)
    before = np.concatenate(([False], is_word[:-1]))
    after = np.concatenate((is_word[1:], [False]))
    starts = np.flatnonzero((is_word & ~before) | is_alone)
    ends = np.flatnonzero((is_word & ~after) | is_alone) + 1
    return Spans(starts, ends)


def find_confident_units(points: Points, table: ContextTable, *, threshold: float) -> Spans:
    """Stretches within which every character was predicted with at least `threshold`.

    Units keep to one text, are at most `MAX_UNIT_CHARS` long, and lose the blanks at their ends.
    """
    if not len(points):
        return Spans(np.empty(0, np.int64), np.empty(0, np.int64))
    begins = table.next_probability(points) < threshold
    is_end = points == TEXT_END
    begins |= is_end
    begins[1:] |= is_end[:-1]
    begins[0] = True
    positions = np.arange(len(points))
    last_begin = np.maximum.accumulate(np.where(begins, positions, 0))
    begins |= (positions - last_begin) % MAX_UNIT_CHARS == 0
    starts = np.flatnonzero(begins)
    ends = np.concatenate((starts[1:], [len(points)]))
    return _strip_blanks(points, Spans(starts, ends))


def _strip_blanks(points: Points, spans: Spans) -> Spans:
    blank = is_blank(points)
    positions = np.arange(len(points))
    next_visible = np.minimum.accumulate(np.where(blank, len(points), positions)[::-1])[::-1]
    last_visible = np.maximum.accumulate(np.where(blank, -1, positions))
    starts = next_visible[spans.starts]
    ends = last_visible[spans.ends - 1] + 1
    kept = starts < ends
    return Spans(starts[kept], ends[kept])


class FeatureFinder:
    """Finds the features of texts by the kinds that a model was trained with."""

    def __init__(
        self, kinds: Sequence[str], contexts: ContextTable | None, *, threshold: float
    ) -> None:
        if not kinds or kinds[0] not in {"word", "unit"} or set(kinds) - set(_SALTS):
            raise ValueError(f"not a list of feature kinds, words or units first: {list(kinds)}")
        if "unit" in kinds and contexts is None:
            raise ValueError("confident units need a table of contexts")
        self.kinds = tuple(kinds)
        self._contexts = contexts
        self._threshold = threshold

    def find(self, texts: Sequence[str]) -> Features:
        """All features of all texts; a text without any visible character has none."""
        points, text_starts = join_base_letters(texts)
        owner_of = np.repeat(np.arange(len(texts)), np.diff(text_starts))
        hasher = SpanHasher(points)
        spans = {kind: self._spans(points, kind) for kind in self.kinds if kind in {"word", "unit"}}
        words = spans["word"] if "word" in spans else find_words(points)
        hashes, owners, parents = [], [], []
        for kind in self.kinds:
            if kind == "gram":
                found, second = _grams(points)
                parent_of = np.zeros(len(points), dtype=np.int64)
                parent_of[spans[self.kinds[0]].starts] = 1
                parents.append((np.cumsum(parent_of) - 1)[second])
                owners.append(owner_of[second])
            elif kind == "pair":
                found, second = _pairs(hasher, words, owner_of)
                owners.append(owner_of[second])
                parents.append(np.full(len(second), -1))
            else:
                found = hasher.spans(spans[kind].starts, spans[kind].ends)
                owners.append(owner_of[spans[kind].starts])
                parents.append(np.full(len(found), -1))
            hashes.append(mix(found ^ _SALTS[kind]) >> np.uint64(64 - BUCKET_BITS))
        buckets = np.concatenate(hashes).astype(np.int64)
        return Features(buckets, np.concatenate(owners), np.concatenate(parents))

    def _spans(self, points: Points, kind: str) -> Spans:
        if kind == "word" or self._contexts is None:
            return find_words(points)
        return find_confident_units(points, self._contexts, threshold=self._threshold)


def _pairs(hasher: SpanHasher, words: Spans, owner_of: Offsets) -> tuple[Hashes, Offsets]:
    """Hashes of two neighbouring words of one text, and the start of the second."""
    hashes = hasher.spans(words.starts, words.ends)
    same = owner_of[words.starts[1:]] == owner_of[words.starts[:-1]]
    pairs = (mix(hashes[:-1]) * _PAIR_FACTOR + hashes[1:])[same]
    return pairs, words.starts[1:][same]


def _grams(points: Points) -> tuple[Hashes, Offsets]:
    """Character n-grams of words, one blank at either end counted in, whole words left out.

    Returns:
        Hashes, and the position of each gram's second character, which is always inside a word.
    """
    is_word = is_word_character(points)
    # One blank in front, so that the first word of all has its edge too.
    clean = np.concatenate(([SPACE], np.where(is_word, points, SPACE))).astype(np.uint32)
    inside = np.concatenate(([False], is_word))
    breaks = np.concatenate(([0], np.cumsum(~inside)))
    hasher = SpanHasher(clean)
    hashes, positions = [], []
    for length in range(MIN_GRAM, MAX_GRAM + 1):
        starts = np.arange(max(len(clean) - length + 1, 0))
        unbroken = breaks[starts + length - 1] == breaks[starts + 1]
        starts = starts[unbroken & (inside[starts] | inside[starts + length - 1])]
        hashes.append(hasher.spans(starts, starts + length))
        # The blank in front shifts by one: a start here is the second character's place there.
        positions.append(starts)
    return np.concatenate(hashes), np.concatenate(positions)


class UnitRows:
    """Finds the table rows of texts: features whose bucket owns a row, and what may be left out."""

    def __init__(
        self, finder: FeatureFinder, row_buckets: npt.NDArray[np.uint32], *, trusted_rows: int
    ) -> None:
        """Set up the look-up.

        Args:
            finder: finds the features.
            row_buckets: uint32 (R,): the bucket that owns each row.
            trusted_rows: units with a row below this are frequent enough to need no grams.
        """
        self._finder = finder
        self._trusted_rows = trusted_rows
        self._row_of = np.full(1 << BUCKET_BITS, NO_ROW, dtype=np.int32)
        self._row_of[row_buckets] = np.arange(len(row_buckets), dtype=np.int32)

    def find(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], Offsets]:
        """Rows of all texts, text by text.

        Returns:
            int32 (F,) and the start of each text's rows, int64 (N + 1,).
        """
        features = self._finder.find(texts)
        rows = self._row_of[features.buckets]
        parent_rows = rows[features.parents]
        is_spared = (parent_rows >= 0) & (parent_rows < self._trusted_rows)
        kept = (rows >= 0) & ~(is_spared & (features.parents >= 0))
        owners = features.owners[kept]
        order = np.argsort(owners, kind="stable")
        counts = np.bincount(owners, minlength=len(texts))
        return rows[kept][order], np.concatenate(([0], np.cumsum(counts)))
