"""The asker at run time: the network of `ask_network.py` by numpy alone, one character after the other.

Rows are filled up at their beginnings, so that all of them end, and go on, at the same place; a row may go on in
several ways at once, which share what was read.

Shapes: B rows, W ways to go on, R = B x W, T places, C n_embd, H heads, K heads of keys, D = C / H, G = H / K,
V alphabet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.ask_config import AskConfig
from model.checkpoint import Arrays
from model.quantize import SCALES, quantize_rows
from model.stored import restored_array

FloatArray = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

NORM_EPS = 1e-5
ROTARY_BASE = 10_000.0
IMPOSSIBLE = np.float32(-1e9)
MAX_EXPONENT = 80.0


def weight_shapes(config: AskConfig) -> dict[str, tuple[int, ...]]:
    """Every array of the network and its shape."""
    C, M = config.n_embd, config.mlp_width
    kv = C // config.n_head * config.n_kv_head
    shapes: dict[str, tuple[int, ...]] = {
        "characters": (config.alphabet, C),
        "out_norm.weight": (C,),
    }
    for layer in range(config.n_layer):
        at = f"blocks.{layer}."
        shapes |= {f"{at}{name}_norm.weight": (C,) for name in ("near", "attention", "mlp")}
        shapes |= {f"{at}near": (config.reach + 1, C)}
        shapes |= {f"{at}q.weight": (C, C), f"{at}o.weight": (C, C)}
        shapes |= {f"{at}k.weight": (kv, C), f"{at}v.weight": (kv, C)}
        shapes |= {f"{at}gate.weight": (M, C), f"{at}up.weight": (M, C), f"{at}down.weight": (C, M)}
    return shapes


def stored_arrays(weights: dict[str, FloatArray]) -> Arrays:
    """The matrices of the blocks in four bits, other rows in eight, with their scales; vectors as they are."""
    arrays: Arrays = {}
    for name, values in weights.items():
        if values.ndim == 2:
            bits = 4 if name.endswith(".weight") else 8
            arrays[name], arrays[name + SCALES] = quantize_rows(values, bits=bits)
        else:
            arrays[name] = values
    return arrays


@dataclass(slots=True)
class Told:
    """What rows have read: their sentences once, and what each of W ways to go on has written since."""

    keys: list[FloatArray]
    """By layer, float32 (B, K, T, D)."""
    values: list[FloatArray]
    filled: Bools
    """bool (B, T)"""
    near: list[FloatArray]
    """By layer, float32 (B x W, reach, C): what the convolution has yet to see."""
    own_keys: list[FloatArray]
    """By layer, float32 (B x W, K, written, D)."""
    own_values: list[FloatArray]
    ways: int = 1
    written: int = 0

    def fan_out(self, ways: int) -> None:
        """Go on in so many ways from here, which are all the same so far."""
        for parts in (self.near, self.own_keys, self.own_values):
            parts[:] = [part.repeat(ways, axis=0) for part in parts]
        self.ways *= ways

    def keep(self, sentences: Places, ways: Places) -> None:
        """Go on with some sentences, int64 (b,), and from some of their ways, int64 (b x W,), in this order."""
        if len(sentences) < len(self.filled):
            for parts in (self.keys, self.values):
                parts[:] = [part[sentences] for part in parts]
            self.filled = self.filled[sentences]
        for parts in (self.near, self.own_keys, self.own_values):
            parts[:] = [part[ways] for part in parts]


class NumpyAskNetwork:
    """Ids to scores of the next one."""

    def __init__(self, config: AskConfig, arrays: Arrays) -> None:
        """Set up from what `stored_arrays` gave, or from the weights as they are.

        Raises:
            KeyError: an array is missing.
            ValueError: an array has another shape, or a number that is not finite.
        """
        self.config = config
        self._weights: dict[str, FloatArray] = {}
        for name, shape in weight_shapes(config).items():
            values = restored_array(arrays, name)
            if values.shape != shape:
                raise ValueError(f"{name} has another shape")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} is not finite")
            turned = values.T if name.endswith("weight") and values.ndim == 2 else values
            self._weights[name] = np.ascontiguousarray(turned, dtype=np.float32)
        self._out = np.ascontiguousarray(self._weights["characters"].T) * np.float32(
            config.n_embd**-0.5
        )

    def read(self, ids: npt.NDArray[np.int64], filled: Bools) -> tuple[Told, FloatArray]:
        """Read sentences.

        Args:
            ids: int64 (B, T).
            filled: bool (B, T), the last places of every row; the others are left out.

        Returns:
            What was read, and scores of what comes next, float32 (B, V).
        """
        told = Told([], [], filled, [], [], [])
        is_filled = filled[:, :, None].astype(np.float32)
        x = self._weights["characters"][ids] * is_filled
        for layer in range(self.config.n_layer):
            x = self._read_block(layer, x, is_filled, told)
        return told, self._scores(x[:, -1])

    def write(self, signs: Places, told: Told) -> FloatArray:
        """Go on by one character each, int64 (B x W,), and score what comes next, float32 (B x W, V)."""
        x = self._weights["characters"][signs]
        for layer in range(self.config.n_layer):
            x = self._write_block(layer, x, told)
        told.written += 1
        return self._scores(x)

    def _scores(self, x: FloatArray) -> FloatArray:
        return np.asarray(_normed(x, self._weights["out_norm.weight"]) @ self._out)

    def _read_block(
        self, layer: int, x: FloatArray, is_filled: FloatArray, told: Told
    ) -> FloatArray:
        at, weights = f"blocks.{layer}.", self._weights
        B, T, _ = x.shape
        reach = self.config.reach
        line = np.zeros((B, T + reach, self.config.n_embd), np.float32)
        line[:, reach:] = _normed(x, weights[f"{at}near_norm.weight"]) * is_filled
        told.near.append(line[:, T:])
        for offset, weight in enumerate(weights[f"{at}near"]):
            x = x + line[:, offset : offset + T] * weight
        q, k, v = self._heads(layer, x, (0, T))  # (B, T, heads, D)
        H, K, D = q.shape[2], k.shape[2], q.shape[3]
        keys, values = k.transpose(0, 2, 1, 3), v.transpose(0, 2, 1, 3)
        told.keys.append(keys)
        told.values.append(values)
        told.own_keys.append(np.zeros((B, K, 0, D), np.float32))
        told.own_values.append(np.zeros((B, K, 0, D), np.float32))
        # The heads that share a key lie next to each other: one product for all of them.
        asking = q.reshape(B, T, K, H // K, D).transpose(0, 2, 3, 1, 4).reshape(B, K, -1, D)
        scores = (asking @ keys.transpose(0, 1, 3, 2)).reshape(B, H, T, T)
        is_seen = told.filled[:, None, None] & np.tri(T, dtype=np.bool_)
        shares = _shares(np.where(is_seen, scores, IMPOSSIBLE)).reshape(B, K, -1, T)
        found = (shares @ values).reshape(B, H, T, D).transpose(0, 2, 1, 3)
        return self._finish(layer, x, found.reshape(B, T, H * D))

    def _write_block(self, layer: int, x: FloatArray, told: Told) -> FloatArray:
        at, weights = f"blocks.{layer}.", self._weights
        B, K, T, D = told.keys[layer].shape
        R, W = len(x), told.ways
        line = np.concatenate(
            (told.near[layer], _normed(x, weights[f"{at}near_norm.weight"])[:, None]), axis=1
        )
        told.near[layer] = line[:, 1:]
        x = x + np.einsum("rtc,tc->rc", line, weights[f"{at}near"])
        place = T + told.written
        q, k, v = self._heads(layer, x[:, None], (place, place + 1))
        G = q.shape[2] // K
        asking = q.reshape(B, W, K, G, D)
        own = np.concatenate((told.own_keys[layer], k.transpose(0, 2, 1, 3)), axis=2)
        own_values = np.concatenate((told.own_values[layer], v.transpose(0, 2, 1, 3)), axis=2)
        told.own_keys[layer], told.own_values[layer] = own, own_values
        # What the ways share is looked at together, what each has of its own apart.
        together = asking.transpose(0, 2, 1, 3, 4).reshape(B, K, W * G, D)
        shared = (together @ told.keys[layer].transpose(0, 1, 3, 2)).reshape(B, K, W, G, T)
        shared = np.where(told.filled[:, None, None, None], shared, IMPOSSIBLE)
        apart = asking.reshape(R, K, G, D) @ own.transpose(0, 1, 3, 2)  # (R, K, G, written)
        scores = np.concatenate(
            (shared.transpose(0, 2, 1, 3, 4).reshape(R, K, G, T), apart), axis=-1
        )
        shares = _shares(scores)
        mine = shares[..., T:] @ own_values  # (R, K, G, D)
        theirs = shares[..., :T].reshape(B, W, K, G, T).transpose(0, 2, 1, 3, 4)
        found = theirs.reshape(B, K, W * G, T) @ told.values[layer]
        mixed = found.reshape(B, K, W, G, D).transpose(0, 2, 1, 3, 4).reshape(R, K, G, D) + mine
        return self._finish(layer, x, mixed.reshape(R, K * G * D))

    def _heads(
        self, layer: int, x: FloatArray, places: tuple[int, int]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Queries, keys and values, turned by their places, float32 (B, T, heads, D)."""
        at, weights = f"blocks.{layer}.", self._weights
        B, T, C = x.shape
        H, K = self.config.n_head, self.config.n_kv_head
        D = C // H
        y = _normed(x, weights[f"{at}attention_norm.weight"])
        turns = _turns(*places, D)
        q = _turned((y @ weights[f"{at}q.weight"]).reshape(B, T, H, D), turns)
        q *= np.float32(D**-0.5)
        k = _turned((y @ weights[f"{at}k.weight"]).reshape(B, T, K, D), turns)
        return q, k, (y @ weights[f"{at}v.weight"]).reshape(B, T, K, D)

    def _finish(self, layer: int, x: FloatArray, mixed: FloatArray) -> FloatArray:
        """Add what attention found, and the feed-forward half."""
        at, weights = f"blocks.{layer}.", self._weights
        x = x + mixed @ weights[f"{at}o.weight"]
        y = _normed(x, weights[f"{at}mlp_norm.weight"])
        gate = y @ weights[f"{at}gate.weight"]
        gate /= 1 + np.exp(np.minimum(-gate, MAX_EXPONENT))
        gate *= y @ weights[f"{at}up.weight"]
        return np.asarray(x + gate @ weights[f"{at}down.weight"])


def _shares(scores: FloatArray) -> FloatArray:
    scores = scores - scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def _normed(x: FloatArray, weight: FloatArray) -> FloatArray:
    size = np.einsum("...c,...c->...", x, x)[..., None] / np.float32(x.shape[-1])
    return np.asarray(x / np.sqrt(size + np.float32(NORM_EPS)) * weight)


def _turns(first: int, end: int, width: int) -> tuple[FloatArray, FloatArray]:
    exponents = np.arange(0, width, 2, dtype=np.float32) / np.float32(width)
    angles = (
        np.arange(first, end, dtype=np.float32)[:, None] * np.float32(ROTARY_BASE) ** -exponents
    )
    return np.cos(angles)[:, None], np.sin(angles)[:, None]


def _turned(x: FloatArray, turns: tuple[FloatArray, FloatArray]) -> FloatArray:
    left, right = np.split(x, 2, axis=-1)
    cos, sin = turns
    return np.concatenate((left * cos - right * sin, right * cos + left * sin), axis=-1)
