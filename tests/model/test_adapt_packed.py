"""A language model stored by SpQR, as the shipped one is, learns as any other: what was learned is what is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.adapt import Adapted, Adapter, adapt, stretches
from model.adapt_judge import judge
from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.lora import AdaptedLinear
from model.predict import LanguageModel
from model.predict_stored import restore_model
from model.quantize import LARGEST, SCALES
from model.spqr_stored import HEAD
from model.stored import array_name, restored_arrays
from tests.model.adapt_texts import CONFIG, text
from tests.model.language_models import checkpoint, packed_checkpoint

STEPS = 10


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    return adapt(packed_checkpoint(), text(), CONFIG, tmp_path_factory.mktemp("moments"))


@pytest.fixture(scope="module")
def twice(once: Adapted, tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    return adapt(once.checkpoint, text(), CONFIG, tmp_path_factory.mktemp("moments"))


def forms(stored: Checkpoint, name: str) -> set[str]:
    """The endings of the arrays that one is stored in."""
    names = [it for it in stored.arrays if array_name(it) == name]
    return {it.removeprefix(name) for it in names}


def check_what_is_stored(base: Checkpoint, work: Path) -> None:
    """Train a little and merge: every matrix is the base's and what was learned, to half a step of its rows."""
    adapter = Adapter(restore_model(base), CONFIG, work)
    ids = adapter.stored.alphabet.ids("".join(text().training))
    for step in range(STEPS):
        adapter.take_step(stretches(ids, ids[:0], CONFIG, step), STEPS)
    found = replace(base, arrays=adapter.merged(base.arrays))
    before, after = (restored_arrays(it.arrays) for it in (base, found))
    assert after.keys() == before.keys()
    learned = {
        f"{name}.weight": (layer.up @ layer.down * layer.factor).detach().numpy()
        for name, layer in adapter.network.named_modules()
        if isinstance(layer, AdaptedLinear) and layer.up.any()
    }
    assert len(learned) > 20
    for name in before.keys() - learned.keys():
        assert forms(found, name) == forms(base, name)
        np.testing.assert_array_equal(after[name], before[name])
    for name, product in learned.items():
        assert forms(found, name) == {"", SCALES}
        wanted = before[name] + product
        half_a_step = np.abs(wanted).max(axis=1, keepdims=True) / LARGEST / 2
        assert (np.abs(after[name] - wanted) <= 1.001 * half_a_step).all()
        assert np.abs(product).max() > 4 * half_a_step.max()


def test_what_is_stored_is_the_base_and_what_was_learned(tmp_path: Path) -> None:
    check_what_is_stored(packed_checkpoint(), tmp_path / "work")


def test_so_it_is_of_a_model_that_has_learned_before(tmp_path: Path, once: Adapted) -> None:
    check_what_is_stored(once.checkpoint, tmp_path / "work")


def test_new_names_are_learned(once: Adapted) -> None:
    models = LanguageModel(packed_checkpoint()), LanguageModel(once.checkpoint)
    found = judge(*models, text())
    assert found.held_out.ratio < 0.9
    assert found.is_kept


def test_more_is_learned_on_top(once: Adapted, twice: Adapted) -> None:
    found = judge(LanguageModel(once.checkpoint), LanguageModel(twice.checkpoint), text())
    assert found.held_out.ratio < 0.98
    assert found.has_learned


def test_no_array_is_stored_twice(once: Adapted, twice: Adapted) -> None:
    names = set(map(array_name, packed_checkpoint().arrays))
    for found in (once.checkpoint, twice.checkpoint):
        assert set(map(array_name, found.arrays)) == names
        for name in names:
            endings = forms(found, name)
            assert endings in ({""}, {"", SCALES}) or all(it.startswith(HEAD) for it in endings)
    assert once.checkpoint.arrays.keys() == twice.checkpoint.arrays.keys()


def test_what_learned_nothing_keeps_its_form(once: Adapted) -> None:
    base = packed_checkpoint().arrays
    kept = {name for name in base if array_name(name).startswith(("heads.1", "heads.2", "heads.3"))}
    assert {name for name in kept if HEAD in name}
    for name in kept:
        np.testing.assert_array_equal(once.checkpoint.arrays[name], base[name])


def test_it_takes_no_more_than_eight_bits_and_is_read_back_to_the_bit(
    once: Adapted, tmp_path: Path
) -> None:
    save_checkpoint(once.checkpoint, tmp_path / "predict")
    again = LanguageModel(load_checkpoint(tmp_path / "predict"))
    article = text().held_out[0]
    np.testing.assert_array_equal(again.bits(article), LanguageModel(once.checkpoint).bits(article))
    assert again.bytes <= LanguageModel(checkpoint()).bytes
