"""The network of `level_network.py` by numpy alone, read on from where it stopped: a few characters or many at once.

Attention looks back over a window; what is older is forgotten. What was read last can be taken back in part, so that
characters may be read on trial.

Shapes: L characters read at once, l new blocks of a level, C width of its states, H heads, D = C / H, W blocks of the
window, N blocks that are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from model.checkpoint import Arrays
from model.level_config import LevelConfig

FloatArray = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

NORM_EPS = np.float32(1e-5)
ROTARY_BASE = 10_000.0
IMPOSSIBLE = np.float32(-1e9)
ROOM = 4
"""A cache has room for so many windows before what is older than one is dropped."""


class _Norm:
    def __init__(self, arrays: Arrays, name: str) -> None:
        self.weight = arrays[f"{name}.weight"]

    def __call__(self, x: FloatArray) -> FloatArray:
        size = np.einsum("lc,lc->l", x, x)[:, None] / np.float32(x.shape[1])
        out: FloatArray = x / np.sqrt(size + NORM_EPS) * self.weight
        return out


class _Mlp:
    def __init__(self, arrays: Arrays, name: str) -> None:
        self.norm = _Norm(arrays, f"{name}.norm")
        gate, up = (arrays[f"{name}.{part}.weight"] for part in ("gate", "up"))
        self.inner = len(gate)
        self.both = np.ascontiguousarray(np.concatenate((gate, up)).T)
        self.down = np.ascontiguousarray(arrays[f"{name}.down.weight"].T)

    def __call__(self, x: FloatArray) -> FloatArray:
        both = self.norm(x) @ self.both
        gate = both[:, : self.inner]
        out: FloatArray = x + (gate * _sigmoid(gate) * both[:, self.inner :]) @ self.down
        return out


class _Near:
    """`NearBlock`; holds the last states that its convolution still sees."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        self.norm, self.mlp = _Norm(arrays, f"{name}.norm"), _Mlp(arrays, f"{name}.mlp")
        self.near = arrays[f"{name}.near"]
        self.gate, self.out = (
            np.ascontiguousarray(arrays[f"{name}.{part}.weight"].T) for part in ("gate", "out")
        )
        self.reach = len(self.near) - 1
        self.seen = np.zeros((self.reach, self.near.shape[1]), np.float32)

    def __call__(self, x: FloatArray) -> FloatArray:
        y = self.norm(x)
        self.seen = np.concatenate((self.seen[len(self.seen) - self.reach :], y))
        near = self.seen[: len(x)] * self.near[0]
        for at in range(1, self.reach + 1):
            near += self.seen[at : at + len(x)] * self.near[at]
        return self.mlp(x + (near * _sigmoid(y @ self.gate)) @ self.out)

    def take_back(self, count: int) -> None:
        self.seen = self.seen[: len(self.seen) - count]


class _Far:
    """`FarBlock`; holds keys and values of the window."""

    def __init__(self, arrays: Arrays, name: str, *, head_width: int, window: int) -> None:
        self.norm, self.mlp = _Norm(arrays, f"{name}.norm"), _Mlp(arrays, f"{name}.mlp")
        parts = [arrays[f"{name}.{part}.weight"] for part in "qkv"]
        self.qkv = np.ascontiguousarray(np.concatenate(parts).T)
        self.o = np.ascontiguousarray(arrays[f"{name}.o.weight"].T)
        self.D, self.H, self.window = head_width, len(self.o) // head_width, window
        self.rates = ROTARY_BASE ** (-np.arange(0, head_width, 2) / head_width)
        self.keys, self.values = (
            np.zeros((self.H, ROOM * window, head_width), np.float32) for _ in range(2)
        )
        self.first = self.held = 0

    def __call__(self, x: FloatArray) -> FloatArray:
        count = len(x)
        self._make_room(count)
        q, k, v = (
            part.reshape(count, self.H, self.D).transpose(1, 0, 2)
            for part in np.split(self.norm(x) @ self.qkv, 3, axis=1)
        )
        angles = (self.first + self.held + np.arange(count))[:, None] * self.rates
        turns = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        until = self.held + count
        self.keys[:, self.held : until], self.values[:, self.held : until] = _turned(k, turns), v
        begin = max(0, self.held + 1 - self.window)
        scores = _turned(q, turns) @ self.keys[:, begin:until].transpose(0, 2, 1)
        scores *= np.float32(self.D**-0.5)  # (H, l, N)
        if count > 1:
            ages = (self.held + np.arange(count))[:, None] - np.arange(begin, until)
            scores[:, (ages < 0) | (ages >= self.window)] = IMPOSSIBLE
        scores -= scores.max(axis=2, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=2, keepdims=True)
        found = (scores @ self.values[:, begin:until]).transpose(1, 0, 2).reshape(count, -1)
        self.held = until
        return self.mlp(x + found @ self.o)

    def take_back(self, count: int) -> None:
        self.held -= count

    def _make_room(self, count: int) -> None:
        """Drop what no later block sees; a longer stretch than there is room for gets more."""
        room = self.keys.shape[1]
        if self.held + count <= room:
            return
        kept = min(self.window, self.held)
        size = max(room, kept + count)
        for name in ("keys", "values"):
            fresh = np.zeros((self.H, size, self.D), np.float32)
            fresh[:, :kept] = getattr(self, name)[:, self.held - kept : self.held]
            setattr(self, name, fresh)
        self.first += self.held - kept
        self.held = kept


