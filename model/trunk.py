"""The trunk at run time: the network of `transformer.py` by numpy alone, stopping when it may.

After every layer a text's vector is compared with the one before: a text whose vector has stopped
moving leaves, and only the others go on to the next layer. What a text gets does not depend on the
texts beside it.

Shapes: U units of all texts, S slots, N texts, C n_embd, H heads, K key-value heads, D = C / H, W
windows of L slots.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.checkpoint import Arrays
from model.config import TrunkConfig
from model.quantize import dequantize_rows
from model.windows import Layout, Offsets, lay_out

FloatArray = npt.NDArray[np.float32]

NORM_EPS = 1e-5
ROTARY_BASE = 10_000.0
PREFIX, SCALES = "trunk.", ".scales"
MAX_EXPONENT = 80.0
"""Beyond it float32 overflows; the result is zero to all digits already."""
LEAST_ROWS = 2
"""One row alone goes another way through the matrix library, and rounds differently."""


class NumpyTrunk:
    """Runs the layers of a trunk."""

    def __init__(self, config: TrunkConfig, arrays: Arrays, width: int) -> None:
        """Set up from stored arrays, named as the modules of `transformer.Trunk`.

        Raises:
            KeyError: an array is missing.
            ValueError: an array has another shape.
        """
        self.config = config
        self._weights = {
            name.removeprefix(PREFIX): _stored(arrays, name)
            for name in arrays
            if name.startswith(PREFIX) and not name.endswith(SCALES)
        }
        self._check_shapes(width)
        head = config.n_embd // config.n_head
        exponents = np.arange(0, head, 2, dtype=np.float32) / np.float32(head)
        angles = np.arange(config.window, dtype=np.float32)[:, None] * ROTARY_BASE**-exponents
        angles = np.tile(angles * float(config.is_relative), 2).astype(np.float32)
        self._cos, self._sin = np.cos(angles), np.sin(angles)

    def _check_shapes(self, width: int) -> None:
        C, config = self.config.n_embd, self.config
        kv = config.n_kv_head * (C // config.n_head)
        shapes: dict[str, tuple[int, ...]] = {
            "inlet.weight": (C, width),
            "outlet.weight": (width, C),
            "gate.weight": (1, C),
        }
        shapes |= {"outlet_norm.weight": (C,), "gate.bias": (1,)}
        for layer in range(config.n_layer):
            at = _block_name(layer)
            shapes |= {f"{at}attention.{n}.weight": (C, C) for n in "qo"}
            shapes |= {f"{at}attention.{n}.weight": (kv, C) for n in "kv"}
            shapes |= {f"{at}mlp.{n}.weight": (config.mlp_width, C) for n in ("gate", "up")}
            shapes |= {f"{at}mlp.down.weight": (C, config.mlp_width)}
            shapes |= {f"{at}{n}_norm.weight": (C,) for n in ("attention", "mlp")}
        for name, shape in shapes.items():
            if self._weights[name].shape != shape:
                raise ValueError(f"{name} has another shape")
            if not np.isfinite(self._weights[name]).all():
                raise ValueError(f"{name} is not finite")

    def refine(
        self, units: FloatArray, text_offsets: Offsets, *, depth: int, stop_cosine: float
    ) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """Refine the units of some texts.

        Args:
            units: float32 (U, width), bag vectors.
            text_offsets: int64 (N + 1,), the first unit of each text.
            depth: layers at most.
            stop_cosine: a text stops when its vector's cosine with the one before the layer is at
                least this; above 1 nothing stops early.

        Returns:
            float32 (U, width), the states that each text left with, and int64 (N,), its layers.
        """
        refined, layers = units.copy(), np.zeros(len(text_offsets) - 1, dtype=np.int64)
        if depth < 1 or not len(units):
            return refined, layers
        # The texts that go on, and their units; at first all of them.
        going, at = np.arange(len(layers)), np.arange(len(units))
        size = np.sqrt(np.einsum("ud,ud->u", units, units))[:, None]
        layout = lay_out(text_offsets, self.config.window)
        x = self._linear("inlet", _rms_norm(units, eps=NORM_EPS**2))[layout.unit_of]  # (S, C)
        before = text_sums(units, text_offsets)
        for layer in range(depth):
            x = self._block(layer, x, layout)
            out = self._norm("outlet_norm", x[layout.slot_of])  # (U, C)
            weight = _sigmoid(self._linear("gate", out) + self._weights["gate.bias"]) * 2
            refined[at] = weight * (units[at] + size[at] * self._linear("outlet", out))
            layers[going] = layer + 1
            if layer + 1 == depth:
                break
            after = text_sums(refined[at], text_offsets)
            goes_on = _cosines(before, after) < stop_cosine
            if not goes_on.any():
                break
            if not goes_on.all():
                counts = np.diff(text_offsets)
                x = x[layout.slot_of][np.repeat(goes_on, counts)]
                at, going = at[np.repeat(goes_on, counts)], going[goes_on]
                text_offsets = np.concatenate(([0], np.cumsum(counts[goes_on])))
                layout = lay_out(text_offsets, self.config.window)
                x, after = x[layout.unit_of], after[goes_on]
            before = after
        return refined, layers

    def _block(self, layer: int, x: FloatArray, layout: Layout) -> FloatArray:
        at = _block_name(layer)
        x = x + self._attention(f"{at}attention.", self._norm(f"{at}attention_norm", x), layout)
        y = self._norm(f"{at}mlp_norm", x)
        gate = self._linear(f"{at}mlp.gate", y)
        gate *= _sigmoid(gate)
        gate *= self._linear(f"{at}mlp.up", y)
        x += self._linear(f"{at}mlp.down", gate)
        return x

    def _attention(self, at: str, x: FloatArray, layout: Layout) -> FloatArray:
        H, K = self.config.n_head, self.config.n_kv_head
        D = self.config.n_embd // H
        q = self._turn(self._linear(f"{at}q", x).reshape(-1, K, H // K, D), layout)
        k = self._turn(self._linear(f"{at}k", x).reshape(-1, K, 1, D), layout)
        v = self._linear(f"{at}v", x).reshape(-1, K, D)
        q *= np.float32(D**-0.5)
        mixed = np.empty((len(x), K, H // K, D), dtype=np.float32)
        for group in layout.groups:
            W, L, slots = group.windows, group.length, group.slots
            # The heads that share a key lie under each other: one product for all of them.
            heads = q[slots].reshape(W, L, K, H // K, D).transpose(0, 2, 3, 1, 4)
            scores = heads.reshape(W, K, -1, D) @ k[slots].reshape(W, L, K, D).transpose(0, 2, 3, 1)
            scores -= scores.max(axis=-1, keepdims=True)  # (W, K, H / K * L, L)
            np.exp(scores, out=scores)
            scores *= layout.is_filled[slots].reshape(W, 1, 1, L)
            scores /= scores.sum(axis=-1, keepdims=True)
            found = scores @ v[slots].reshape(W, L, K, D).transpose(0, 2, 1, 3)
            found = found.reshape(W, K, H // K, L, D).transpose(0, 3, 1, 2, 4)
            mixed[slots] = found.reshape(-1, K, H // K, D)
        return self._linear(f"{at}o", mixed.reshape(-1, H * D))

    def _turn(self, x: FloatArray, layout: Layout) -> FloatArray:
        """Turn heads (S, K, any, D) by their positions."""
        half = x.shape[-1] // 2
        cos = self._cos[layout.positions][:, None, None]
        sin = self._sin[layout.positions][:, None, None]
        turned = x * cos
        turned[..., :half] -= x[..., half:] * sin[..., :half]
        turned[..., half:] += x[..., :half] * sin[..., half:]
        return np.asarray(turned)

    def _norm(self, name: str, x: FloatArray) -> FloatArray:
        return np.asarray(_rms_norm(x, eps=NORM_EPS) * self._weights[f"{name}.weight"])

    def _linear(self, name: str, x: FloatArray) -> FloatArray:
        weight = self._weights[f"{name}.weight"]
        if len(x) < LEAST_ROWS:
            return np.asarray((np.concatenate((x, x)) @ weight.T)[: len(x)])
        return np.asarray(x @ weight.T)


def block_prefix(layer: int) -> str:
    """What the names of a layer's stored arrays begin with."""
    return PREFIX + _block_name(layer)


