"""What each tag says of a word: sums of weights by hashed features, remembered from text to text.

A word's own scores do not depend on where it stands, so they are reckoned once: as itself, and as the neighbour at each
offset. New words are reckoned together. When too many are remembered, all are forgotten and it begins anew.

Shapes: W words, S slots (itself, then each offset), K tags, R rows of a table, F features.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.tag_sequence import Floats, Ints
from model.tag_words import (
    FAR_FEATURES,
    OFFSETS,
    Hashes,
    Vocabulary,
    WordFeatures,
    mix,
    word_features,
)

MAX_REMEMBERED_WORDS = 50_000
FIRST_ROOM = 1024
TRAITS = 5


@dataclass(frozen=True, slots=True)
class Head:
    """One tag set: a table of feature weights and the transitions between its tags."""

    tags: tuple[str, ...]
    weights: npt.NDArray[np.int8]
    """(R, K); R is a power of two."""
    scale: Floats
    """(K,) value of one weight step."""
    transitions: Floats
    """(K + 1, K); the last row is the start of a sentence."""

    def score(self, hashes: Hashes) -> Floats:
        """Sum the weights of (..., F) hashes: float32 (..., K)."""
        return self._scaled(self._steps(hashes).sum(axis=-2, dtype=np.int32))

    def score_runs(self, hashes: Hashes, starts: Ints) -> Floats:
        """Sum the weights of runs of hashes, none empty, that begin at `starts`: float32 (len(starts), K)."""
        return self._scaled(np.add.reduceat(self._steps(hashes), starts, axis=0, dtype=np.int32))

    def _steps(self, hashes: Hashes) -> npt.NDArray[np.int8]:
        rows = (hashes & np.uint64(len(self.weights) - 1)).astype(np.int64)
        return self.weights.take(rows, axis=0)

    def _scaled(self, steps: npt.NDArray[np.int32]) -> Floats:
        return np.asarray(steps * self.scale, np.float32)


class WordBook:
    """Scores and traits of the words met so far, by their number in it."""

    def __init__(self, heads: Sequence[Head], vocabulary: Vocabulary) -> None:
        self._heads, self._vocabulary = tuple(heads), vocabulary
        self._numbers: dict[str, int] = {}
        self._traits = np.zeros((FIRST_ROOM, TRAITS), np.uint64)
        slots = 1 + len(OFFSETS)
        self._scores: list[Floats] = [
            np.zeros((FIRST_ROOM, slots, len(head.tags)), np.float32) for head in self._heads
        ]

    def numbers(self, words: Iterable[str]) -> dict[str, int]:
        """The number of each word; numbers given before a call hold no longer after it."""
        wanted = list(dict.fromkeys(words))
        if len(self._numbers) > MAX_REMEMBERED_WORDS:
            self._numbers.clear()
        new = [word for word in wanted if word not in self._numbers]
        if new:
            self._add(new)
        return {word: self._numbers[word] for word in wanted}

    def traits(self, numbers: Ints) -> Hashes:
        """Traits of words given by number: uint64 (..., TRAITS)."""
        return self._traits[numbers]

    def scores(self, head: int, slot: int, numbers: Ints) -> Floats:
        """Scores of words in one slot: float32 (..., K)."""
        scores: Floats = self._scores[head][numbers, slot]
        return scores

    def _add(self, words: Sequence[str]) -> None:
        first = len(self._numbers)
        end = first + len(words)
        if end > len(self._traits):
            room = max(end, 2 * len(self._traits))
            self._traits = _with_room(self._traits, room)
            self._scores = [_with_room(scores, room) for scores in self._scores]
        features = [word_features(word, self._vocabulary) for word in words]
        self._traits[first:end] = [one.traits for one in features]
        unit, starts, near = _columns(features)
        for head, scores in zip(self._heads, self._scores, strict=True):
            scores[first:end, 0] = head.score_runs(mix_slot(unit, 0), starts)
            for slot, hashes in enumerate(neighbour_hashes(near), start=1):
                scores[first:end, slot] = head.score(hashes)
        self._numbers.update(zip(words, range(first, end), strict=True))


def _columns(features: Sequence[WordFeatures]) -> tuple[Hashes, Ints, Hashes]:
    """Hashes of the words themselves one after another, where each begins, and as neighbours (W, F)."""
    sizes = np.array([len(one.unit) for one in features])
    unit = np.array([hash_ for one in features for hash_ in one.unit], np.uint64)
    near = np.array([one.near for one in features], np.uint64)
    return unit, np.cumsum(sizes) - sizes, near


def _with_room(array: npt.NDArray[Any], room: int) -> npt.NDArray[Any]:
    grown = np.zeros((room, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


def slot_hashes(unit: Sequence[int], near: Sequence[int]) -> list[Hashes]:
    """Hashes of one word as itself and as the neighbour at each offset, each in a slot of its own."""
    own = mix_slot(np.array(unit, np.uint64), 0)
    return [own, *neighbour_hashes(np.array(near, np.uint64))]


def neighbour_hashes(near: Hashes) -> list[Hashes]:
    """The hashes (..., F) of words as the neighbour at each offset; far ones show less of themselves."""
    return [
        mix_slot(near if abs(offset) == 1 else near[..., :FAR_FEATURES], slot)
        for slot, offset in enumerate(OFFSETS, start=1)
    ]


def mix_slot(hashes: Hashes, slot: int) -> Hashes:
    """Tell the same feature in different slots apart."""
    return mix(hashes + np.uint64((slot + 1) << 40))