_Block = _Near | _Far


@dataclass(slots=True)
class _Level:
    """The blocks of a level, and what it holds between two stretches."""

    blocks: list[_Block]
    head: tuple[FloatArray, FloatArray]
    norm: _Norm
    pool: FloatArray | None
    """Of two states below; none of the lowest level."""
    told: FloatArray | None
    """From what the level above knows; none of the highest."""
    waiting: FloatArray
    """(l, C of the level below): states that were read last; the ones that make no pair yet are the last of them."""
    heard: FloatArray
    """(l, C): what the level above told last; at first nothing."""
    new: int = 0
    """Blocks of the last stretch."""


@dataclass(slots=True)
class LevelForward:
    """A network and how far it has read."""

    config: LevelConfig
    characters: FloatArray
    units: FloatArray | None
    levels: list[_Level]
    last: _Near
    length: int = 0
    """Characters read."""
    _stretch: int = field(default=0)

    @classmethod
    def of(cls, arrays: Arrays, config: LevelConfig, *, window: int) -> LevelForward:
        """Set up at the beginning of a text.

        Args:
            arrays: of the network, by torch's names.
            config: its sizes.
            window: characters that attention looks back over.
        """
        levels = [_level(arrays, config, level, window) for level in range(config.levels)]
        return cls(
            config,
            arrays["characters.weight"],
            arrays.get("units.weight"),
            levels,
            _Near(arrays, "last"),
        )

    def read(self, ids: npt.NDArray[np.integer], units: Places | None = None) -> list[FloatArray]:
        """Read on.

        Args:
            ids: (L,), one at least.
            units: int64 (L, K), rows of the larger units that end at each, where there is a table.

        Returns:
            What each level says of what follows its blocks that were completed: by level (l, code width).
        """
        x = self.characters[ids]
        if self.units is not None:
            x = x + self.units[units].sum(axis=1)
        states = self._up(x)
        for at in range(len(states) - 2, -1, -1):
            states[at] = self._hear(at, states)
        states[0] = self.last(states[0])
        self.length += len(ids)
        self._stretch = len(ids)
        return [
            level.norm(state) @ level.head[0] + level.head[1]
            for level, state in zip(self.levels, states, strict=True)
        ]

    def take_back(self, count: int) -> None:
        """Forget the last characters of the stretch that was read last.

        Raises:
            ValueError: they were not read together.
        """
        if not 0 <= count <= self._stretch:
            raise ValueError(f"{count} characters were not read last, but {self._stretch}")
        begin, until = self.length, self.length - count
        self.length, self._stretch = until, self._stretch - count
        self.last.take_back(count)
        for at, level in enumerate(self.levels):
            surplus = begin // 2**at - until // 2**at
            for block in level.blocks:
                block.take_back(surplus)
            if level.pool is not None:
                below = begin // 2 ** (at - 1) - until // 2 ** (at - 1)
                level.waiting = level.waiting[: len(level.waiting) - below]
            if level.told is not None:
                above = begin // 2 ** (at + 1) - until // 2 ** (at + 1)
                level.heard = level.heard[: len(level.heard) - above]

    def _up(self, x: FloatArray) -> list[FloatArray]:
        states: list[FloatArray] = []
        for at, level in enumerate(self.levels):
            if level.pool is not None:
                # All states below but the paired ones of earlier stretches.
                before = (self.length // 2 ** (at - 1)) % 2
                level.waiting = np.concatenate(
                    (level.waiting[len(level.waiting) - before :], states[-1])
                )
                pairs = len(level.waiting) // 2
                x = level.waiting[: 2 * pairs].reshape(pairs, len(level.pool)) @ level.pool
            for block in level.blocks if len(x) else ():
                x = block(x)
            states.append(x)
            level.new = len(x)
        return states

    def _hear(self, at: int, states: Sequence[FloatArray]) -> FloatArray:
        """A level's states with what the one above knew when each was complete."""
        level = self.levels[at]
        assert level.told is not None
        level.heard = np.concatenate((level.heard[-1:], states[at + 1] @ level.told))
        begin = self.length // 2**at
        places = (begin + 1 + np.arange(len(states[at]))) // 2 - begin // 2
        out: FloatArray = states[at] + level.heard[places]
        return out


def _level(arrays: Arrays, config: LevelConfig, level: int, window: int) -> _Level:
    names = [f"up.{level}.{layer}" for layer in range(config.layers[level])]
    width = config.widths[level]
    blocks: list[_Block] = [
        _Far(arrays, name, head_width=config.head_width, window=window // 2**level)
        if level
        else _Near(arrays, name)
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
        _Norm(arrays, f"norms.{level}"),
        pool,
        told,
        waiting=np.zeros((0, below), np.float32),
        heard=np.zeros((1, width), np.float32),
    )


def _turned(x: FloatArray, turns: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Heads (H, l, D), turned by their places; turns (l, D / 2)."""
    half = x.shape[2] // 2
    left, right, (cos, sin) = x[..., :half], x[..., half:], turns
    return np.concatenate((left * cos - right * sin, right * cos + left * sin), axis=2)


def _sigmoid(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        out = 1 / (1 + np.exp(-x))
    return np.asarray(out, np.float32)
