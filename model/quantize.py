"""Rows of weights as small integers with a scale each.

Eight bits are an even grid. Four bits are the sixteen levels that lose least of normally
distributed values (Max 1960), rounded to whole numbers, so that both are small integers at run
time.

Shapes: R rows, D width.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Stored = npt.NDArray[Any]

LARGEST = 127
_POSITIVE_LEVELS = (6, 18, 31, 44, 58, 75, 96, LARGEST)
LEVELS = np.array([*(-level for level in _POSITIVE_LEVELS[::-1]), *_POSITIVE_LEVELS], np.int8)
"""int8 (16,), ascending."""
MIDDLES = (LEVELS[1:].astype(np.float32) + LEVELS[:-1].astype(np.float32)) / 2
"""float32 (15,): from here on the next level is nearer."""
LARGEST_DEVIATION = 2.73
"""Standard deviations that the largest level stands for."""
_BLOCK_ROWS = 8192

ROW_BITS = (4, 8, 32)
SCALES = ".scales"
"""Ends the name of the scales of a matrix that is stored as rows of small integers."""


def quantize_rows(rows: FloatArray, *, bits: int = 8) -> tuple[Stored, FloatArray]:
    """Round each row to whole numbers with a scale of its own.

    Args:
        rows: float32 (R, D); D is even.
        bits: one of `ROW_BITS`; 32 changes nothing.

    Returns:
        int8 (R, D), or for four bits uint8 (R, D / 2) with the left one of two values in the upper
        half, or for 32 bits the rows; and scales float32 (R,).
    """
    if bits == 8:
        scales = (np.abs(rows).max(axis=1) / LARGEST).astype(np.float32)
        return np.rint(rows / _above_zero(scales)[:, None]).astype(np.int8), scales
    if bits == 4:
        blocks = [
            _four_bits(rows[at : at + _BLOCK_ROWS]) for at in range(0, len(rows), _BLOCK_ROWS)
        ]
        empty = (np.empty((0, rows.shape[1] // 2), np.uint8), np.empty(0, np.float32))
        codes, scales = zip(empty, *blocks, strict=True)
        return np.concatenate(codes), np.concatenate(scales)
    return rows, np.ones(len(rows), dtype=np.float32)


def _four_bits(rows: FloatArray) -> tuple[Stored, FloatArray]:
    scales = np.sqrt(np.square(rows).mean(axis=1)) * np.float32(LARGEST_DEVIATION / LARGEST)
    codes = np.searchsorted(MIDDLES, rows / _above_zero(scales)[:, None])
    levels = LEVELS[codes].astype(np.float32)
    scales = np.einsum("rd,rd->r", rows, levels) / np.einsum("rd,rd->r", levels, levels)
    packed = (codes[:, ::2] << 4 | codes[:, 1::2]).astype(np.uint8)
    return packed, np.asarray(scales, dtype=np.float32)


def _above_zero(scales: FloatArray) -> FloatArray:
    return np.where(scales > 0, scales, np.float32(1))


def small_integers(values: Stored, *, bits: int) -> Stored:
    """What `quantize_rows` stored, as one number a place, (R, D).

    Raises:
        ValueError: the array is not what so many bits are stored as.
    """
    dtypes = {4: np.uint8, 8: np.int8, 32: np.float32}
    if bits not in dtypes or values.dtype != dtypes[bits] or values.ndim != 2:
        raise ValueError(f"rows are not stored in {bits} bits")
    if bits != 4:
        return values
    pairs = np.stack((np.repeat(LEVELS, 16), np.tile(LEVELS, 16)), axis=1)  # (256, 2)
    # Two levels at a time, as one number of sixteen bits.
    return pairs.view(np.uint16)[:, 0].take(values).view(np.int8)


def dequantize_rows(values: Stored, scales: FloatArray) -> FloatArray:
    """The rows of eight bits, rounded, float32 (R, D).

    Raises:
        ValueError: there is not one scale a row.
    """
    if values.ndim != 2 or scales.shape != (len(values),):
        raise ValueError("values and scales do not fit")
    return np.asarray(values.astype(np.float32) * scales[:, None], dtype=np.float32)
