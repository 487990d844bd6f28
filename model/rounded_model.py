"""A stored model with its matrices rounded another way: what that takes, and what it loses of each layer's output.

All ways are named here, so that they can be compared on one model. How each rounds is in `quantize.py`, `nf4.py`,
`spqr.py` and `rounding_baselines.py`.

Shapes: R rows (outputs), D columns (inputs).
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from model.checkpoint import Checkpoint, load_checkpoint
from model.errors import CheckpointError
from model.nf4 import bits_per_value, quantize_nf4, restore_nf4
from model.quantize import Stored, dequantize_rows, quantize_rows, small_integers
from model.rounding_baselines import baseline_bits, gptq, round_to_nearest
from model.spqr import SpqrConfig, find_tau, output_error, quantize_matrix
from model.spqr_stored import Doubles, FloatArray, nominal_bits, restore_matrix, stored_bits
from model.stored import array_name, restored_array

SPQR_3 = 3.94
"""Bits a weight, as published: 3 and outliers."""


@dataclass(frozen=True, slots=True)
class Rounded:
    """A matrix, and what it takes to store."""

    matrix: FloatArray
    """float32 (R, D), as restored."""
    bits: float
    """Of everything that is stored of it."""


Method = Callable[[FloatArray, Doubles], Rounded]
"""From a matrix, float32 (R, D), and the second moment of its inputs, float64 (D, D)."""


def keep(weight: FloatArray, _: Doubles) -> Rounded:
    """Round nothing."""
    return Rounded(weight, 32 * weight.size)


def _rows(bits: int) -> Method:
    def method(weight: FloatArray, _: Doubles) -> Rounded:
        return _of_rows(*quantize_rows(weight, bits=bits), bits=bits)

    return method


def _of_rows(values: Stored, scales: FloatArray, *, bits: int) -> Rounded:
    restored = dequantize_rows(small_integers(values, bits=bits), scales)
    return Rounded(restored, 8 * (values.nbytes + scales.nbytes))


def _nf4(weight: FloatArray, _: Doubles) -> Rounded:
    tensor = quantize_nf4(weight)
    return Rounded(restore_nf4(tensor), bits_per_value(tensor) * weight.size)


def _spqr(bits: int, outlier_share: float) -> Method:
    """SpQR with such a share of outliers in every matrix, or none."""

    def method(weight: FloatArray, moment: Doubles) -> Rounded:
        config = SpqrConfig(bits=bits, tau=math.inf)
        if outlier_share > 0:
            tau = find_tau(weight, moment, config, outlier_share=outlier_share)
            config = replace(config, tau=tau)
        matrix = quantize_matrix(weight, moment, config)
        return Rounded(restore_matrix(matrix), stored_bits(matrix))

    return method


def _gptq(bits: int) -> Method:
    def method(weight: FloatArray, moment: Doubles) -> Rounded:
        R, D = weight.shape
        restored = gptq(weight, moment, SpqrConfig(bits=bits))
        return Rounded(restored, baseline_bits((R, D), bits=bits) * weight.size)

    return method


def _nearest(bits: int) -> Method:
    def method(weight: FloatArray, _: Doubles) -> Rounded:
        R, D = weight.shape
        restored = round_to_nearest(weight, bits=bits)
        return Rounded(restored, baseline_bits((R, D), bits=bits) * weight.size)

    return method


INT8, NF4 = "int8", "nf4"
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        INT8: _rows(8),
        "gptq 4": _gptq(4),
        "nearest 4": _nearest(4),
        "spqr 4.63": _spqr(4, 0.0),
        NF4: _nf4,
        "nearest 3": _nearest(3),
        "spqr 3.94": _spqr(3, (SPQR_3 - nominal_bits(3, outlier_share=0)) / 32),
    }
)
"""Ways to round a matrix; those with a number are of so many bits a weight, SpQR's as published."""
INT4 = "int4"
TABLE_METHODS: Mapping[str, Method] = MappingProxyType({INT4: _rows(4), NF4: _nf4})
"""Ways to round a table of rows that are looked up, where every row must be read back for itself."""


@dataclass(frozen=True, slots=True)
class RoundedModel:
    """All matrices that were rounded."""

    matrices: Mapping[str, FloatArray]
    params: int
    bits: float
    """Stored, of all of them."""
    output_error: float
    """Share of the mean square of a layer's outputs that is lost; mean over the layers, by their weights."""


def round_matrices(
    matrices: Mapping[str, FloatArray], moments: Mapping[str, Doubles], method: Method
) -> RoundedModel:
    """Round each matrix for itself.

    Args:
        matrices: float32 (R, D), by name.
        moments: float64 (D, D), `second_moment` of the inputs, of those that have inputs. The others are tables and
            convolutions: their columns have nothing to do with each other.
        method: one of `METHODS`.
    """
    found: dict[str, FloatArray] = {}
    params, bits, lost = 0, 0.0, 0.0
    for name, weight in matrices.items():
        moment = moments.get(name)
        if moment is None:
            moment = 2 * np.eye(weight.shape[1])
        rounded = method(weight, moment)
        found[name] = rounded.matrix
        params, bits = params + weight.size, bits + rounded.bits
        lost += weight.size * _share_lost(weight, rounded.matrix, moment)
    return RoundedModel(found, params, bits, lost / params)


def _share_lost(weight: FloatArray, restored: FloatArray, moment: Doubles) -> float:
    everything = output_error(weight, np.zeros_like(weight), moment)
    return output_error(weight, restored, moment) / everything if everything > 0 else 0.0


# ------------------------------------------------------------------------------------- checkpoints
def packaged(name: str) -> Checkpoint:
    """Weights that are shipped, by the name of their folder.

    Raises:
        CheckpointError: there are none, or they are damaged.
    """
    with as_file(files("model") / "weights" / name) as folder:
        return load_checkpoint(folder)


def stored_matrices(checkpoint: Checkpoint) -> dict[str, Rounded]:
    """The matrices that a checkpoint stores rounded, and what they take there."""
    arrays = checkpoint.arrays
    found = {}
    for name in dict.fromkeys(map(array_name, arrays)):
        parts = [part for part in arrays if array_name(part) == name]
        if len(parts) > 1:
            bits = 8 * sum(arrays[part].nbytes for part in parts)
            found[name] = Rounded(restored_array(arrays, name), bits)
    return found


def with_matrices(checkpoint: Checkpoint, matrices: Mapping[str, FloatArray]) -> Checkpoint:
    """The same model with some of its matrices replaced, these in float32.

    Raises:
        ValueError: it has no such matrix.
    """
    known = set(map(array_name, checkpoint.arrays))
    unknown = [name for name in matrices if name not in known]
    if unknown:
        raise ValueError(f"the model has no {unknown[0]}")
    others = {
        stored: values
        for stored, values in checkpoint.arrays.items()
        if array_name(stored) not in matrices
    }
    return replace(checkpoint, arrays={**others, **matrices})


def trained_matrices(state: Path, shipped: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """A language model's matrices in float32, as its run of training had them.

    Args:
        state: what the run left behind (`run_state.STATE`).
        shipped: what was stored of it, rounded.

    Raises:
        CheckpointError: the file cannot be read, or is of another model.
    """
    try:
        mean = torch.load(state, map_location="cpu", weights_only=True)["mean"]
        found = {name: mean[f"network.{name}"].numpy() for name in shipped}
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as exc:
        raise CheckpointError(f"cannot read the weights in {state}: {exc}") from exc
    for name, matrix in found.items():
        if matrix.shape != shipped[name].shape:
            raise CheckpointError(f"{state} is of another model: {name} is {matrix.shape}")
    return found
