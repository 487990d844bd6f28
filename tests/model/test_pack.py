"""Matrices of trained weights stored by SpQR: smaller, nearly the same, and read back by the same classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.errors import CheckpointError
from model.input_moments import language_moments
from model.pack import packed
from model.predict import LanguageModel
from model.quantize import SCALES
from model.rounded_model import stored_matrices, with_matrices
from model.spqr_stored import HEAD
from model.stored import array_name, restored_array, restored_arrays, without
from tests.model.language_models import checkpoint, invented_text, packed_checkpoint

TEXT = invented_text(30, seed=8)


@pytest.fixture(scope="module")
def moments() -> dict[str, np.ndarray]:
    return language_moments(LanguageModel(checkpoint()), invented_text(100, seed=9))


@pytest.fixture(scope="module")
def small() -> Checkpoint:
    return packed_checkpoint()


def test_a_packed_model_costs_little_more(small: Checkpoint) -> None:
    before, after = (LanguageModel(each).bits(TEXT).mean() for each in (checkpoint(), small))
    assert after != before
    assert after == pytest.approx(before, rel=0.06)


def test_what_is_packed_takes_less_and_all_else_stays(
    small: Checkpoint, moments: dict[str, np.ndarray]
) -> None:
    before, after = stored_matrices(checkpoint()), stored_matrices(small)
    assert set(before) == set(after)
    for name, each in after.items():
        assert each.matrix.shape == before[name].matrix.shape
        assert each.bits < before[name].bits
        if name not in moments:
            np.testing.assert_allclose(each.matrix, before[name].matrix, rtol=2e-3, atol=1e-6)
    for name, values in checkpoint().arrays.items():
        if array_name(name) not in before:
            np.testing.assert_array_equal(small.arrays[name], values)


def test_more_bits_lose_less(moments: dict[str, np.ndarray]) -> None:
    known = {name: each.matrix for name, each in stored_matrices(checkpoint()).items()}
    errors = []
    for bits in (2, 4, 6):
        found = stored_matrices(packed(checkpoint(), moments, bits=bits))
        errors.append(sum(np.abs(found[name].matrix - known[name]).mean() for name in moments))
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_it_is_read_back_from_disk_to_the_bit(small: Checkpoint, tmp_path) -> None:
    save_checkpoint(small, tmp_path / "packed")
    again = LanguageModel(load_checkpoint(tmp_path / "packed"))
    np.testing.assert_array_equal(again.bits(TEXT), LanguageModel(small).bits(TEXT))


def test_a_packed_matrix_is_replaced_as_a_whole(small: Checkpoint) -> None:
    name = next(stored.partition(HEAD)[0] for stored in small.arrays if HEAD in stored)
    zeros = np.zeros_like(restored_array(small.arrays, name))
    after = with_matrices(small, {name: zeros})
    assert not [stored for stored in after.arrays if stored.startswith(name + HEAD)]
    np.testing.assert_array_equal(restored_arrays(after.arrays)[name], zeros)


def test_a_matrix_that_is_stored_twice_is_refused(small: Checkpoint) -> None:
    name = next(stored.partition(HEAD)[0] for stored in small.arrays if HEAD in stored)
    rows = np.zeros_like(restored_array(small.arrays, name))
    twice = replace(small, arrays={**small.arrays, name: rows})
    with pytest.raises(CheckpointError, match=f"{name} is stored twice"):
        LanguageModel(twice)


@pytest.mark.parametrize("stored", ["a.weight", f"a.weight{SCALES}", f"a.weight{HEAD}.codes"])
def test_every_stored_array_belongs_to_one(stored: str) -> None:
    assert array_name(stored) == "a.weight"
    assert without({stored: np.zeros(1), "b": np.ones(1)}, "a.weight") == {"b": np.ones(1)}
