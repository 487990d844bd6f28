"""NF4 with double quantisation: its levels, its laws, its size, and other implementations."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from model.nf4 import (
    BLOCK,
    GROUP,
    LARGEST,
    LEVELS,
    NF4Tensor,
    bits_per_value,
    quantize_nf4,
    restore_nf4,
    restored_scales,
)

FloatArray = npt.NDArray[np.float32]

BELOW = (-1, -0.696193, -0.525073, -0.394917, -0.284441, -0.184773, -0.091050)
ABOVE = (0.079580, 0.160930, 0.246112, 0.337915, 0.440710, 0.562617, 0.722957, 1)
PUBLISHED = np.array([*BELOW, 0, *ABOVE])

numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
any_array = arrays(np.float32, array_shapes(max_dims=3, max_side=20), elements=numbers)


def normal(*shape: int, seed: int = 3) -> FloatArray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def blocks_of(values: FloatArray) -> FloatArray:
    return np.pad(values.ravel(), (0, -values.size % BLOCK)).reshape(-1, BLOCK)


def scales_of(values: FloatArray) -> FloatArray:
    return np.asarray(np.abs(blocks_of(values)).max(axis=1))


def same(left: NF4Tensor, right: NF4Tensor) -> bool:
    pairs = [
        (getattr(left, field.name), getattr(right, field.name))
        for field in dataclasses.fields(NF4Tensor)
    ]
    return all(np.array_equal(a, b) and np.shape(a) == np.shape(b) for a, b in pairs)


# ------------------------------------------------------------------------------------------ levels
def test_levels_are_the_published_ones():
    assert np.abs(LEVELS - PUBLISHED).max() < 6e-7


def test_levels_are_quantiles_with_an_exact_zero():
    assert LEVELS[7] == 0
    assert np.diff(LEVELS).min() > 0
    # Of evenly spread shares of a normal distribution, whose largest level is 1.
    largest = np.sqrt(2) * torch.erfinv(torch.tensor(2 * 0.9677083 - 1, dtype=torch.float64)).item()
    shares = (1 + torch.erf(torch.tensor(LEVELS * largest / np.sqrt(2)))) / 2
    assert np.diff(shares[:8].numpy()) == pytest.approx(0.4677083 / 7, abs=1e-5)
    assert np.diff(shares[7:].numpy()) == pytest.approx(0.4677083 / 8, abs=1e-5)


# --------------------------------------------------------------------------------- values and size
def test_values_on_levels_survive_exactly():
    rows = np.random.default_rng(1).choice(LEVELS, (300, BLOCK))
    rows[:, 0] = 1
    values = (rows * np.float32(0.37)).astype(np.float32)
    assert np.array_equal(restore_nf4(quantize_nf4(values)), values)


def test_zeros_survive_beside_large_values():
    values = normal(40, BLOCK)
    values[::2] = 0
    restored = restore_nf4(quantize_nf4(values))
    assert not restored[::2].any()
    assert restored[1::2].any(axis=1).all()


def test_each_value_goes_to_its_nearest_level():
    values = normal(50, BLOCK)
    values[:, 5] = 4  # one scale for all: it is stored exactly
    restored = restore_nf4(quantize_nf4(values))
    nearest = np.abs(values[..., None] - 4 * LEVELS).min(axis=-1)
    assert np.abs(values - restored) == pytest.approx(nearest, abs=1e-6)


def test_normal_values_lose_less_than_on_even_levels():
    values = normal(512, 256)
    scales = scales_of(values)[:, None]
    loss = np.square(restore_nf4(quantize_nf4(values)) - values).mean()
    shares = blocks_of(values) / scales
    signed = np.rint(shares * 7) / 7
    full = np.rint((shares + 1) * 7.5) / 7.5 - 1
    even = [np.square((levels - shares) * scales).mean() for levels in (signed, full)]
    assert loss < 0.87 * min(even)


def test_a_large_tensor_takes_4_127_bits_a_value():
    assert bits_per_value(quantize_nf4(normal(1024, 512))) == pytest.approx(4.127, abs=5e-4)


@given(any_array)
def test_no_value_moves_further_than_half_the_largest_gap(values):
    """Half a gap of levels, times the scale of the block, and what the scale itself has moved."""
    scales = scales_of(values)
    offsets = np.abs(scales.astype(np.float64) - scales.mean(dtype=np.float64))
    largest = [offsets[at : at + GROUP].max() for at in range(0, len(offsets), GROUP)]
    moved = np.repeat(largest, GROUP)[: len(scales)] / (2 * LARGEST)
    slack = 1e-6 * scales.max() + 1e-42  # of float32, and of numbers too small for its precision
    limit = np.diff(LEVELS).max() / 2 * scales.astype(np.float64) + moved + slack
    restored = restore_nf4(quantize_nf4(values))
    difference = blocks_of(restored).astype(np.float64) - blocks_of(values)
    assert restored.shape == values.shape
    assert restored.dtype == np.float32
    assert (np.abs(difference) <= limit[:, None]).all()


def test_scales_of_one_large_group_do_not_coarsen_another():
    values = normal(2 * GROUP, BLOCK)
    values[:GROUP] *= 1000
    error = np.abs(restored_scales(quantize_nf4(values)) - scales_of(values))
    mean = scales_of(values).mean()
    assert error[:GROUP].max() > 1
    assert error[GROUP:].max() < 1.01 * mean / (2 * LARGEST)


@given(any_array)
def test_restored_values_are_finite_and_keep_their_sign(values):
    restored = restore_nf4(quantize_nf4(values))
    assert np.isfinite(restored).all()
    assert (restored * np.sign(values) >= 0).all()


def test_largest_numbers_do_not_overflow():
    """The scale of the first row is rounded to one that float32 cannot hold."""
    values = np.repeat(np.array([[np.finfo(np.float32).max], [2.2524703e38]], np.float32), 64, 1)
    assert restore_nf4(quantize_nf4(values)) == pytest.approx(values, rel=0.01)


@pytest.mark.parametrize(
    "shape", [(), (1,), (BLOCK - 1,), (3, 5, 7), (BLOCK + 1,), (1, GROUP * 65)]
)
def test_any_shape_is_kept(shape):
    values = normal(*shape) if shape else np.asarray(np.float32(-2.5))
    assert restore_nf4(quantize_nf4(values)).shape == shape


def test_order_of_memory_is_of_no_matter():
    values = normal(48, 80)
    assert same(quantize_nf4(np.asfortranarray(values)), quantize_nf4(values))


def test_many_blocks_are_coded_as_few():
    values = normal(8200, BLOCK)
    stored = quantize_nf4(values)
    assert np.array_equal(stored.codes[8190:], quantize_nf4(values[8190:]).codes)


# --------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (np.empty((0, 4), np.float32), "empty"),
        (np.array([1, np.nan], np.float32), "not finite"),
        (np.array([1, -np.inf], np.float32), "not finite"),
        (np.ones(3), "float64"),
    ],
)
def test_what_cannot_be_stored_is_refused(values, complaint):
    with pytest.raises(ValueError, match=complaint) as caught:
        quantize_nf4(values)
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------- other implementations
def is_clear(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Not halfway between two levels, where the last digit of a level decides."""
    shares = blocks_of(values) / scales_of(values)[:, None]
    middles = (LEVELS[1:] + LEVELS[:-1]) / 2
    return np.asarray((np.abs(shares[..., None] - middles) > 1e-5).all(axis=-1))


def test_bitsandbytes_gives_the_same_codes():
    values = normal(96, 128)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("bitsandbytes.functional")
        packed, state = theirs.quantize_4bit(
            torch.from_numpy(values), blocksize=BLOCK, quant_type="nf4"
        )
    codes = [
        np.stack((pairs >> 4, pairs & 15), axis=-1).reshape(-1, BLOCK)
        for pairs in (quantize_nf4(values).codes, packed.numpy())
    ]
    assert state.code.numpy() == pytest.approx(LEVELS, abs=2e-7)
    assert ((codes[0] == codes[1]) | ~is_clear(values)).all()


def test_torchao_restores_the_same_to_a_step_of_the_scales():
    values = normal(GROUP, 2 * BLOCK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("torchao.quantization.quantize_.workflows.nf4.nf4_tensor")
        stored = theirs.to_nf4(torch.from_numpy(values), BLOCK, GROUP)
        restored = blocks_of(stored.get_original_weight().numpy())
    ours = quantize_nf4(values)
    differences = np.abs(blocks_of(restore_nf4(ours)) - restored)
    assert differences[is_clear(values)].max() <= 1.01 * ours.steps.max()
    assert is_clear(values).mean() > 0.999
