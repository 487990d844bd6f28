"""SpQR: what it loses beside GPTQ and rounding to the nearest, what it stores, what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from model.rounding_baselines import baseline_bits, gptq, round_to_nearest
from model.spqr import (
    SpqrConfig,
    find_tau,
    fit_grid,
    nearest_codes,
    output_error,
    quantize_matrix,
    second_moment,
)
from model.spqr_stored import (
    FloatArray,
    SpqrMatrix,
    from_levels,
    nominal_bits,
    pack_matrix,
    restore_matrix,
    stored_bits,
    unpack_matrix,
)

Doubles = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def heavy_tailed(seed: int, rows: int, columns: int) -> FloatArray:
    values = np.random.default_rng(seed).standard_t(4, size=(rows, columns))
    return (0.05 * values).astype(np.float32)


def correlated(seed: int, count: int, columns: int) -> Doubles:
    """Inputs (count, columns) that share causes, some of them strong."""
    rng = np.random.default_rng(seed)
    causes = rng.normal(size=(count, columns)) * np.arange(1, columns + 1) ** -0.5
    noise = rng.normal(size=(count, columns))
    return causes @ rng.normal(size=(columns, columns)) + 0.1 * noise


def quantized(rows: int = 20, columns: int = 37, *, by_diagonal: bool = False) -> SpqrMatrix:
    config = SpqrConfig(bits=3, tau=0.1, by_diagonal=by_diagonal)
    moment = second_moment(correlated(1, 100, columns))
    return quantize_matrix(heavy_tailed(1, rows, columns), moment, config)


# ------------------------------------------------------------------------------------- what is lost
@pytest.mark.parametrize("by_diagonal", [False, True])
@pytest.mark.parametrize("bits", [3, 4])
def test_loses_less_than_gptq_and_that_less_than_the_nearest(bits: int, by_diagonal: bool) -> None:
    weight, inputs = heavy_tailed(3, 80, 96), correlated(3, 800, 96)
    moment = second_moment(inputs)
    config = SpqrConfig(bits=bits, by_diagonal=by_diagonal)
    config = replace(config, tau=find_tau(weight, moment, config, outlier_share=0.01))
    matrix = quantize_matrix(weight, moment, config)

    def error(restored: FloatArray) -> float:
        return float(np.square(inputs @ (weight - restored).T).sum(axis=1).mean())

    nearest = error(round_to_nearest(weight, bits=bits))
    forward = error(gptq(weight, moment, config))
    ours = error(restore_matrix(matrix))
    assert ours < 0.8 * forward
    assert forward < 0.5 * nearest
    bits_a_weight = stored_bits(matrix) / weight.size
    assert bits_a_weight < baseline_bits((80, 96), bits=bits, by_diagonal=by_diagonal)
    assert ours == pytest.approx(output_error(weight, restore_matrix(matrix), moment))


def test_errors_go_where_the_inverse_of_the_moment_of_what_is_left_says() -> None:
    weight, moment = heavy_tailed(2, 6, 16), second_moment(correlated(2, 40, 16))
    left = weight.astype(np.float64)
    scales, zeros = fit_grid(left, np.ones_like(left, dtype=np.bool_), bits=4)
    scales, zeros = scales.astype(np.float16).astype(np.float64), np.rint(zeros)
    damped = moment + 0.1 * np.diag(moment).mean() * np.eye(16)
    for at in range(16):
        inverse = np.linalg.inv(damped[at:, at:])
        kept = scales * (nearest_codes(left[:, at], scales, zeros, bits=4) - zeros)
        left[:, at:] -= np.outer((left[:, at] - kept) / inverse[0, 0], inverse[0])
        left[:, at] = kept
    found = gptq(weight, moment, SpqrConfig(bits=4, damping=0.1))
    assert np.allclose(found, left, atol=2e-4 * np.abs(left).max())
    assert not np.allclose(found, round_to_nearest(weight, bits=4), atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (17, 1), (16, 16), (5, 40), (33, 50)])
def test_every_shape_is_restored_near_itself(shape: tuple[int, int]) -> None:
    weight, moment = heavy_tailed(4, *shape), second_moment(correlated(4, 200, shape[1]))
    matrix = quantize_matrix(weight, moment, SpqrConfig(bits=8))
    restored = restore_matrix(matrix)
    assert restored.shape == shape
    assert restored.dtype == np.float32
    lost = output_error(weight, restored, moment)
    assert lost < 0.003 * output_error(weight, np.zeros_like(weight), moment)


def test_values_on_the_grid_survive() -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 8, size=(24, 48))  # the second band of rows is half full
    codes[:, ::16], codes[:, 1::16] = 0, 7
    zeros, scales = 7 - np.arange(24) % 8, (1 + np.arange(24) % 8) / 64
    weight = (scales[:, None] * (codes - zeros[:, None])).astype(np.float32)
    moment = second_moment(correlated(5, 100, 48))
    for tau in (0.2, np.inf):
        matrix = quantize_matrix(weight, moment, SpqrConfig(bits=3, tau=tau))
        assert np.array_equal(matrix.codes, codes)
        assert np.array_equal(restore_matrix(matrix), weight)
    assert np.allclose(round_to_nearest(weight, bits=3), weight)


def test_zeros_stay_zero() -> None:
    weight = np.zeros((18, 20), np.float32)
    matrix = quantize_matrix(weight, second_moment(correlated(6, 50, 20)), SpqrConfig())
    assert not restore_matrix(matrix).any()
    assert matrix.outlier_share == 0
    weight[3] = 1
    matrix = quantize_matrix(weight, second_moment(correlated(6, 50, 20)), SpqrConfig())
    assert not np.delete(restore_matrix(matrix), 3, axis=0).any()


# ----------------------------------------------------------------------------------------- outliers
def test_outliers_are_kept_to_sixteen_bits_and_leave_the_grid_to_the_others() -> None:
    rng = np.random.default_rng(7)
    weight = rng.uniform(-0.1, 0.1, size=(32, 64)).astype(np.float32)
    far = [(0, 3), (0, 20), (5, 0), (9, 63), (31, 40)]
    for at in far:
        weight[at] = rng.choice([-3.3, 4.7])
    moment = 2 * np.eye(64)
    matrix = quantize_matrix(weight, moment, SpqrConfig(bits=4, tau=0.2))
    places = list(zip(matrix.outlier_rows, matrix.outlier_columns, strict=True))
    assert places == far
    restored = restore_matrix(matrix)
    for at in far:
        assert restored[at] == np.float32(np.float16(weight[at]))
    others = np.ones_like(weight, dtype=np.bool_)
    others[tuple(np.transpose(far))] = False
    assert np.abs(restored - weight)[others].max() < 0.2 / 15
    without = restore_matrix(quantize_matrix(weight, moment, SpqrConfig(bits=4, tau=np.inf)))
    assert np.abs(without - weight)[others].max() > 0.09


def _slow_scale(row: Doubles, costs: Doubles, threshold: float) -> float:
    """Scale of the 3 bits of a group, once no weight can be left out for a gain above the threshold."""

    def fit(kept: list[int]) -> tuple[float, float]:
        low, high = min(0.0, *row[kept]), max(0.0, *row[kept])
        scale = (high - low) / 7
        codes = np.clip(np.rint((row[kept] - low) / scale), 0, 7)
        return scale, float(costs[kept] @ np.square(row[kept] - low - scale * codes))

    kept = list(range(len(row)))
    while True:
        scale, error = fit(kept)
        gains = {it: error - fit([at for at in kept if at != it])[1] for it in kept}
        best = max(gains, key=lambda it: gains[it])
        if gains[best] <= threshold:
            return scale
        kept.remove(best)


def test_outliers_are_those_beyond_the_threshold() -> None:
    # Without correlation no error is fed forward; the levels of two rows are exact but for 16 bits.
    weight, costs = heavy_tailed(12, 2, 160), np.random.default_rng(12).uniform(0.1, 4, size=160)
    matrix = quantize_matrix(weight, np.diag(costs), SpqrConfig(bits=3, tau=0.2, damping=0))
    threshold = 0.2 * float((weight.astype(np.float64).var(axis=0) * costs).mean())
    scales = matrix.size * from_levels(matrix.scale_codes, matrix.scale_levels)
    for group in range(10):
        here = slice(16 * group, 16 * group + 16)
        for row in (0, 1):
            wanted = _slow_scale(weight[row, here].astype(np.float64), costs[here], threshold)
            assert scales[row, group] == pytest.approx(wanted, rel=2e-3)
    none = np.zeros(0, np.uint16)
    on_grid = restore_matrix(
        replace(
            matrix,
            outlier_counts=np.zeros(2, np.uint16),
            outlier_columns=none,
            outlier_values=none.astype(np.float16),
        )
    )
    rows, columns = np.nonzero(np.square(weight - on_grid) * costs > threshold)
    assert len(rows) > 3
    assert np.array_equal(matrix.outlier_rows, rows)
    assert np.array_equal(matrix.outlier_columns, columns)


def test_threshold_is_found_for_a_wanted_share() -> None:
    weight, moment = heavy_tailed(8, 48, 64), second_moment(correlated(8, 300, 64))
    shares = []
    for wanted in (0.01, 0.05):
        tau = find_tau(weight, moment, SpqrConfig(), outlier_share=wanted)
        matrix = quantize_matrix(weight, moment, SpqrConfig(tau=tau))
        assert 0.9 * wanted <= matrix.outlier_share <= wanted
        shares.append(tau)
    assert shares == sorted(shares, reverse=True)
    assert find_tau(weight[:2, :4], moment[:4, :4], SpqrConfig(), outlier_share=0.1) == np.inf


# --------------------------------------------------------------------------------------- dead inputs
@pytest.mark.parametrize("by_diagonal", [False, True])
def test_dead_inputs_do_no_harm(by_diagonal: bool) -> None:
    weight, inputs = heavy_tailed(9, 24, 48), correlated(9, 200, 48)
    dead = np.array([0, 5, 17, 18, *range(32, 48)])
    inputs[:, dead] = 0
    moment = second_moment(inputs)
    config = SpqrConfig(tau=0.1, by_diagonal=by_diagonal)
    tame, wild = weight.copy(), weight.copy()
    tame[:, dead] *= 0.01
    wild[:, dead] *= 8
    first, second = (quantize_matrix(it, moment, config) for it in (tame, wild))
    live = np.setdiff1d(np.arange(48), dead)
    assert not np.isin(second.outlier_columns, dead).any()
    assert len(second.outlier_columns) > 0
    assert np.allclose(restore_matrix(first)[:, live], restore_matrix(second)[:, live], atol=1e-5)
    assert np.abs(restore_matrix(second)).max() < 2 * np.abs(weight).max()
    nothing = quantize_matrix(weight, np.zeros((48, 48)), config)
    assert np.isfinite(restore_matrix(nothing)).all()


# -------------------------------------------------------------------------------------------- stored
@pytest.mark.parametrize("by_diagonal", [False, True])
def test_all_stored_bits_are_counted(by_diagonal: bool) -> None:
    matrix = quantized(20, 37, by_diagonal=by_diagonal)
    outliers = len(matrix.outlier_values)
    assert 0 < outliers < 100
    expected_bytes = [
        3 * 4 + 4,  # rows, columns and bits; size
        ceil(20 * 37 * 3 / 8),
        2 * ceil(20 * 3 * 3 / 8),  # 3 groups: codes of their scales and zero points
        2 * 2 * (2 * 3) * 2,  # lowest and step of both, for 2 bands of rows by 3 groups
        20,  # outliers of each row
        outliers * (2 + 2),
        37 * 2 if by_diagonal else 0,
    ]
    assert stored_bits(matrix) == 8 * sum(expected_bytes)


def test_bits_are_the_published_ones() -> None:
    assert nominal_bits(3, outlier_share=0.01) == pytest.approx(3.945)
    assert nominal_bits(4, outlier_share=0) == 4.625
    assert baseline_bits((64, 64), bits=3) == 3 + (16 + 3) / 16
    assert baseline_bits((1, 17), bits=4, by_diagonal=True) == 4 + (2 * 20 + 17 * 16) / 17
    matrix = quantized(128, 256)
    once = (8 * 128 + 4 * 32) / matrix.codes.size  # a count a row; the head
    nominal = nominal_bits(3, outlier_share=matrix.outlier_share)
    assert stored_bits(matrix) / matrix.codes.size == pytest.approx(nominal + once)


@pytest.mark.parametrize("by_diagonal", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_what_was_packed_is_restored(bits: int, by_diagonal: bool) -> None:
    weight, moment = heavy_tailed(10, 19, 35), second_moment(correlated(10, 60, 35))
    for tau in (0.05, np.inf):
        config = SpqrConfig(bits=bits, tau=tau, by_diagonal=by_diagonal)
        matrix = quantize_matrix(weight, moment, config)
        arrays = pack_matrix("a.weight", matrix) | {"a.bias": np.ones(3, np.float32)}
        again = unpack_matrix("a.weight", load(save(arrays)))
        assert (len(matrix.outlier_values) > 0) == (tau == 0.05)
        assert np.array_equal(restore_matrix(again), restore_matrix(matrix))
        assert stored_bits(again) == stored_bits(matrix)


def test_many_outliers_in_a_row_are_counted() -> None:
    weight, moment = heavy_tailed(11, 2, 320), 2 * np.eye(320)
    matrix = quantize_matrix(weight, moment, SpqrConfig(bits=2, tau=1e-9))
    assert matrix.outlier_counts.max() > 255
    again = unpack_matrix("w", pack_matrix("w", matrix))
    assert np.array_equal(restore_matrix(again), restore_matrix(matrix))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("", np.array([20, 37, 9], np.uint32)),
        ("", np.array([20, 38, 3], np.uint32)),
        (".codes", None),
        (".codes", np.zeros(277, np.uint8)),
        (".scale_levels", np.full((2, 2, 3), np.nan, np.float16)),
        (".zero_levels", np.zeros((2, 2, 3), np.float32)),
        (".outlier_counts", np.zeros(20, np.uint8)),
        (".outlier_columns", 37),
        (".order", np.zeros(37, np.uint16)),
    ],
)
def test_damaged_arrays_are_refused(part: str, value: object) -> None:
    arrays = pack_matrix("w", quantized())
    name = "w.spqr" + part
    if isinstance(value, np.ndarray):
        arrays[name] = value
    elif isinstance(value, int):
        arrays[name] = np.full_like(arrays[name], value)
    else:
        del arrays[name]
    with pytest.raises(ValueError, match=r"^w\.spqr[^\n]*$"):
        unpack_matrix("w", arrays)


# ------------------------------------------------------------------------------------ what is refused
def _with(at: tuple[int, int], value: float) -> Doubles:
    moment = np.asarray(2 * np.eye(5))
    moment[at] = value
    return moment


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        (np.eye(4), "is (4, 4), but the matrix has 5 columns"),
        (np.ones(5), "is (5,), but the matrix has 5 columns"),
        (_with((0, 0), np.nan), "not finite"),
        (_with((2, 2), np.inf), "not finite"),
        (_with((0, 1), 1.0), "not symmetric"),
        (_with((3, 3), -1.0), "not positive definite"),
    ],
)
def test_a_moment_that_is_none_is_refused_in_a_line(moment: Doubles, message: str) -> None:
    weight = heavy_tailed(0, 3, 5)
    for refuse in (quantize_matrix, gptq):
        with pytest.raises(ValueError, match=r"^[^\n]+$") as caught:
            refuse(weight, moment, SpqrConfig())
        assert message in str(caught.value)


def test_other_mistakes_are_refused() -> None:
    weight = heavy_tailed(0, 3, 5)
    for wrong in (weight[0], weight[:0], weight * np.float32(np.nan)):
        with pytest.raises(ValueError, match=r"no matrix|not finite"):
            quantize_matrix(wrong, np.eye(5), SpqrConfig())
    for bits in (1, 9):
        with pytest.raises(ValueError, match="2 to 8 bits"):
            SpqrConfig(bits=bits)
    for tau, damping in ((0, 0.01), (np.nan, 0.01), (0.2, -1), (0.2, np.inf)):
        with pytest.raises(ValueError, match="tau is above 0"):
            SpqrConfig(tau=tau, damping=damping)
    with pytest.raises(ValueError, match="share"):
        find_tau(weight, np.eye(5), SpqrConfig(), outlier_share=1.0)


def test_errors_that_outgrow_sixteen_bits_are_refused() -> None:
    weight, moment = heavy_tailed(0, 3, 17), np.diag([1e9] * 16 + [1e-12])
    moment[0, 16] = moment[16, 0] = 1e-2
    with pytest.raises(ValueError, match="damp it more"):
        quantize_matrix(weight, moment, SpqrConfig(damping=0))
    damped = restore_matrix(quantize_matrix(weight, moment, SpqrConfig()))
    assert np.abs(damped).max() < 2 * np.abs(weight).max()


# --------------------------------------------------------------------------------------------- laws
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 24),
    columns=st.integers(1, 40),
    inputs=st.integers(1, 50),
    bits=st.integers(2, 8),
    by_diagonal=st.booleans(),
    power=st.integers(-20, 20),
)
def test_is_better_than_nothing_and_the_same_every_time(
    seed: int, rows: int, columns: int, inputs: int, bits: int, by_diagonal: bool, power: int
) -> None:
    weight = heavy_tailed(seed, rows, columns)
    moment = second_moment(correlated(seed, inputs, columns))
    config = SpqrConfig(bits=bits, by_diagonal=by_diagonal)
    matrix = quantize_matrix(weight, moment, config)
    restored = restore_matrix(matrix)
    nothing = output_error(weight, np.zeros_like(weight), moment)
    assert output_error(weight, restored, moment) <= nothing
    again = restore_matrix(unpack_matrix("w", pack_matrix("w", matrix)))
    assert np.array_equal(again, restored)
    # In another unit all is the same.
    unit = np.float32(2.0**power)
    assert np.array_equal(
        restore_matrix(quantize_matrix(weight * unit, moment, config)), restored * unit
    )
