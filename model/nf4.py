"""Any array in 4.127 bits a value: NF4 with double quantisation (QLoRA, Dettmers et al. 2023).

Every 64 values share a scale, the largest of their sizes, and each is stored as the nearest of
sixteen levels: quantiles of the normal distribution, with an exact zero. The scales themselves are
stored in eight bits: less their mean, and 256 of them to a step. It is numpy alone, so that it can
be used at run time.

Shapes: N values, K blocks of values (N / 64, rounded up), G groups of scales (K / 256, rounded up).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

BLOCK = 64
"""Values that share a scale."""
GROUP = 256
"""Scales that share a step."""
LARGEST = 127
"""Of the whole numbers that scales are stored as."""

OFFSET = 0.9677083
"""The outermost quantile: the mean of 1 - 1/30 and 1 - 1/32, half a level short of the end."""


def normal_levels() -> FloatArray:
    """The levels of NF4, float32 (16,), ascending from -1 to 1: 7 below 0, 0 and 8 above it."""
    quantile = NormalDist().inv_cdf
    below = [-quantile(OFFSET + (0.5 - OFFSET) * at / 7) for at in range(7)]
    above = [quantile(OFFSET + (0.5 - OFFSET) * at / 8) for at in range(8)]
    levels = np.array([*below, 0, *above[::-1]]) / above[0]
    return levels.astype(np.float32)


LEVELS = normal_levels()
MIDDLES = (LEVELS[1:] + LEVELS[:-1]) / 2
"""float32 (15,): from here on the next level is nearer."""
PAIRS = np.stack((np.repeat(LEVELS, 16), np.tile(LEVELS, 16)), axis=1)
"""float32 (256, 2): the two levels of every byte, the left one in its upper half."""

_BLOCKS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class NF4Tensor:
    """An array as it is stored."""

    codes: npt.NDArray[np.uint8]
    """(K, 32): two levels a byte; the last block is filled up with zeros."""
    scales: npt.NDArray[np.int8]
    """(K,): steps above or below the mean scale."""
    steps: FloatArray
    """(G,), 0 or more."""
    mean: FloatArray
    """(1,): of the scales, 0 or more."""
    shape: tuple[int, ...]
    """Of the array."""


def quantize_nf4(values: FloatArray) -> NF4Tensor:
    """Round each value to the nearest level of its block.

    Args:
        values: float32, of any shape; blocks run over it in C order.

    Raises:
        ValueError: the array is empty, not float32 or not finite.
    """
    if values.dtype != np.float32:
        raise ValueError(f"NF4 stores float32, not {values.dtype}")
    if values.size == 0:
        raise ValueError("NF4 cannot store an empty array")
    if not np.isfinite(values).all():
        raise ValueError("NF4 cannot store values that are not finite")
    padding = -values.size % BLOCK
    blocks = np.pad(values.reshape(-1), (0, padding)).reshape(-1, BLOCK)
    largest = np.abs(blocks).max(axis=1)
    codes = [
        _codes(blocks[at : at + _BLOCKS_AT_ONCE], largest[at : at + _BLOCKS_AT_ONCE])
        for at in range(0, len(blocks), _BLOCKS_AT_ONCE)
    ]
    return NF4Tensor(np.concatenate(codes), *_quantize_scales(largest), values.shape)


def _codes(blocks: FloatArray, largest: FloatArray) -> npt.NDArray[np.uint8]:
    divisors = np.where(largest > 0, largest, np.float32(1))
    codes = np.searchsorted(MIDDLES, blocks / divisors[:, None], side="right")
    return (codes[:, ::2] << 4 | codes[:, 1::2]).astype(np.uint8)


def _quantize_scales(
    largest: FloatArray,
) -> tuple[npt.NDArray[np.int8], FloatArray, FloatArray]:
    """Whole numbers (K,), the step of each group (G,) and the mean (1,)."""
    mean = largest.mean(dtype=np.float64, keepdims=True).astype(np.float32)
    offsets = largest.astype(np.float64) - mean
    ends = np.maximum.reduceat(np.abs(offsets), np.arange(0, len(offsets), GROUP))
    steps = (ends / LARGEST).astype(np.float32)
    divisors = np.where(steps > 0, steps, np.float32(1)).repeat(GROUP)[: len(offsets)]
    # A step too small for float32 to hold exactly would lead past the largest number.
    numbers = np.rint(offsets / divisors).clip(-LARGEST, LARGEST)
    return numbers.astype(np.int8), steps, mean


def restored_scales(tensor: NF4Tensor) -> FloatArray:
    """What the levels of each block are multiplied by, float32 (K,), 0 or more and finite."""
    steps = tensor.steps.astype(np.float64).repeat(GROUP)[: len(tensor.scales)]
    scales = steps * tensor.scales + tensor.mean
    return scales.clip(0, np.finfo(np.float32).max).astype(np.float32)


def restore_nf4(tensor: NF4Tensor) -> FloatArray:
    """The array, rounded: float32, of its own shape."""
    values = PAIRS[tensor.codes].reshape(-1, BLOCK)
    values *= restored_scales(tensor)[:, None]
    return values.reshape(-1)[: math.prod(tensor.shape)].reshape(tensor.shape)


def bits_per_value(tensor: NF4Tensor) -> float:
    """What is stored, the shape excepted, in bits by values; blocks that are not full cost more."""
    parts = (tensor.codes, tensor.scales, tensor.steps, tensor.mean)
    return 8 * sum(part.nbytes for part in parts) / math.prod(tensor.shape)
