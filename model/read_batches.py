"""What the steps of the reader's training see: exercises drawn in blocks, laid out as tensors.

Shapes: B rows, L places, S span lengths.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model.device import Device, OnDevice
from model.read_config import ReadTrainConfig
from model.read_exercise import Exercise, fitted
from model.read_layout import lay_out_pairs, row_length
from model.read_network import RowTensors
from model.read_sources import MORE, NEWS, PAIRS, QUIZ, SENTENCES, SQUAD, STORIES, TEXTS
from model.read_teacher import PieceBook, PieceTensors
from model.read_variants import Exercises
from model.read_words import WordBook

FIRST, LAST, AGAIN, MADE, TOLD, PEOPLE = range(6)
ORDER = MADE, FIRST, PEOPLE, TOLD, LAST, AGAIN
MIX = {
    MADE: {TEXTS: 15, SENTENCES: 1},
    FIRST: {SQUAD: 7, SENTENCES: 4, QUIZ: 1, TEXTS: 4},
    LAST: {SQUAD: 14, SENTENCES: 1, QUIZ: 1},
    AGAIN: {SQUAD: 12, SENTENCES: 1, QUIZ: 1, NEWS: 2},
    PEOPLE: {MORE: 18, SQUAD: 3, SENTENCES: 1, QUIZ: 1, NEWS: 1},
    TOLD: {MORE: 10, SQUAD: 4, PAIRS: 2, STORIES: 1, SENTENCES: 1, QUIZ: 1, NEWS: 2, TEXTS: 3},
}
"""Batches of each source in a block, by phase; those of a source are sorted by length: little is padding."""
DAMAGE = {MADE: 0.4, FIRST: 0.4, LAST: 1.0, AGAIN: 1.0, TOLD: 1.0, PEOPLE: 1.0}
"""How much of the damage is done, by phase: where to look is learned before when not to answer."""


@dataclass(frozen=True, slots=True)
class ReadBatch(OnDevice):
    """All that one step sees."""

    rows: RowTensors
    right: Tensor
    """bool (B, L, S): the right spans by first word and length."""
    pieces: PieceTensors | None = None
    """What a teacher sees."""


def lay_out(
    book: WordBook,
    exercises: Sequence[Exercise],
    max_span_words: int,
    pieces: PieceBook | None = None,
) -> ReadBatch:
    """Exercises in rows of one length, with pieces of words if a teacher shall see them."""
    pairs = [(exercise.question, exercise.passage) for exercise in exercises]
    length = max(row_length(pair) for pair in pairs)
    rows = lay_out_pairs(book, pairs, length)
    right = np.zeros((len(pairs), length, max_span_words), np.bool_)
    for row, exercise in enumerate(exercises):
        for first, last in exercise.answers:
            if last - first < max_span_words:
                right[row, rows.firsts[row] + first, last - first] = True
    told = pieces.lay_out(pairs, length) if pieces is not None else None
    return ReadBatch(RowTensors.of(rows), torch.from_numpy(right), told)


@dataclass(frozen=True, slots=True)
class Block:
    """Some batches that are drawn together."""

    phase: int
    number: int
    """Within its phase."""
    size: int
    """Batches."""


def blocks_of(train: ReadTrainConfig, sources: Mapping[str, object]) -> Iterator[Block]:
    """The blocks of a whole training, in order."""
    steps = {
        MADE: train.made_steps,
        FIRST: train.first_steps,
        LAST: train.last_steps,
        AGAIN: train.again_steps,
        TOLD: train.told_steps,
        PEOPLE: train.people_steps,
    }
    for phase in ORDER:
        most = sum(count for name, count in MIX[phase].items() if name in sources)
        for number in range(-(-steps[phase] // most)):
            yield Block(phase, number, min(most, steps[phase] - number * most))


class _Blocks(Dataset[list[ReadBatch]]):
    """Blocks by what they are; each depends on the seed and its place alone."""

    def __init__(
        self,
        drawers: Mapping[str, Exercises],
        book: WordBook,
        train: ReadTrainConfig,
        max_span_words: int,
        pieces: PieceBook | None,
    ) -> None:
        self._drawers, self._book, self._train = drawers, book, train
        self._max_span_words, self._pieces = max_span_words, pieces

    def __getitem__(self, block: Block) -> list[ReadBatch]:
        rng = np.random.default_rng((self._train.seed, block.phase, block.number))
        drawn = [
            found
            for name, count in MIX[block.phase].items()
            if name in self._drawers
            for found in self._alike(self._drawers[name], count, DAMAGE[block.phase], rng)
        ]
        order = rng.permutation(len(drawn))[: block.size]
        return [lay_out(self._book, drawn[at], self._max_span_words, self._pieces) for at in order]

    def _alike(
        self, drawer: Exercises, count: int, damage: float, rng: np.random.Generator
    ) -> list[list[Exercise]]:
        """So many batches of a source, each of exercises of like length."""
        size = self._train.batch_size
        drawn = [fitted(drawer.draw(rng, damage=damage), rng) for _ in range(count * size)]
        drawn.sort(key=lambda exercise: len(exercise.question) + len(exercise.passage))
        return [drawn[at : at + size] for at in range(0, len(drawn), size)]


def load_batches(
    drawers: Mapping[str, Exercises],
    book: WordBook,
    train: ReadTrainConfig,
    *,
    max_span_words: int,
    first: int,
    device: Device,
    pieces: PieceBook | None = None,
) -> Iterator[ReadBatch]:
    """The batches of all steps from `first` on.

    Args:
        drawers: of exercises, by source.
        book: the words of their texts.
        train: the steps.
        max_span_words: S.
        first: step.
        device: where they go; an accelerator has its blocks made ahead by other processes.
        pieces: of the words, if a teacher shall see them.
    """
    wanted: list[Block] = []
    done = passed = 0
    for block in blocks_of(train, drawers):
        done += block.size
        if done > first:
            wanted.append(block)
        else:
            passed = done
    loader: DataLoader[list[ReadBatch]] = DataLoader(
        _Blocks(drawers, book, train, max_span_words, pieces),
        sampler=wanted,
        batch_size=None,
        num_workers=device.workers,
        pin_memory=device.name != "cpu",
    )
    if device.workers:
        # Otherwise every tensor that is ready keeps a file open, and there are thousands.
        torch.multiprocessing.set_sharing_strategy("file_system")  # type: ignore[no-untyped-call]  # torch leaves it without types
    skipped = first - passed
    for batches in loader:
        yield from batches[skipped:]
        skipped = 0
