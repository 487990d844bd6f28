"""The reader at run time: the network of `read_network.py` by numpy alone.

Shapes: B rows, L places, V words of the book, D width of word vectors, F features, C n_embd, H heads, S
max_span_words.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.checkpoint import Arrays
from model.quantize import SCALES, quantize_rows
from model.read_config import ReaderConfig
from model.read_features import FEATURES
from model.read_layout import PADDING, PASSAGE, QUESTION, Rows
from model.read_words import NAME_TAGS
from model.stored import restored_arrays

FloatArray = npt.NDArray[np.float32]

VECTOR_SIZE = 16.0
NORM_EPS = 1e-5
ROTARY_BASE = 10_000.0
IMPOSSIBLE = np.float32(-1e9)
MAX_EXPONENT = 80.0


def stored_arrays(weights: dict[str, FloatArray]) -> Arrays:
    """Matrices as rows of eight bits with their scales, vectors as they are."""
    arrays: Arrays = {}
    for name, values in weights.items():
        if values.ndim == 2:
            arrays[name], arrays[name + SCALES] = quantize_rows(values)
        else:
            arrays[name] = values
    return arrays


class NumpyReadNetwork:
    """Rows to the scores of all spans and of none."""

    def __init__(self, config: ReaderConfig, arrays: Arrays, *, dim: int, parts: int) -> None:
        """Set up from what `stored_arrays` gave.

        Raises:
            KeyError: an array is missing.
            ValueError: an array has another shape, or a number that is not finite.
        """
        self.config = config
        self._weights = restored_arrays(arrays)
        for name, shape in weight_shapes(config, dim=dim, parts=parts).items():
            if self._weights[name].shape != shape:
                raise ValueError(f"{name} has another shape")
            if not np.isfinite(self._weights[name]).all():
                raise ValueError(f"{name} is not finite")
        head = config.n_embd // config.n_head
        self._exponents = np.arange(0, head, 2, dtype=np.float32) / np.float32(head)

    def score(self, rows: Rows, vectors: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Scores of spans by first word and length, float32 (B, L, S), and of none, float32 (B,).

        Args:
            rows: question and passage.
            vectors: float32 (V, D), of the book's words.
        """
        is_question, is_passage = rows.sides == QUESTION, rows.sides == PASSAGE
        is_filled = rows.sides != PADDING
        filled = is_filled[:, :, None].astype(np.float32)
        x = self._enter(rows, vectors[rows.words]) * filled
        for layer in range(self.config.n_layer):
            x = self._block(f"blocks.{layer}.", x, filled, is_filled)
        x = self._norm("out_norm", x)
        pools = self._linear("pool", x)
        asked = _pooled(x, pools[:, :, 0], is_question)
        told = _pooled(x, pools[:, :, 1], is_passage)
        missed = np.where(is_question[:, :, None], x, IMPOSSIBLE).max(axis=1)
        hidden = self._linear("none_in", np.concatenate((asked, told, missed), axis=1))
        none = self._linear("none_out", hidden * _sigmoid(hidden))[:, 0]
        return self._spans(x, asked, is_passage), none

    def _enter(self, rows: Rows, vectors: FloatArray) -> FloatArray:
        vectors = vectors * np.float32(VECTOR_SIZE)
        keys = np.maximum(self._linear("match", vectors), 0)
        likeness = keys @ keys.transpose(0, 2, 1) * np.float32(self.config.match_width**-0.5)
        is_other = (rows.sides[:, :, None] != rows.sides[:, None]) & (rows.sides > 0)[:, None]
        values = self._linear("value", vectors)
        like = _softmax(np.where(is_other, likeness, IMPOSSIBLE)) @ values
        own = self._linear("inlet", vectors) + self._linear("alike", like)
        own += self._linear("common", values * like)
        tags = self._weights["part"][rows.parts] + self._weights["name"][rows.names]
        return np.asarray(own + tags + self._linear("feature", rows.features))

    def _block(
        self, at: str, x: FloatArray, filled: FloatArray, is_filled: npt.NDArray[np.bool_]
    ) -> FloatArray:
        reach, L = self.config.reach, x.shape[1]
        normed = self._norm(f"{at}near_norm", x) * filled
        padded = np.pad(normed, ((0, 0), (reach, reach), (0, 0)))
        near = np.zeros_like(x)
        for offset, weight in enumerate(self._weights[f"{at}near"]):
            near += padded[:, offset : offset + L] * weight
        x = x + near
        x = x + self._attention(f"{at}attention.", self._norm(f"{at}attention_norm", x), is_filled)
        y = self._norm(f"{at}mlp_norm", x)
        gate = self._linear(f"{at}mlp.gate", y)
        gate = gate * _sigmoid(gate) * self._linear(f"{at}mlp.up", y)
        return np.asarray(x + self._linear(f"{at}mlp.down", gate))

    def _attention(self, at: str, x: FloatArray, is_filled: npt.NDArray[np.bool_]) -> FloatArray:
        B, L, C = x.shape
        H = self.config.n_head
        D = C // H
        angles = np.arange(L, dtype=np.float32)[:, None] * ROTARY_BASE**-self._exponents
        cos, sin = np.cos(angles)[None, :, None], np.sin(angles)[None, :, None]
        q = _turned(self._linear(f"{at}q", x).reshape(B, L, H, D), cos, sin).transpose(0, 2, 1, 3)
        k = _turned(self._linear(f"{at}k", x).reshape(B, L, H, D), cos, sin).transpose(0, 2, 3, 1)
        v = self._linear(f"{at}v", x).reshape(B, L, H, D).transpose(0, 2, 1, 3)
        scores = (q * np.float32(D**-0.5)) @ k  # (B, H, L, L)
        shares = _softmax(np.where(is_filled[:, None, None], scores, IMPOSSIBLE))
        found = (shares @ v).transpose(0, 2, 1, 3).reshape(B, L, C)
        return self._linear(f"{at}o", found)

    def _spans(
        self, x: FloatArray, asked: FloatArray, is_passage: npt.NDArray[np.bool_]
    ) -> FloatArray:
        C, E, S = self.config.n_embd, self.config.pair_width, self.config.max_span_words
        L = x.shape[1]
        ends = []
        for name in ("first", "last"):
            wanted = self._linear(name, asked)[:, :, None]
            ends.append(
                np.where(is_passage, (x @ wanted)[:, :, 0] * np.float32(C**-0.5), IMPOSSIBLE)
            )
        firsts, lasts = self._linear("first_pair", x), self._linear("last_pair", x)
        scores = np.full((len(x), L, S), IMPOSSIBLE, np.float32)
        for length in range(min(S, L)):
            here, there = slice(0, L - length), slice(length, L)
            bound = np.einsum("ble,ble->bl", firsts[:, here], lasts[:, there])
            scores[:, here, length] = (
                ends[0][:, here]
                + ends[1][:, there]
                + bound * np.float32(E**-0.5)
                + self._weights["length"][length]
            )
        return scores

    def _norm(self, name: str, x: FloatArray) -> FloatArray:
        squares = np.square(x).mean(axis=-1, keepdims=True)
        return np.asarray(
            x / np.sqrt(squares + np.float32(NORM_EPS)) * self._weights[f"{name}.weight"]
        )

    def _linear(self, name: str, x: FloatArray) -> FloatArray:
        weight = self._weights[f"{name}.weight"]
        out = (x.reshape(-1, x.shape[-1]) @ weight.T).reshape(*x.shape[:-1], len(weight))
        bias = self._weights.get(f"{name}.bias")
        return np.asarray(out if bias is None else out + bias)


