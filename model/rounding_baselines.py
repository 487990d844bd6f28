"""What SpQR is to be compared with: rounding to the nearest, and GPTQ, on the same groups.

Each group has a scale of 16 bits and a whole zero point of as many bits as a weight; there are no outliers.

Shapes: R rows (outputs), D columns (inputs).
"""

from __future__ import annotations

import numpy as np

from model.spqr import (
    Problem,
    RoundColumn,
    SpqrConfig,
    feed_forward,
    fit_grid,
    nearest_codes,
)
from model.spqr_stored import GROUP, Doubles, FloatArray


def round_to_nearest(weight: FloatArray, *, bits: int) -> FloatArray:
    """Round each weight for itself.

    Args:
        weight: float (R, D).
        bits: of a code, 2 to 8.

    Returns:
        float32 (R, D), as rounded.

    Raises:
        ValueError: a number is not finite, or there is no matrix.
    """
    # Inputs that have nothing to do with each other: no column can make good for another.
    alone = np.eye(weight.shape[-1])
    return gptq(weight, alone, SpqrConfig(bits=bits))


def gptq(weight: FloatArray, moment: Doubles, config: SpqrConfig) -> FloatArray:
    """Round column by column, the error of each made good by those still to come.

    Args:
        weight: float (R, D).
        moment: float64 (D, D), `second_moment` of the inputs.
        config: all but its `tau` counts.

    Returns:
        float32 (R, D), as rounded.

    Raises:
        ValueError: as `quantize_matrix`.
    """
    problem = Problem.of(weight, moment, damping=config.damping, by_diagonal=config.by_diagonal)

    def begin_group(group: Doubles, start: int) -> RoundColumn:
        is_live = problem.is_live[start : start + group.shape[1]]
        scales, zeros = fit_grid(group, np.broadcast_to(is_live, group.shape), bits=config.bits)
        scales, zeros = scales.astype(np.float16).astype(np.float64), np.rint(zeros)

        def round_column(values: Doubles, _at: int) -> Doubles:
            return scales * (nearest_codes(values, scales, zeros, bits=config.bits) - zeros)

        return round_column

    rounded = feed_forward(problem, begin_group)
    return (rounded[:, np.argsort(problem.order)] * problem.size).astype(np.float32)


def baseline_bits(shape: tuple[int, int], *, bits: int, by_diagonal: bool = False) -> float:
    """Mean bits a weight that either takes to store, for a matrix of `shape` (R, D)."""
    R, D = shape
    in_groups = R * -(-D // GROUP) * (16 + bits)
    return bits + (in_groups + 16 * D * by_diagonal) / (R * D)
