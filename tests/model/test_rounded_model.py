"""A model with matrices rounded another way: what each way takes and loses, and what stays as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from model.checkpoint import Checkpoint
from model.errors import CheckpointError
from model.predict import LanguageModel
from model.quantize import SCALES, quantize_rows
from model.rounded_model import (
    INT4,
    INT8,
    METHODS,
    NF4,
    TABLE_METHODS,
    RoundedModel,
    keep,
    round_matrices,
    stored_matrices,
    trained_matrices,
    with_matrices,
)
from model.spqr import second_moment
from model.spqr_stored import Doubles, FloatArray, nominal_bits
from model.stored import restored_arrays
from tests.model.language_models import checkpoint, predict_text, trained

UNITS, HEAD = "units.weight", "heads.1.weight"


@pytest.fixture(scope="module")
def matrices() -> dict[str, FloatArray]:
    rng = np.random.default_rng(1)
    shapes = {"wide": (64, 96), "tall": (160, 32), "table": (30, 48)}
    return {
        name: (0.1 * rng.standard_t(5, size=shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def moments() -> dict[str, Doubles]:
    """Of all but the table."""
    rng = np.random.default_rng(2)
    return {
        name: second_moment(rng.normal(size=(400, width)) @ rng.normal(size=(width, width)))
        for name, width in (("wide", 96), ("tall", 32))
    }


@pytest.fixture(scope="module")
def rounded(
    matrices: dict[str, FloatArray], moments: dict[str, Doubles]
) -> dict[str, RoundedModel]:
    return {name: round_matrices(matrices, moments, each) for name, each in METHODS.items()}


def test_more_bits_lose_less_and_so_do_errors_made_good(rounded: dict[str, RoundedModel]) -> None:
    lost = {name: each.output_error for name, each in rounded.items()}
    assert 0 < lost[INT8] < lost["spqr 4.63"] < lost["spqr 3.94"] < lost["nearest 3"] < 0.2
    assert lost["gptq 4"] < lost["nearest 4"] < lost["nearest 3"]


def test_nothing_is_lost_of_what_is_kept(
    matrices: dict[str, FloatArray], moments: dict[str, Doubles]
) -> None:
    kept = round_matrices(matrices, moments, keep)
    assert kept.output_error == 0
    assert kept.bits == 32 * kept.params == 32 * sum(each.size for each in matrices.values())


def test_bits_are_all_that_is_stored(
    rounded: dict[str, RoundedModel], matrices: dict[str, FloatArray]
) -> None:
    per_param = {name: each.bits / each.params for name, each in rounded.items()}
    rows = sum(len(each) for each in matrices.values())
    params = sum(each.size for each in matrices.values())
    assert per_param[INT8] == pytest.approx(8 + 32 * rows / params)
    assert per_param["nearest 3"] == pytest.approx(3 + 19 / 16)
    assert per_param[NF4] == pytest.approx(4.127, rel=0.03)
    # A byte a row counts its outliers; sizes and heads are a few bytes a matrix.
    by_rows = 8 * rows / params
    assert per_param["spqr 4.63"] == pytest.approx(4.63 + by_rows, rel=0.03)
    assert per_param["spqr 3.94"] == pytest.approx(3.94 + by_rows, rel=0.03)
    assert nominal_bits(4, outlier_share=0) == pytest.approx(4.63, abs=0.01)


def test_a_table_is_rounded_without_regard_to_other_columns(
    matrices: dict[str, FloatArray], rounded: dict[str, RoundedModel]
) -> None:
    assert np.array_equal(
        rounded["gptq 4"].matrices["table"], rounded["nearest 4"].matrices["table"]
    )
    four = round_matrices(matrices, {}, TABLE_METHODS[INT4])
    assert four.bits == 4 * four.params + 32 * sum(len(each) for each in matrices.values())
    assert 0 < four.output_error < 0.05


# -------------------------------------------------------------------------------------- checkpoints
def test_a_checkpoint_is_read_as_the_model_reads_it() -> None:
    stored, model = stored_matrices(checkpoint()), LanguageModel(checkpoint())
    for name, each in model.stored.network.items():
        assert np.array_equal(restored_arrays(checkpoint().arrays)[name], each)
    values = checkpoint().arrays[HEAD]
    assert stored[HEAD].bits == 8 * values.size + 32 * len(values)
    table = checkpoint().arrays[UNITS]
    assert stored[UNITS].bits == 8 * table.size + 32 * len(table)
    assert stored[UNITS].matrix.shape == (len(table), 2 * table.shape[1])


def test_rounding_what_is_stored_again_changes_nothing() -> None:
    whole = {k: v.matrix for k, v in stored_matrices(checkpoint()).items() if k != UNITS}
    assert round_matrices(whole, {}, METHODS[INT8]).output_error < 1e-12


def test_those_matrices_are_replaced_and_no_others() -> None:
    before = checkpoint()
    other = np.zeros_like(stored_matrices(before)[HEAD].matrix)
    after = with_matrices(before, {HEAD: other})
    assert set(before.arrays) - set(after.arrays) == {HEAD + SCALES}
    assert {
        name for name, each in after.arrays.items() if not np.array_equal(each, before.arrays[name])
    } == {HEAD}
    assert (after.config, after.meta) == (before.config, before.meta)
    assert HEAD + SCALES in before.arrays
    old, new = (LanguageModel(each).stored for each in (before, after))
    assert not new.network[HEAD].any()
    for name, array in old.network.items():
        assert name == HEAD or np.array_equal(array, new.network[name])


def test_a_matrix_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no magic"):
        with_matrices(checkpoint(), {"magic": np.zeros((2, 2), np.float32)})


def test_the_text_costs_the_same_when_nothing_is_rounded() -> None:
    whole = {name: each.matrix for name, each in stored_matrices(checkpoint()).items()}
    same = LanguageModel(with_matrices(checkpoint(), whole))
    model = LanguageModel(checkpoint())
    text = model.alphabet.text(predict_text().development[:300])
    assert np.array_equal(model.bits(text), same.bits(text))


# ------------------------------------------------------------------------------- a run's own weights
def test_float_weights_are_those_that_were_rounded(tmp_path: Path) -> None:
    state = tmp_path / "state.pt"
    torch.save({"mean": trained().mean}, state)
    shipped = _network(checkpoint())
    found = trained_matrices(state, shipped)
    assert set(found) == set(shipped)
    values, _ = quantize_rows(found[HEAD])
    assert np.array_equal(values, checkpoint().arrays[HEAD])
    with pytest.raises(CheckpointError, match="another model"):
        trained_matrices(state, {HEAD: np.zeros((2, 2), np.float32)})
    with pytest.raises(CheckpointError, match="magic"):
        trained_matrices(state, {"magic": np.zeros((2, 2), np.float32)})
    with pytest.raises(CheckpointError, match="nowhere"):
        trained_matrices(tmp_path / "nowhere.pt", shipped)


def _network(stored: Checkpoint) -> dict[str, FloatArray]:
    return {
        name: each.matrix
        for name, each in stored_matrices(stored).items()
        if not name.startswith("codes.")
    }
