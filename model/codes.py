"""Frozen codes of blocks of characters: what a language model predicts instead of a distribution.

Two random maps that nobody trains give every block two vectors. The encoder's says which blocks are alike: for single
characters a random layer over how often they stand beside each other, for longer blocks two random convolutions over
their characters' codes. The decoder's says which characters are there: the sum of a random vector for each, moved by a
permutation once for every place (Plate 1995), from which they can be read back. A block's code is what both have in
common: the two are put side by side, and of their principal components the first, in which all blocks agree, is left
out, the next ones are kept, the tail of noise is cut. Such targets cannot collapse, since nothing about them moves.

Shapes: N blocks of m characters, V characters of the alphabet, W width of each random map, D width of the codes.
"""

from __future__ import annotations

import enum
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

MAP_WIDTH = 256
SAMPLED_BLOCKS = 30_000
"""Of a text, to find the principal components of."""
LEFT_OUT = 1
"""Components before the first one that is kept."""
LEAST_SPREAD = 1e-6
DECODED_AT_ONCE = 4096


class CodeKind(enum.StrEnum):
    """How codes come from the two random maps."""

    MIDDLE = "middle"
    """Principal components of both side by side, without the first."""
    AVERAGE = "average"
    """The mean of the decoder's vectors and the encoder's, turned to lie on them (Procrustes)."""
    RANDOM = "random"
    """The decoder's alone."""
    ORTHONORMAL = "orthonormal"
    """Of single characters: one direction each."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of all blocks of so many characters."""

    chars: int
    """Of a block, m."""
    kind: CodeKind
    letters: FloatArray
    """float32 (V, W), the decoder's vector of each character."""
    order: Ids
    """int64 (W,), the permutation."""
    mean: FloatArray
    """float32, of what is projected; what is projected is (2 W,), for some kinds (W,)."""
    inward: FloatArray
    """float32, from that to a code before it is put to length one."""
    outward: FloatArray
    """float32 (D, W), from a code to the decoder's vector."""
    encoder: tuple[FloatArray, ...]
    """Weights of the random encoder; of single characters its vectors, (V, W)."""

    @property
    def width(self) -> int:
        """Of a code, D."""
        return int(self.inward.shape[1])

    def encode(self, blocks: Ids) -> FloatArray:
        """Codes of length one.

        Args:
            blocks: int64 (N, m), characters below V.

        Returns:
            float32 (N, D).
        """
        codes = (self._both(blocks) - self.mean) @ self.inward
        return _of_length_one(codes)

    def decode(self, codes: FloatArray) -> Ids:
        """The block that each code is likeliest of, character by character; any length of code will do.

        Returns:
            int64 (N, m).
        """
        held = _of_length_one(codes) @ self.outward + self.mean[-len(self.order) :]
        found = np.empty((len(codes), self.chars), np.int64)
        back = np.argsort(self.order)
        for at in range(self.chars):
            for first in range(0, len(held), DECODED_AT_ONCE):
                part = slice(first, first + DECODED_AT_ONCE)
                found[part, at] = (held[part] @ self.letters.T).argmax(axis=1)
            held = held[:, back]
        return found

    def _both(self, blocks: Ids) -> FloatArray:
        told = decoder_vectors(blocks, self.letters, self.order)
        if self.kind in (CodeKind.RANDOM, CodeKind.ORTHONORMAL):
            return told
        return np.concatenate((encoder_vectors(blocks, self.encoder), told), axis=1)


def decoder_vectors(blocks: Ids, letters: FloatArray, order: Ids) -> FloatArray:
    """Sums of the characters' vectors, each moved once more for every place, float32 (N, W)."""
    total = np.zeros((len(blocks), letters.shape[1]), np.float32)
    for at in range(blocks.shape[1] - 1, -1, -1):
        total = total[:, order] + letters[blocks[:, at]]
    return total


