"""The blocks of `level_network.py` by numpy alone, read on from where they stopped.

Each holds what its next states still need of those before, and forgets its last ones on demand.

Shapes: l new states, C width of states, H heads, D = C / H, W states of the window, N states that are held.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.checkpoint import Arrays

FloatArray = npt.NDArray[np.float32]

NORM_EPS = np.float32(1e-5)
ROTARY_BASE = 10_000.0
IMPOSSIBLE = np.float32(-1e9)
ROOM = 4
"""A cache has room for so many windows before what is older than one is dropped."""


class Norm:
    """Root mean square norm."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        self.weight = arrays[f"{name}.weight"]

    def __call__(self, x: FloatArray) -> FloatArray:
        """States (l, C), normed one by one."""
        size = np.einsum("lc,lc->l", x, x)[:, None] / np.float32(x.shape[1])
        out: FloatArray = x / np.sqrt(size + NORM_EPS) * self.weight
        return out


class _Mlp:
    def __init__(self, arrays: Arrays, name: str) -> None:
        self.norm = Norm(arrays, f"{name}.norm")
        gate, up = (arrays[f"{name}.{part}.weight"] for part in ("gate", "up"))
        self.inner = len(gate)
        self.both = np.ascontiguousarray(np.concatenate((gate, up)).T)
        self.down = np.ascontiguousarray(arrays[f"{name}.down.weight"].T)

    def __call__(self, x: FloatArray) -> FloatArray:
        both = self.norm(x) @ self.both
        gate = both[:, : self.inner]
        out: FloatArray = x + (gate * _sigmoid(gate) * both[:, self.inner :]) @ self.down
        return out


class Near:
    """`NearBlock`; holds the last states that its convolution still sees."""

    def __init__(self, arrays: Arrays, name: str) -> None:
        self.norm, self.mlp = Norm(arrays, f"{name}.norm"), _Mlp(arrays, f"{name}.mlp")
        self.near = arrays[f"{name}.near"]
        self.gate, self.out = (
            np.ascontiguousarray(arrays[f"{name}.{part}.weight"].T) for part in ("gate", "out")
        )
        self.reach = len(self.near) - 1
        self.seen = np.zeros((self.reach, self.near.shape[1]), np.float32)

    def __call__(self, x: FloatArray) -> FloatArray:
        """New states (l, C), one at least, behind those of before."""
        y = self.norm(x)
        self.seen = np.concatenate((self.seen[len(self.seen) - self.reach :], y))
        near = self.seen[: len(x)] * self.near[0]
        for at in range(1, self.reach + 1):
            near += self.seen[at : at + len(x)] * self.near[at]
        return self.mlp(x + (near * _sigmoid(y @ self.gate)) @ self.out)

    def take_back(self, count: int) -> None:
        """Forget the last states of those that were given last."""
        self.seen = self.seen[: len(self.seen) - count]


class Far:
    """`FarBlock`; holds keys and values of the window."""

    def __init__(self, arrays: Arrays, name: str, *, head_width: int, window: int) -> None:
        self.norm, self.mlp = Norm(arrays, f"{name}.norm"), _Mlp(arrays, f"{name}.mlp")
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
        """New states (l, C), one at least, behind those of before."""
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
        """Forget the last states of those that were given last."""
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


Block = Near | Far


def _turned(x: FloatArray, turns: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Heads (H, l, D), turned by their places; turns (l, D / 2)."""
    half = x.shape[2] // 2
    left, right, (cos, sin) = x[..., :half], x[..., half:], turns
    return np.concatenate((left * cos - right * sin, right * cos + left * sin), axis=2)


def _sigmoid(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        out = 1 / (1 + np.exp(-x))
    return np.asarray(out, np.float32)
