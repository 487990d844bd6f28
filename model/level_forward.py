"""The network of `level_network.py` by numpy alone, read on from where it stopped: a few characters or many at once.

Levels of words (`word_levels.py`) are read by the same code: all that differs is which states are complete where
(`level_ends.py`). Attention looks back over a window; what is older is forgotten. What was read last can be taken back
in part, so that characters may be read on trial.

Shapes: V of the alphabet, L characters read at once, l new states of a level, C width of its states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from model.checkpoint import Arrays
from model.level_blocks import Block, Far, FloatArray, Near, Norm
from model.level_config import LevelConfig, LevelsOf
from model.level_ends import Bools, LevelEnds, Places


@dataclass(slots=True)
class _Level:
    """The blocks of a level, and what it holds between two stretches."""

    blocks: list[Block]
    head: tuple[FloatArray, FloatArray]
    norm: Norm
    pool: FloatArray | None
    """Of two states below; none of the lowest level."""
    told: FloatArray | None
    """From what the level above knows; none of the highest."""
    waiting: FloatArray
    """(l, C of the level below): states that were read last, behind the one that a state begins with which was not
    complete before them, if there was any."""
    heard: FloatArray
    """(l, C): what the level above told last; at first nothing."""


@dataclass(slots=True)
class LevelForward:
    """A network and how far it has read."""

    config: LevelConfig
    characters: FloatArray
    units: FloatArray | None
    levels: list[_Level]
    last: Near
    ends: LevelEnds = field(default_factory=lambda: LevelEnds(None))
    """Of the states that the last stretch completed."""

    @classmethod
    def of(
        cls, arrays: Arrays, config: LevelConfig, *, window: int, is_letter: Bools | None = None
    ) -> LevelForward:
        """Set up at the beginning of a text.

        Args:
            arrays: of the network, by torch's names.
            config: its sizes.
            window: characters that attention looks back over, see `LevelConfig.window_of`.
            is_letter: bool (V,), of every id whether words consist of it; levels of characters need none.

        Raises:
            ValueError: levels of words are not told what words consist of.
        """
        is_of_words = config.levels_of is LevelsOf.WORDS
        if is_of_words and is_letter is None:
            raise ValueError("levels of words must be told what words consist of")
        return cls(
            config,
            arrays["characters.weight"],
            arrays.get("units.weight"),
            [_level(arrays, config, level, window) for level in range(config.levels)],
            Near(arrays, "last"),
            LevelEnds(is_letter if is_of_words else None),
        )

    @property
    def length(self) -> int:
        """Characters read."""
        return self.ends.length

    def read(self, ids: npt.NDArray[np.integer], units: Places | None = None) -> list[FloatArray]:
        """Read on.

        Args:
            ids: (L,), one at least.
            units: int64 (L, K), rows of the larger units that end at each, where there is a table.

        Returns:
            What each level says of what follows its states that were completed: by level (l, code width).
        """
        x = self.characters[ids]
        if self.units is not None:
            x = x + self.units[units].sum(axis=1)
        self.ends.read(ids)
        states = self._up(x)
        for at in range(len(states) - 2, -1, -1):
            states[at] = self._hear(at, states)
        states[0] = self.last(states[0])
        return [
            level.norm(state) @ level.head[0] + level.head[1]
            for level, state in zip(self.levels, states, strict=True)
        ]

    def take_back(self, count: int) -> None:
        """Forget the last characters of the stretch that was read last.

        Raises:
            ValueError: they were not read together.
        """
        levels = range(len(self.levels))
        before = [self.ends.count(level) for level in levels]
        self.ends.take_back(count)
        surplus = [
            known - self.ends.count(level) for known, level in zip(before, levels, strict=True)
        ]
        self.last.take_back(count)
        for at, level in enumerate(self.levels):
            for block in level.blocks:
                block.take_back(surplus[at])
            if level.pool is not None:
                level.waiting = level.waiting[: len(level.waiting) - surplus[at - 1]]
            if level.told is not None:
                level.heard = level.heard[: len(level.heard) - surplus[at + 1]]

    def _up(self, x: FloatArray) -> list[FloatArray]:
        """States of all levels that are complete now, none of them told anything yet."""
        states: list[FloatArray] = []
        for at, level in enumerate(self.levels):
            if level.pool is not None:
                x = self._pooled(at, states[-1]) @ level.pool
            for block in level.blocks if len(x) else ():
                x = block(x)
            states.append(x)
        return states

    def _pooled(self, at: int, below: FloatArray) -> FloatArray:
        """First and last of the states below, for each state that is complete now, (l, 2 C)."""
        level = self.levels[at]
        opened, lasts = self.ends.made_of(at)
        begun = level.waiting[max(len(level.waiting) - opened, 0) :][:1]
        level.waiting = np.concatenate((begun, below))
        if not len(lasts):
            return np.zeros((0, 2 * below.shape[1]), np.float32)
        lasts = len(begun) + lasts
        firsts = np.concatenate(([0], lasts + 1))[: len(lasts)]
        return np.concatenate((level.waiting[firsts], level.waiting[lasts]), axis=1)

    def _hear(self, at: int, states: Sequence[FloatArray]) -> FloatArray:
        """A level's states with what the one above knew when each was complete."""
        level, ends = self.levels[at], self.ends
        assert level.told is not None
        level.heard = np.concatenate((level.heard[-1:], states[at + 1] @ level.told))
        complete = ends.complete[1:]
        if at:
            complete = (ends.count_before(at) + 1 + np.arange(len(states[at]))) // 2
        out: FloatArray = states[at] + level.heard[complete - ends.count_before(at + 1)]
        return out


def _level(arrays: Arrays, config: LevelConfig, level: int, window: int) -> _Level:
    names = [f"up.{level}.{layer}" for layer in range(config.layers[level])]
    width = config.widths[level]
    states = config.window_of(level, window)
    blocks: list[Block] = [
        Far(arrays, name, head_width=config.head_width, window=states)
        if level
        else Near(arrays, name)
        for name in names
    ]
    head = arrays[f"heads.{level}.weight"].T, arrays[f"heads.{level}.bias"]
    pool = np.ascontiguousarray(arrays[f"pools.{level - 1}.weight"].T) if level else None
    told = None
    if level < config.levels - 1:
        told = np.ascontiguousarray(arrays[f"told.{level}.weight"].T)
    below = config.widths[max(level - 1, 0)]
    return _Level(
        blocks,
        (np.ascontiguousarray(head[0]), head[1]),
        Norm(arrays, f"norms.{level}"),
        pool,
        told,
        waiting=np.zeros((0, below), np.float32),
        heard=np.zeros((1, width), np.float32),
    )
