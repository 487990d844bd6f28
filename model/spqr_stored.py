"""A matrix as SpQR has rounded it: what is stored, how many bits that takes, and the weights it stands for.

How it is made is in `spqr.py`; this is all that is needed at run time.

Shapes: R rows (outputs), D columns (inputs), G = D / 16 groups and N = R / 16 bands, rounded up, K outliers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Halves = npt.NDArray[np.float16]
Codes = npt.NDArray[np.uint8]
Whole = npt.NDArray[np.uint16]
Stored = npt.NDArray[Any]

GROUP = 16
"""Inputs that share a scale and a zero point; rows that share the levels of these."""
LEVEL_BITS = 3
"""Of the code of a scale, and of a zero point."""
MOST_COLUMNS = 2**16 - 1
HEAD = ".spqr"
"""Ends the name of the array that says how the others are to be read."""
ORDER = ".spqr.order"


@dataclass(frozen=True, slots=True, eq=False)
class SpqrMatrix:
    """A rounded matrix: weight = size * scale * (code - zero), but for the outliers."""

    bits: int
    """Of the code of a weight, 2 to 8."""
    size: float
    """A power of two near the root mean square of the weights: all else is in its unit."""
    order: Whole
    """uint16 (D,): the column that stands at each place of the codes."""
    codes: Codes
    """uint8 (R, D), below 2**bits."""
    scale_codes: Codes
    """uint8 (R, G), below 2**LEVEL_BITS."""
    zero_codes: Codes
    """As the scales."""
    scale_levels: Halves
    """float16 (2, N, G): the lowest scale of a band and the step to the next."""
    zero_levels: Halves
    """As the scales."""
    outlier_counts: Whole
    """uint16 (R,): outliers of each row."""
    outlier_columns: Whole
    """uint16 (K,), by rows, ascending in each."""
    outlier_values: Halves
    """float16 (K,)."""

    @property
    def outlier_rows(self) -> npt.NDArray[np.int64]:
        """(K,), ascending."""
        return np.repeat(np.arange(len(self.codes)), self.outlier_counts)

    @property
    def outlier_share(self) -> float:
        """Of all weights, 0 to 1."""
        return len(self.outlier_values) / self.codes.size


def restore_matrix(matrix: SpqrMatrix) -> FloatArray:
    """The weights as rounded, float32 (R, D)."""
    R, D = matrix.codes.shape
    group = np.arange(D) // GROUP
    scales = from_levels(matrix.scale_codes, matrix.scale_levels)[:, group]
    zeros = from_levels(matrix.zero_codes, matrix.zero_levels)[:, group]
    restored = np.empty((R, D))
    restored[:, matrix.order] = scales * (matrix.codes - zeros)
    restored[matrix.outlier_rows, matrix.outlier_columns] = matrix.outlier_values
    return (restored * matrix.size).astype(np.float32)


def from_levels(codes: Codes, levels: Halves) -> Doubles:
    """What codes (R, G) stand for on levels (2, N, G), float64 (R, G)."""
    band = np.arange(len(codes)) // GROUP
    lowest, step = levels.astype(np.float64)[:, band]
    return np.asarray(lowest + step * codes)


# ------------------------------------------------------------------------------------------------ bits
def stored_bits(matrix: SpqrMatrix) -> int:
    """Bits of everything that `pack_matrix` gives, the head and the last bytes' spare bits included."""
    return 8 * sum(array.nbytes for array in pack_matrix("", matrix).values())


def nominal_bits(bits: int, *, outlier_share: float) -> float:
    """Bits a weight as published: without what is stored once a row, a column or a matrix.

    Args:
        bits: of a code.
        outlier_share: of all weights, 0 to 1.
    """
    levels = 4 * 16 / GROUP**2  # lowest and step, of scales and of zero points
    return bits + 2 * LEVEL_BITS / GROUP + levels + (16 + 16) * outlier_share