def _block_name(layer: int) -> str:
    return f"blocks.{layer}."


def _stored(arrays: Arrays, name: str) -> FloatArray:
    if name + SCALES in arrays:
        return dequantize_rows(arrays[name], arrays[name + SCALES])
    return np.asarray(arrays[name], dtype=np.float32)


def _sigmoid(x: FloatArray) -> FloatArray:
    """Logistic function, a new array."""
    result = np.minimum(-x, np.float32(MAX_EXPONENT))
    np.exp(result, out=result)
    result += 1
    return np.asarray(np.divide(1, result, out=result))


def _rms_norm(x: FloatArray, *, eps: float) -> FloatArray:
    squares = np.einsum("uc,uc->u", x, x) / np.float32(x.shape[1])
    return np.asarray(x * (1 / np.sqrt(squares + np.float32(eps)))[:, None])


def text_sums(units: FloatArray, text_offsets: Offsets) -> FloatArray:
    """Sum of each text's units, float32 (N, width); zeros for a text without any."""
    sums = np.zeros((len(text_offsets) - 1, units.shape[1]), dtype=np.float32)
    is_there = np.diff(text_offsets) > 0
    if is_there.any():
        sums[is_there] = np.add.reduceat(units, text_offsets[:-1][is_there], axis=0)
    return sums


def _cosines(first: FloatArray, second: FloatArray) -> FloatArray:
    products = np.einsum("nd,nd->n", first, second)
    squares = np.einsum("nd,nd->n", first, first) * np.einsum("nd,nd->n", second, second)
    return np.asarray(products / np.sqrt(np.maximum(squares, np.float32(1e-30))))
