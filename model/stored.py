"""Arrays of a checkpoint as they are stored, and what they stand for: rows of small integers, or SpQR's matrices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model.quantize import SCALES, FloatArray, Stored, dequantize_rows, small_integers
from model.spqr_stored import HEAD, restore_matrix, unpack_matrix


def array_name(stored: str) -> str:
    """The array that a stored one belongs to."""
    return stored.partition(HEAD)[0].removesuffix(SCALES)


def restored_array(arrays: Mapping[str, Stored], name: str) -> FloatArray:
    """One of stored arrays, float32: rows and matrices rounded as they are, others unchanged.

    Raises:
        KeyError: there is no such array.
        ValueError: it is not what is said to be stored, or is stored twice; the message names it.
    """
    if name + HEAD in arrays:
        if name in arrays:
            raise ValueError(f"{name} is stored twice")
        return restore_matrix(unpack_matrix(name, arrays))
    values, scales = arrays[name], arrays.get(name + SCALES)
    if scales is None:
        return np.asarray(values, dtype=np.float32)
    bits = 4 if values.dtype == np.uint8 else 8
    try:
        return dequantize_rows(small_integers(values, bits=bits), scales)
    except ValueError as exc:
        raise ValueError(f"{name}: {exc}") from exc


def restored_arrays(arrays: Mapping[str, Stored]) -> dict[str, FloatArray]:
    """All of them, by name."""
    return {name: restored_array(arrays, name) for name in dict.fromkeys(map(array_name, arrays))}


def without(arrays: Mapping[str, Stored], name: str) -> dict[str, Stored]:
    """All stored arrays but those of one."""
    return {stored: values for stored, values in arrays.items() if array_name(stored) != name}
