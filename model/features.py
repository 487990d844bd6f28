"""Features of frozen encoders for linear classifiers.

A text's vector weighs its units by what they mean for similarity, and so says little of the small
words ("how", "not") that classes may hang on. Where an encoder shows its units, each is made unit
length, sent through a fixed random projection, and the largest value of any unit is kept (BOREP of
Wieting and Kiela, 2019, "No training required"), and so is their mean. Nothing here is learned.

Shapes: N texts, U units of a block, D width, P projections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from model.protocols import Embeds, FloatArray, GivesUnitStates

DIRECTIONS = 2048
"""Each is looked along both ways, which makes 4096 projections at the price of half."""
SEED = 1
BLOCK_TEXTS = 64


class Features(Protocol):
    """Turns texts into what a linear classifier sees."""

    @property
    def name(self) -> str:
        """What they are, for the report."""
        ...

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """One row a text, float32 (N, F)."""
        ...


class VectorAlone:
    """The text's vector and nothing else."""

    name = "vector"

    def __init__(self, model: Embeds) -> None:
        self._model = model

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Float32 (N, D)."""
        return self._model.embed(texts)


class RandomProjection:
    """Units at random angles, the largest of each kept, beside their mean and the text's vector."""

    name = f"vector, and unit states: mean, and {2 * DIRECTIONS} random projections, max-pooled"

    def __init__(self, model: GivesUnitStates) -> None:
        self._model = model
        self._directions: FloatArray | None = None

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Float32 (N, 2 P + 2 D): projections and mean, zeros without units, and the vector."""
        blocks = [
            self._pooled(texts[start : start + BLOCK_TEXTS])
            for start in range(0, len(texts), BLOCK_TEXTS)
        ]
        if not blocks:
            blocks = [self._pooled([])]
        return np.concatenate((np.concatenate(blocks), self._model.embed(texts)), axis=1)

    def _pooled(self, texts: Sequence[str]) -> FloatArray:
        states, offsets = self._model.unit_states(texts)
        if self._directions is None:
            self._directions = directions(states.shape[1])
        lengths = np.linalg.norm(states, axis=1, keepdims=True)
        units = states / np.where(lengths > 0, lengths, 1)
        # Every unit along every direction: (U, P).
        along = units @ self._directions
        pooled = np.zeros((len(texts), 2 * DIRECTIONS + units.shape[1]), dtype=np.float32)
        counts = np.diff(offsets)
        filled = np.flatnonzero(counts)
        if len(filled):
            starts = offsets[filled]
            largest, least, mean = np.split(pooled, (DIRECTIONS, 2 * DIRECTIONS), axis=1)
            largest[filled] = np.maximum.reduceat(along, starts, axis=0)
            least[filled] = -np.minimum.reduceat(along, starts, axis=0)
            mean[filled] = np.add.reduceat(units, starts, axis=0) / counts[filled, None]
        return pooled


def directions(width: int) -> FloatArray:
    """The same for every run, float32 (D, P), uniform within 1 / sqrt(D) of 0."""
    rng = np.random.default_rng(SEED)
    found = rng.uniform(-1, 1, (width, DIRECTIONS)) / np.sqrt(width)
    return np.asarray(found, dtype=np.float32)


def features_of(model: Embeds) -> Features:
    """The richest features that an encoder allows."""
    return RandomProjection(model) if isinstance(model, GivesUnitStates) else VectorAlone(model)