def weight_shapes(config: ReaderConfig, *, dim: int, parts: int) -> dict[str, tuple[int, ...]]:
    """Every array of a network and its shape."""
    C, H = config.n_embd, config.mlp_width
    shapes: dict[str, tuple[int, ...]] = {
        **{f"{name}.weight": (C, dim) for name in ("inlet", "value")},
        **{f"{name}.weight": (C, C) for name in ("alike", "common")},
        "match.weight": (config.match_width, dim),
        "feature.weight": (C, FEATURES),
        "feature.bias": (C,),
        "part": (parts, C),
        "name": (NAME_TAGS, C),
        "out_norm.weight": (C,),
        "pool.weight": (2, C),
        "length": (config.max_span_words,),
        "none_in.weight": (C, 3 * C),
        "none_in.bias": (C,),
        "none_out.weight": (1, C),
        "none_out.bias": (1,),
    }
    for name in ("first", "last"):
        shapes |= {f"{name}.weight": (C, C), f"{name}.bias": (C,)}
        shapes |= {f"{name}_pair.weight": (config.pair_width, C)}
    for layer in range(config.n_layer):
        at = f"blocks.{layer}."
        shapes |= {f"{at}near": (2 * config.reach + 1, C)}
        shapes |= {f"{at}{name}_norm.weight": (C,) for name in ("near", "attention", "mlp")}
        shapes |= {f"{at}attention.{name}.weight": (C, C) for name in "qkvo"}
        shapes |= {f"{at}mlp.{name}.weight": (H, C) for name in ("gate", "up")}
        shapes |= {f"{at}mlp.down.weight": (C, H)}
    return shapes


def _turned(x: FloatArray, cos: FloatArray, sin: FloatArray) -> FloatArray:
    half = x.shape[-1] // 2
    left, right = x[..., :half], x[..., half:]
    return np.concatenate((left * cos - right * sin, right * cos + left * sin), axis=-1)


def _pooled(x: FloatArray, scores: FloatArray, is_there: npt.NDArray[np.bool_]) -> FloatArray:
    shares = _softmax(np.where(is_there, scores, IMPOSSIBLE))
    return np.asarray((shares[:, None] @ x)[:, 0])


def _softmax(scores: FloatArray) -> FloatArray:
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return np.asarray(shares)


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(np.minimum(-x, np.float32(MAX_EXPONENT)))))