def encoder_vectors(blocks: Ids, weights: tuple[FloatArray, ...]) -> FloatArray:
    """What the random encoder makes of blocks, float32 (N, W)."""
    if len(weights) == 1:
        return np.asarray(weights[0][blocks[:, 0]])
    characters, *layers = weights
    x = characters[blocks]  # (N, m, D of single characters)
    for here, before in zip(layers[::2], layers[1::2], strict=True):
        left = np.pad(x, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        x = np.tanh(x @ here + left @ before)
    return np.asarray(x.sum(axis=1))


def fit_codes(
    text: Ids,
    *,
    alphabet: int,
    chars: int,
    width: int,
    seed: int,
    kind: CodeKind = CodeKind.MIDDLE,
    single: Codes | None = None,
) -> Codes:
    """Draw the random maps and find the components of their vectors on a text.

    Args:
        text: int64 (T,), characters below V.
        alphabet: V.
        chars: m.
        width: D.
        seed: of the maps.
        kind: how codes come from them.
        single: the codes of single characters, which longer blocks are encoded from.

    Raises:
        ValueError: the text is shorter than a block, or the codes cannot be so wide or of that kind.
    """
    if len(text) < chars or chars < 1:
        raise ValueError(f"no block of {chars} characters in a text of {len(text)}")
    if chars > 1 and single is None:
        raise ValueError("longer blocks are encoded from the codes of single characters")
    if kind is CodeKind.ORTHONORMAL:
        return _orthonormal(alphabet, chars, width)
    rng = np.random.default_rng((seed, chars))
    letters, order = _gaussian(rng, alphabet, MAP_WIDTH), rng.permutation(MAP_WIDTH)
    encoder = _random_encoder(rng, text, alphabet, single if chars > 1 else None)
    blocks = _sampled(text, alphabet, chars, rng)
    told = decoder_vectors(blocks, letters, order)
    parts = [told] if kind is CodeKind.RANDOM else [encoder_vectors(blocks, encoder), told]
    sample = np.concatenate(parts, axis=1)
    mean = sample.mean(axis=0)
    weights = 1 / np.maximum(sample.std(axis=0) * MAP_WIDTH**0.5, LEAST_SPREAD)
    inward, outward = _FOUND[kind]((sample - mean) * weights, width, rng)
    inward, outward = weights[:, None] * inward, outward / weights[-MAP_WIDTH:]
    length = float(np.linalg.norm((sample - mean) @ inward, axis=1).mean())
    projection = (np.asarray(array, np.float32) for array in (mean, inward, length * outward))
    centre, to_code, to_letters = projection
    return Codes(chars, kind, letters, order, centre, to_code, to_letters, encoder)


def _components(sample: FloatArray, width: int, _: np.random.Generator) -> tuple[Floats, Floats]:
    """Principal components, scaled by the roots of their singular values, and the way back to the right half."""
    spreads, directions = np.linalg.eigh(np.cov(sample, rowvar=False))
    kept = np.argsort(-spreads)[LEFT_OUT : LEFT_OUT + width]
    if len(kept) < width or spreads[kept].min() <= LEAST_SPREAD**2:
        raise ValueError(f"two random maps of this text have fewer than {width} common components")
    directions, scale = directions[:, kept], spreads[kept] ** 0.25
    outward: Floats = (directions * scale)[-MAP_WIDTH:].T
    return directions / scale, outward


def _averaged(sample: FloatArray, width: int, __: np.random.Generator) -> tuple[Floats, Floats]:
    """The mean of the right half and the left one turned to lie on it, cut to its principal components."""
    left, right = sample[:, :MAP_WIDTH], sample[:, MAP_WIDTH:]
    first, _, second = np.linalg.svd(left.T @ right)
    turn = first @ second
    mean = (left @ turn + right) / 2
    spreads, directions = np.linalg.eigh(np.cov(mean, rowvar=False))
    directions = directions[:, np.argsort(-spreads)[:width]]
    inward: Floats = np.concatenate((turn @ directions, directions)) / 2
    return inward, directions.T


def _projected(sample: FloatArray, width: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Random directions at right angles."""
    directions, _ = np.linalg.qr(rng.standard_normal((sample.shape[1], width)))
    return directions, directions.T


_FOUND = {
    CodeKind.MIDDLE: _components,
    CodeKind.AVERAGE: _averaged,
    CodeKind.RANDOM: _projected,
}


def _orthonormal(alphabet: int, chars: int, width: int) -> Codes:
    if chars != 1 or width < alphabet:
        raise ValueError(f"{alphabet} characters need {alphabet} directions, one at a time")
    same = np.eye(width, dtype=np.float32)
    nothing = np.zeros(width, np.float32)
    kind = CodeKind.ORTHONORMAL
    return Codes(1, kind, same[:alphabet], np.arange(width), nothing, same, same, ())


def _random_encoder(
    rng: np.random.Generator, text: Ids, alphabet: int, single: Codes | None
) -> tuple[FloatArray, ...]:
    """Of single characters their vectors; of blocks the characters' codes and two convolutions."""
    if single is None:
        beside = np.zeros((alphabet, 2 * alphabet))
        np.add.at(beside, (text[:-1], text[1:]), 1)
        np.add.at(beside, (text[1:], alphabet + text[:-1]), 1)
        seen = np.log1p(beside)
        seen = _of_length_one(seen) * seen.shape[1] ** 0.5
        return (np.tanh(seen @ _gaussian(rng, 2 * alphabet, MAP_WIDTH)).astype(np.float32),)
    characters = single.encode(np.arange(alphabet)[:, None]) * single.width**0.5
    widths = (single.width, MAP_WIDTH, MAP_WIDTH)
    layers = [
        _gaussian(rng, inner, outer)
        for inner, outer in itertools.pairwise(widths)
        for _ in range(2)
    ]
    return (characters.astype(np.float32), *layers)


def _gaussian(rng: np.random.Generator, rows: int, columns: int) -> FloatArray:
    """Random numbers such that a vector of ones' size keeps its size, float32."""
    return np.asarray(rng.standard_normal((rows, columns)) * rows**-0.5, np.float32)


def _sampled(text: Ids, alphabet: int, chars: int, rng: np.random.Generator) -> Ids:
    """Every character once, or blocks of the text, each as often as it happens to be drawn."""
    if chars == 1:
        return np.arange(alphabet)[:, None]
    count = min(SAMPLED_BLOCKS, len(text) - chars + 1)
    starts = rng.choice(len(text) - chars + 1, count, replace=False)
    return np.asarray(text[starts[:, None] + np.arange(chars)])


def _of_length_one(vectors: npt.NDArray[np.floating]) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, LEAST_SPREAD), np.float32)