# --------------------------------------------------------------------------------------------- arrays
def pack_matrix(name: str, matrix: SpqrMatrix) -> dict[str, Stored]:
    """As plain arrays for a checkpoint.

    Codes are packed without gaps, the first bit of each highest; the counts of outliers take a byte where none is
    above 255; the order of the columns is left out where it is their own.

    Returns:
        Arrays whose names are `name` and an ending, one of them `HEAD`.
    """
    R, D = matrix.codes.shape
    counts = matrix.outlier_counts
    arrays: dict[str, Stored] = {
        "": np.array([R, D, matrix.bits], np.uint32),
        ".size": np.array([matrix.size], np.float32),
        ".codes": _packed(matrix.codes, matrix.bits),
        ".scale_codes": _packed(matrix.scale_codes, LEVEL_BITS),
        ".zero_codes": _packed(matrix.zero_codes, LEVEL_BITS),
        ".scale_levels": matrix.scale_levels,
        ".zero_levels": matrix.zero_levels,
        ".outlier_counts": counts.astype(np.uint8) if counts.max() < 256 else counts,
        ".outlier_columns": matrix.outlier_columns,
        ".outlier_values": matrix.outlier_values,
    }
    packed = {name + HEAD + part: array for part, array in arrays.items()}
    if not np.array_equal(matrix.order, np.arange(D)):
        packed[name + ORDER] = matrix.order
    return packed


def unpack_matrix(name: str, arrays: Mapping[str, Stored]) -> SpqrMatrix:
    """Read back what `pack_matrix` gave; other arrays may stand beside it.

    Raises:
        ValueError: an array is missing, or is not what the head says.
    """

    def part(ending: str, *shape: int, dtypes: tuple[type[np.generic], ...]) -> Stored:
        found = arrays.get(name + HEAD + ending)
        if found is None or found.shape != shape or found.dtype not in dtypes:
            raise ValueError(f"{name}{HEAD}{ending} is missing or not {shape}")
        return found

    R, D, bits = (int(it) for it in part("", 3, dtypes=(np.uint32,)))
    if not (R > 0 and 0 < D <= MOST_COLUMNS and 2 <= bits <= 8):
        raise ValueError(f"{name}{HEAD} is no head of a matrix: {R}, {D}, {bits}")
    N, G = -(-R // GROUP), -(-D // GROUP)

    def codes(ending: str, columns: int, bits: int) -> Codes:
        packed = part(ending, -(-R * columns * bits // 8), dtypes=(np.uint8,))
        return _unpacked(packed, R * columns, bits).reshape(R, columns)

    def levels(ending: str) -> Halves:
        return part(ending, 2, N, G, dtypes=(np.float16,))

    counts = part(".outlier_counts", R, dtypes=(np.uint8, np.uint16)).astype(np.uint16)
    K = int(counts.sum(dtype=np.int64))
    order = np.arange(D).astype(np.uint16)
    if name + ORDER in arrays:
        order = part(".order", D, dtypes=(np.uint16,))
    matrix = SpqrMatrix(
        bits=bits,
        size=float(part(".size", 1, dtypes=(np.float32,))[0]),
        order=order,
        codes=codes(".codes", D, bits),
        scale_codes=codes(".scale_codes", G, LEVEL_BITS),
        zero_codes=codes(".zero_codes", G, LEVEL_BITS),
        scale_levels=levels(".scale_levels"),
        zero_levels=levels(".zero_levels"),
        outlier_counts=counts,
        outlier_columns=part(".outlier_columns", K, dtypes=(np.uint16,)),
        outlier_values=part(".outlier_values", K, dtypes=(np.float16,)),
    )
    _check(name, matrix)
    return matrix


def _check(name: str, matrix: SpqrMatrix) -> None:
    D = matrix.codes.shape[1]
    if not np.array_equal(np.sort(matrix.order), np.arange(D)):
        raise ValueError(f"{name}{ORDER} is no order of {D} columns")
    if (matrix.outlier_columns >= D).any():
        raise ValueError(f"{name}{HEAD} has an outlier beyond column {D - 1}")
    numbers = (matrix.size, matrix.scale_levels, matrix.zero_levels, matrix.outlier_values)
    if not all(np.isfinite(it).all() for it in numbers):
        raise ValueError(f"{name}{HEAD} has a number that is not finite")


def _packed(codes: Codes, bits: int) -> Codes:
    """Codes one behind the other, `bits` each, uint8 (R * columns * bits / 8, rounded up)."""
    each = np.unpackbits(codes.reshape(-1, 1), axis=1)  # (R * columns, 8)
    return np.packbits(each[:, 8 - bits :])


def _unpacked(packed: Codes, count: int, bits: int) -> Codes:
    each = np.zeros((count, 8), np.uint8)
    each[:, 8 - bits :] = np.unpackbits(packed, count=count * bits).reshape(count, bits)
    return np.packbits(each, axis=1)[:, 0]
