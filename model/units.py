"""Text to units and units to rows: which hashed vectors make up a text.

A unit is a stretch of characters that belongs together. Three ways of finding units share all the
rest: plain words (runs of letters and digits); confident units, which end where the next character
stops being predictable; and phrases, whole words joined while they were predicted. A feature is a
unit, a pair of words, a character n-gram or a part of a word; features are hashed into buckets,
and the buckets that proved frequent in training own a row. There is no Python loop per character
or per unit.

Shapes: N texts, T characters of all of them, U units, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.characters import (
    DIGIT,
    LOWER,
    NO_PART,
    SPACE,
    TEXT_END,
    UPPER,
    Points,
    base_letters,
    is_blank,
    is_word_character,
    join_points,
    part_classes,
)
from model.contexts import ContextTable
from model.hashing import Hashes, Offsets, SpanHasher, mix

BUCKET_BITS = 22
"""Four million buckets: about two in a hundred unknown features fall into one that owns a row."""
NO_ROW = -1
MIN_GRAM, MAX_GRAM = 3, 5
MAX_UNIT_CHARS = 24
_RUN_WORDS = 16
"""Words of one confident run that phrases are cut from at a time: it bounds the work."""

_WORD_SALT = np.uint64(0x1B873593CC9E2D51)
_SALTS = {
    "word": _WORD_SALT,
    # A part of a word and a phrase of one word share the row of that word.
    "part": _WORD_SALT,
    "phrase": _WORD_SALT,
    "unit": np.uint64(0x85EBCA6BC2B2AE35),
    "gram": np.uint64(0x27D4EB2F165667C5),
    "pair": np.uint64(0x2545F4914F6CDD1D),
}
_UNIT_KINDS = ("word", "unit", "phrase")
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
    tokens: npt.NDArray[np.int64]
    """int64 (F,): the unit of the first kind each feature stands in, counted over all texts; a
    pair stands in its second word. Ascending within each kind and length of n-gram."""


def find_words(points: Points) -> Spans:
    """Runs of letters and digits, and every other visible character by itself."""
    is_word = is_word_character(points)
    is_alone = ~is_word & ~is_blank(points)
    before = np.concatenate(([False], is_word[:-1]))
    after = np.concatenate((is_word[1:], [False]))
    starts = np.flatnonzero((is_word & ~before) | is_alone)
    ends = np.flatnonzero((is_word & ~after) | is_alone) + 1
    return Spans(starts, ends)


def find_confident_units(
    points: Points, table: ContextTable, *, threshold: float, aligned: bool = False
) -> Spans:
    """Stretches within which every character was predicted with at least `threshold`.

    Units keep to one text, are at most `MAX_UNIT_CHARS` long, and lose the blanks at their ends.
    `aligned` units are phrases: see `find_phrases`.
    """
    if aligned:
        return find_phrases(points, table, threshold=threshold)
    cuts = confident_cuts(points, table, threshold=threshold)
    return _strip_blanks(points, Spans(cuts[:-1], cuts[1:]))


def confident_cuts(points: Points, table: ContextTable, *, threshold: float) -> Offsets:
    """Where confident units begin before their blanks are stripped, int64 (U + 1,), T at the end.

    From cut to cut the units are the text, with nothing lost and nothing twice.
    """
    begins = _is_surprising(points, table, threshold)
    text_ends = np.flatnonzero(points == TEXT_END)
    begins[text_ends] = True
    begins[text_ends[text_ends < len(points) - 1] + 1] = True
    begins[:1] = True
    starts = np.flatnonzero(begins)
    # Too long units are cut into pieces of the greatest length.
    pieces = -(-np.diff(starts, append=len(points)) // MAX_UNIT_CHARS)
    if (pieces > 1).any():
        piece = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = np.repeat(starts, pieces) + piece * MAX_UNIT_CHARS
    return np.append(starts, len(points))


def find_phrases(points: Points, table: ContextTable, *, threshold: float) -> Spans:
    """Words, each joined to the one before if it was predicted there.

    A word joins if one space parts the two and that space and every character of the word had at
    least the probability `threshold`. Marks stay alone. Phrases of several words are at most
    `MAX_UNIT_CHARS` long; a longer word is a phrase by itself.
    """
    words = find_words(points)
    if not len(words.starts):
        return words
    gaps = np.concatenate(([0], words.ends[:-1]))
    is_joined = words.starts - gaps == 1
    is_joined &= points[gaps] == SPACE
    is_joined[0] = False
    is_letters = is_word_character(points[words.starts])
    is_joined &= is_letters
    is_joined[1:] &= is_letters[:-1]
    surprising = _is_surprising(points[: words.ends[-1]], table, threshold)
    is_joined &= ~np.logical_or.reduceat(surprising, gaps)
    firsts = _first_words(words, is_joined)
    lasts = np.append(firsts[1:], len(words.starts)) - 1
    return Spans(words.starts[firsts], words.ends[lasts])


def _first_words(words: Spans, is_joined: npt.NDArray[np.bool_]) -> Offsets:
    """Indices of the words that begin a phrase, greedily from the left of each run of joined ones."""
    runs = np.flatnonzero(~is_joined)
    run_words = np.diff(runs, append=len(is_joined))
    pieces = -(-run_words // _RUN_WORDS)
    piece = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    begins = ~is_joined
    firsts = np.repeat(runs, pieces) + piece * _RUN_WORDS
    ends = np.append(firsts[1:], len(is_joined))
    while len(firsts):
        begins[firsts] = True
        limits = words.starts[firsts] + MAX_UNIT_CHARS
        is_open = words.ends[ends - 1] > limits
        firsts, ends, limits = firsts[is_open], ends[is_open], limits[is_open]
        firsts = np.maximum(np.searchsorted(words.ends, limits, side="right"), firsts + 1)
        is_open = firsts < ends
        firsts, ends = firsts[is_open], ends[is_open]
    return np.flatnonzero(begins)


def _is_surprising(points: Points, table: ContextTable, threshold: float) -> npt.NDArray[np.bool_]:
    """Whether each character had less than the probability `threshold`, bool (T,)."""
    surprising = np.empty(len(points), dtype=np.bool_)
    for start, block in table.probability_blocks(points):
        np.less(block, np.float32(threshold), out=surprising[start : start + len(block)])
    return surprising


def _strip_blanks(points: Points, spans: Spans) -> Spans:
    """Spans without the blanks at their ends; those of blanks only are dropped."""
    starts, ends = spans.starts.copy(), spans.ends.copy()
    # One blank of each span at a time: few spans have many, and none is long.
    blank = np.flatnonzero(is_blank(points[starts]))
    while len(blank):
        starts[blank] += 1
        blank = blank[starts[blank] < ends[blank]]
        blank = blank[is_blank(points[starts[blank]])]
    kept = starts < ends
    starts, ends = starts[kept], ends[kept]
    blank = np.flatnonzero(is_blank(points[ends - 1]))
    while len(blank):
        ends[blank] -= 1
        blank = blank[is_blank(points[ends[blank] - 1])]
    return Spans(starts, ends)


def find_parts(cased: Points, words: Spans) -> Spans:
    """Parts of the words that have a hump: get|User|Name, HTTP|Server|2; other words have none.

    Args:
        cased: uint32 (T,): the characters before `base_letters` took their case.
        words: words of the base letters.
    """
    classes = part_classes(cased)
    before, here = classes[:-1], classes[1:]
    is_hump = (before == LOWER) & (here == UPPER)
    is_hump |= (before == DIGIT) != (here == DIGIT)
    is_hump[:-1] |= (before[:-1] == UPPER) & (here[:-1] == UPPER) & (here[1:] == LOWER)
    is_hump &= (before != NO_PART) & (here != NO_PART)
    humps = np.flatnonzero(is_hump) + 1
    if not len(humps):
        return Spans(np.empty(0, np.int64), np.empty(0, np.int64))
    humped = np.unique(np.searchsorted(words.starts, humps, side="right") - 1)
    starts = np.sort(np.concatenate((words.starts[humped], humps)))
    ends = np.sort(np.concatenate((words.ends[humped], humps)))
    return Spans(starts, ends)


class FeatureFinder:
    """Finds the features of texts by the kinds that a model was trained with.

    The first kind cuts the text into units: "word", "unit" (confident) or "phrase". More kinds may
    follow, these among them, and "gram", "pair" and "part". Words, phrases and parts share rows,
    so what an earlier kind has told ("bridge", a phrase of one word) a later one leaves out.
    """

    def __init__(
        self, kinds: Sequence[str], contexts: ContextTable | None, *, threshold: float
    ) -> None:
        if not kinds or kinds[0] not in _UNIT_KINDS or set(kinds) - set(_SALTS):
            raise ValueError(f"not a list of feature kinds, units first: {list(kinds)}")
        if contexts is None and {"unit", "phrase"} & set(kinds):
            raise ValueError("confident units and phrases need a table of contexts")
        self.kinds = tuple(kinds)
        self._contexts = contexts
        self._threshold = threshold

    def find(self, texts: Sequence[str]) -> Features:
        """All features of all texts; a text without any visible character has none."""
        cased, text_starts = join_points(texts)
        points = base_letters(cased)
        owner_of = np.repeat(np.arange(len(texts)), np.diff(text_starts))
        hasher = SpanHasher(points)
        words = find_words(points)
        hashes: list[Hashes] = []
        places: list[Offsets] = []
        parents: list[Offsets] = []
        told: Spans | None = None
        for kind in self.kinds:
            if kind == "gram":
                found, place = _grams(points)
            elif kind == "pair":
                found, place = _pairs(hasher, words, owner_of)
            else:
                spans = find_parts(cased, words) if kind == "part" else self._units(kind, points)
                if not places:
                    token_of = _token_of(spans, len(points))
                if _SALTS[kind] == _WORD_SALT:
                    spans = spans if told is None else _without(spans, told)
                    told = told or spans
                found, place = hasher.spans(spans.starts, spans.ends), spans.starts
            places.append(place)
            parents.append(token_of[place] if kind == "gram" else np.full(len(place), -1))
            hashes.append(mix(found ^ _SALTS[kind]) >> np.uint64(64 - BUCKET_BITS))
        buckets = np.concatenate(hashes).astype(np.int64)
        all_places = np.concatenate(places)
        tokens = token_of[all_places]
        return Features(buckets, owner_of[all_places], np.concatenate(parents), tokens)

    def _units(self, kind: str, points: Points) -> Spans:
        if kind == "word" or self._contexts is None:
            return find_words(points)
        return find_confident_units(
            points, self._contexts, threshold=self._threshold, aligned=kind == "phrase"
        )


def _without(spans: Spans, told: Spans) -> Spans:
    """Spans that are not among those of an earlier kind: one word is not told twice."""
    if not len(told.starts):
        return spans
    at = np.minimum(np.searchsorted(told.starts, spans.starts), len(told.starts) - 1)
    is_new = (told.starts[at] != spans.starts) | (told.ends[at] != spans.ends)
    return Spans(spans.starts[is_new], spans.ends[is_new])


def _token_of(units: Spans, count: int) -> Offsets:
    """Index of the unit that each character stands in, or of the last before it, int64 (T,)."""
    begins = np.zeros(count, dtype=np.int64)
    begins[units.starts] = 1
    return np.cumsum(begins) - 1


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
        rows, owners, _ = self._known(self._finder.find(texts))
        order = np.argsort(owners, kind="stable")
        counts = np.bincount(owners, minlength=len(texts))
        return rows[order], np.concatenate(([0], np.cumsum(counts)))

    def find_tokens(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.int32], Offsets, Offsets]:
        """Rows of all texts, token by token: a token is a unit of the finder's first kind.

        The rows of a text are those that `find` gives, in another order. A token that owns no row
        is left out, and the others are counted without it.

        Returns:
            int32 (F,); the token of each row over all texts, int64 (F,), ascending; and the first
            token of each text, int64 (N + 1,), whose last entry is the number of tokens.
        """
        rows, owners, tokens = self._known(self._finder.find(texts))
        # A few ascending runs, one for each kind and length of n-gram: a stable sort merges them.
        order = np.argsort(tokens, kind="stable")
        is_first = np.diff(tokens[order], prepend=-1) > 0
        counts = np.bincount(owners[order][is_first], minlength=len(texts))
        return rows[order], np.cumsum(is_first) - 1, np.concatenate(([0], np.cumsum(counts)))

    def token_buckets(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """The bucket of each token itself, not of its n-grams; int64 (U,), tokens as `find_tokens` counts them."""
        features = self._finder.find(texts)
        # Features of the first kind come first, one a token.
        return features.buckets[np.unique(self._known(features)[2])]

    def rows_of(self, buckets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """The row that each bucket owns, `NO_ROW` where none; int32 (F,)."""
        return self._row_of[buckets]

    def _known(self, features: Features) -> tuple[npt.NDArray[np.int32], Offsets, Offsets]:
        """Rows of the features that own one and are not spared, with their texts and tokens."""
        rows = self._row_of[features.buckets]
        parent_rows = rows[features.parents]
        is_spared = (parent_rows >= 0) & (parent_rows < self._trusted_rows)
        kept = (rows >= 0) & ~(is_spared & (features.parents >= 0))
        return rows[kept], features.owners[kept], features.tokens[kept]
