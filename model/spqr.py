"""One matrix of weights in three or four bits a weight, a few weights apart in sixteen (SpQR, Dettmers et al. 2023).

Columns are rounded one after the other; what a column loses is made good by those still to come, as far as the
inputs go together (GPTQ, Frantar et al. 2022). Sixteen inputs of a row share a scale and a zero point, and sixteen
rows share the levels that these are themselves rounded to.

A group is fitted without those weights whose absence lowers its error by more than a threshold, found one at a time
by leaving each out. An outlier is a weight that, when its turn comes, would still lose more than that threshold on
the grid: it is kept in sixteen bits.

Shapes: R rows (outputs), D columns (inputs), N bands of 16 rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model.spqr_stored import (
    GROUP,
    LEVEL_BITS,
    MOST_COLUMNS,
    Codes,
    Doubles,
    FloatArray,
    Halves,
    SpqrMatrix,
    from_levels,
)

Mask = npt.NDArray[np.bool_]

_LARGEST_HALF = float(np.finfo(np.float16).max)
_LOWEST_TAU, _HIGHEST_TAU = 1e-4, 1e4
_SEARCH_STEPS = 20
_NEAR_ENOUGH = 0.98


@dataclass(frozen=True, slots=True)
class SpqrConfig:
    """How to round."""

    bits: int = 3
    """Of the code of a weight, 2 to 8."""
    tau: float = 0.2
    """Threshold of outliers, in means of a column's variance over the squared diagonal of the Cholesky factor of the
    inverse second moment. Inf: there are none; above 0."""
    damping: float = 0.01
    """Added to the diagonal of the second moment, in means of that diagonal."""
    by_diagonal: bool = False
    """Whether the inputs of largest second moment come first; costs 16 bits a column."""

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 8:
            raise ValueError(f"a weight has 2 to 8 bits, not {self.bits}")
        if not self.tau > 0 or not 0 <= self.damping < np.inf:
            raise ValueError("tau is above 0, damping is 0 or above")


def second_moment(inputs: npt.NDArray[np.floating]) -> Doubles:
    """Second derivative of the mean squared error of a layer: 2 X X^T / n.

    Args:
        inputs: (n, D), one input of the layer a row; n is at least 1.

    Returns:
        float64 (D, D).
    """
    inputs = np.asarray(inputs, np.float64)
    return np.asarray(2 / len(inputs) * (inputs.T @ inputs))


def output_error(weight: FloatArray, restored: FloatArray, moment: Doubles) -> float:
    """Mean over the inputs of ||(W - Wq) x||^2, where `moment` is their `second_moment`."""
    lost = np.asarray(weight, np.float64) - restored
    return float(np.einsum("rd,rd->", lost @ moment, lost)) / 2


def quantize_matrix(weight: FloatArray, moment: Doubles, config: SpqrConfig) -> SpqrMatrix:
    """Round a matrix so that little of what it makes of its inputs is lost.

    Args:
        weight: float (R, D), D at most `MOST_COLUMNS`.
        moment: float64 (D, D), `second_moment` of the inputs. Weights of an input that was always 0 are rounded to
            the nearest and shape no grid.
        config: bits, outliers, damping.

    Raises:
        ValueError: a number is not finite, the shapes do not fit, or the damped moment is not positive definite.
    """
    problem = Problem.of(weight, moment, damping=config.damping, by_diagonal=config.by_diagonal)
    rounding = _Rounding(problem, config)
    rounded = feed_forward(problem, rounding.begin_group)
    return rounding.matrix(rounded)


class _Rounding:
    """The parts of a `SpqrMatrix`, filled in group by group."""

    def __init__(self, problem: Problem, config: SpqrConfig) -> None:
        R, D = problem.weight.shape
        N, G = -(-R // GROUP), -(-D // GROUP)
        self._problem, self._bits = problem, config.bits
        self._threshold = config.tau * _spread(problem)
        self._codes = np.empty((R, D), np.uint8)
        self._is_outlier = np.zeros((R, D), np.bool_)
        self._level_codes = np.empty((2, R, G), np.uint8)
        self._levels = np.empty((2, 2, N, G), np.float16)

    def begin_group(self, group: Doubles, start: int) -> RoundColumn:
        here = slice(start, start + group.shape[1])
        is_on_grid = np.tile(self._problem.is_live[here], (len(group), 1))
        rows = np.arange(len(group) if np.isfinite(self._threshold) else 0)
        while len(rows):
            # One at a time: where the first makes the grid coarse, it alone is to blame.
            gains = _gains(
                group[rows], is_on_grid[rows], costs=self._problem.costs[here], bits=self._bits
            )
            best = gains.argmax(axis=1)
            is_far = gains.max(axis=1) > self._threshold
            rows, best = rows[is_far], best[is_far]
            is_on_grid[rows, best] = False
        fit = fit_grid(group, is_on_grid, bits=self._bits)
        scales, zeros = (self._to_levels(it, values, start) for it, values in enumerate(fit))

        def round_column(values: Doubles, at: int) -> Doubles:
            codes = nearest_codes(values, scales, zeros, bits=self._bits)
            rounded = scales * (codes - zeros)
            # A weight left out of the fit may still come to lie near the grid; one that moved may not.
            cost = np.square(values - rounded) * self._problem.costs[at]
            is_outlier = (cost > self._threshold) & self._problem.is_live[at]
            self._codes[:, at], self._is_outlier[:, at] = codes, is_outlier
            kept = values.clip(-_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
            return np.where(is_outlier, kept, rounded)

        return round_column

    def _to_levels(self, which: int, values: Doubles, start: int) -> Doubles:
        """Scales (0) or zero points (1) of a group as they will be read back, (R,)."""
        codes, levels = to_levels(values)
        self._level_codes[which, :, start // GROUP] = codes
        self._levels[which, :, :, start // GROUP] = levels
        return from_levels(codes[:, None], levels[:, :, None])[:, 0]

    def matrix(self, rounded: Doubles) -> SpqrMatrix:
        """What is to be stored, given the rounded weights in the order and unit of the problem."""
        order = self._problem.order
        back = np.argsort(order)
        rows, columns = np.nonzero(self._is_outlier[:, back])
        return SpqrMatrix(
            bits=self._bits,
            size=self._problem.size,
            order=order.astype(np.uint16),
            codes=self._codes,
            scale_codes=self._level_codes[0],
            zero_codes=self._level_codes[1],
            scale_levels=self._levels[0],
            zero_levels=self._levels[1],
            outlier_counts=np.bincount(rows, minlength=len(rounded)).astype(np.uint16),
            outlier_columns=columns.astype(np.uint16),
            outlier_values=rounded[:, back][rows, columns].astype(np.float16),
        )


def find_tau(
    weight: FloatArray, moment: Doubles, config: SpqrConfig, *, outlier_share: float
) -> float:
    """Search, by halving, the `tau` that makes a wanted share of the weights outliers.

    Args:
        weight: as for `quantize_matrix`.
        moment: as for `quantize_matrix`.
        config: all but its `tau` counts.
        outlier_share: wanted, above 0 and below 1.

    Returns:
        The one of those tried that comes nearest without more outliers; inf where all have more or none at all.

    Raises:
        ValueError: as `quantize_matrix`, or the share is out of range.
    """
    if not 0 < outlier_share < 1:
        raise ValueError("the share of outliers is above 0 and below 1")
    low, high = _LOWEST_TAU, _HIGHEST_TAU
    best, best_share = np.inf, 0.0
    for _ in range(_SEARCH_STEPS):
        tau = float(np.sqrt(low * high))
        share = quantize_matrix(weight, moment, replace(config, tau=tau)).outlier_share
        if share > outlier_share:
            low = tau
            continue
        high = tau
        if share > best_share:
            best, best_share = tau, share
        if share >= _NEAR_ENOUGH * outlier_share:
            break
    return best


# ------------------------------------------------------------------------------------ feeding forward
RoundColumn = Callable[[Doubles, int], Doubles]
"""From the weights (R,) of the column at a place, and the place, to what is kept of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A matrix and what is known of its inputs, columns in the order in which they are rounded."""

    weight: Doubles
    """float64 (R, D), in units of `size`."""
    size: float
    order: npt.NDArray[np.int64]
    """(D,): the column at each place."""
    is_live: Mask
    """bool (D,): inputs that were not always 0."""
    upper: Doubles
    """float64 (D, D), upper triangular: its transpose times itself is the inverse of the damped moment."""

    @property
    def costs(self) -> Doubles:
        """float64 (D,): error of the output for each squared error of a weight, if the later ones make good."""
        return np.asarray(1 / np.square(np.diag(self.upper)))

    @staticmethod
    def of(weight: FloatArray, moment: Doubles, *, damping: float, by_diagonal: bool) -> Problem:
        """Check and prepare; arguments and errors are those of `quantize_matrix`."""
        weights: Doubles = np.asarray(weight, np.float64)
        moment = np.asarray(moment, np.float64)
        if weights.ndim != 2 or weights.size == 0 or weights.shape[1] > MOST_COLUMNS:
            raise ValueError(f"no matrix of 1 to {MOST_COLUMNS} columns: {weights.shape}")
        D = weights.shape[1]
        if moment.shape != (D, D):
            raise ValueError(f"second moment is {moment.shape}, but the matrix has {D} columns")
        if not np.isfinite(weights).all() or not np.isfinite(moment).all():
            raise ValueError("weights or second moment are not finite")
        if not np.allclose(moment, moment.T):
            raise ValueError("second moment is not symmetric")
        diagonal = np.diag(moment)
        order = np.argsort(-diagonal, kind="stable") if by_diagonal else np.arange(D)
        is_live = diagonal != 0
        moment = moment + np.diag(damping * diagonal.mean() + np.where(is_live, 0.0, 1.0))
        size = unit_size(weights)
        upper = _inverse_root(moment[np.ix_(order, order)])
        return Problem(weights[:, order] / size, size, order, is_live[order], upper)


def unit_size(weight: Doubles) -> float:
    """The power of two nearest to the root mean square, so that numbers of 16 bits have room; 1 for zeros."""
    largest = np.abs(weight).max()
    if largest == 0:
        return 1.0
    mean_square = np.square(weight / largest).mean()
    return float(2.0 ** np.rint(np.log2(largest) + np.log2(mean_square) / 2))


def feed_forward(problem: Problem, begin_group: Callable[[Doubles, int], RoundColumn]) -> Doubles:
    """Round the columns from left to right, the error of each made good by those to its right.

    Args:
        problem: what to round.
        begin_group: is given the weights (R, up to GROUP) of the next columns, as they are by then, and the place
            of the first; gives what rounds each.

    Returns:
        float64 (R, D), as rounded, in the order and unit of the problem.

    Raises:
        ValueError: errors are made good by weights too large for 16 bits.
    """
    left, upper = problem.weight.copy(), problem.upper
    R, D = left.shape
    for start in range(0, D, GROUP):
        stop = min(start + GROUP, D)
        if np.abs(left[:, start:stop]).max() > _LARGEST_HALF:
            raise ValueError("weights outgrow 16 bits as errors are fed forward: damp it more")
        round_column = begin_group(left[:, start:stop].copy(), start)
        errors = np.empty((R, stop - start))
        for at in range(start, stop):
            kept = round_column(left[:, at], at)
            errors[:, at - start] = (left[:, at] - kept) / upper[at, at]
            left[:, at] = kept
            left[:, at + 1 : stop] -= errors[:, at - start, None] * upper[at, at + 1 : stop]
        left[:, stop:] -= errors @ upper[start:stop, stop:]
    return left


def _inverse_root(moment: Doubles) -> Doubles:
    """Upper triangular, its transpose times itself the inverse: from the Cholesky factor read backwards."""
    try:
        backwards = np.linalg.cholesky(moment[::-1, ::-1])
    except np.linalg.LinAlgError as exc:
        raise ValueError("second moment is not positive definite: damp it more") from exc
    return np.triu(np.linalg.inv(backwards[::-1, ::-1]))


# ----------------------------------------------------------------------------------------------- grids
def fit_grid(group: Doubles, is_on_grid: Mask, *, bits: int) -> tuple[Doubles, Doubles]:
    """Scale and zero point of each row, from its least to its largest weight.

    0 lies inside, so that a zero point is between 0 and the largest code, and few bits can hold it.

    Args:
        group: (R, up to GROUP).
        is_on_grid: bool, of the same shape: weights that the grid has to reach; a row with none has scale 0.
        bits: of a code.

    Returns:
        float64 (R,) each: value = scale * (code - zero).
    """
    reached = np.where(is_on_grid, group, 0.0)
    low, high = reached.min(axis=1).clip(max=0), reached.max(axis=1).clip(min=0)
    scales = (high - low) / (2**bits - 1)
    return scales, -low / _above_zero(scales)


def nearest_codes(values: Doubles, scales: Doubles, zeros: Doubles, *, bits: int) -> Doubles:
    """Whole numbers from 0 to 2**bits - 1, float64 of the shape that the arguments broadcast to."""
    return np.rint(values / _above_zero(scales) + zeros).clip(0, 2**bits - 1)


def _gains(group: Doubles, is_on_grid: Mask, *, costs: Doubles, bits: int) -> Doubles:
    """By how much the error of its row falls when a weight is taken off the grid, (R, up to GROUP)."""

    def error(is_there: Mask) -> Doubles:
        fit = fit_grid(group, is_there, bits=bits)
        scales, zeros = fit[0][:, None], fit[1][:, None]
        rounded = scales * (nearest_codes(group, scales, zeros, bits=bits) - zeros)
        return np.asarray((np.square(group - rounded) * costs * is_there).sum(axis=1))

    others = ~np.eye(group.shape[1], dtype=np.bool_)
    without = np.stack([error(is_on_grid & it) for it in others], axis=1)
    return np.asarray(error(is_on_grid)[:, None] - without)


def _spread(problem: Problem) -> float:
    """Mean of variance times cost of the live columns; inf where there is none to compare with."""
    spreads = (problem.weight.var(axis=0) * problem.costs)[problem.is_live]
    return float(spreads.mean()) if spreads.any() else np.inf


def to_levels(values: Doubles) -> tuple[Codes, Halves]:
    """Round (R,) to codes (R,) of `LEVEL_BITS`, on levels (2, N): lowest and step of each band of rows."""
    bands = np.pad(values, (0, -len(values) % GROUP), mode="edge").reshape(-1, GROUP)
    lowest = bands.min(axis=1).astype(np.float16)
    step = ((bands.max(axis=1) - lowest) / (2**LEVEL_BITS - 1)).astype(np.float16)
    above = (bands - lowest[:, None]) / _above_zero(step.astype(np.float64))[:, None]
    codes = np.rint(above).clip(0, 2**LEVEL_BITS - 1).astype(np.uint8)
    return codes.reshape(-1)[: len(values)], np.stack((lowest, step))


def _above_zero(scales: Doubles) -> Doubles:
    return np.where(scales > 0, scales, 1.0)
