"""Training a reader: it goes on where it was stopped, and it learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model import DataError, Encoder, ModelError
from model.checkpoint import load_checkpoint
from model.read import load_reader
from model.read_batches import FIRST, LAST, MADE, blocks_of
from model.read_calibration import fit_logistic
from model.read_config import ReadPreset, tiny
from model.read_sources import SQUAD, TEXTS
from model.read_train import train_read
from model.read_trainer import ReaderTrainer
from tests.model.test_read_data import write_training_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_training_data(tmp_path / "data")


def losses(log: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in log.read_text(encoding="utf8").splitlines()]


def test_a_stopped_run_goes_on_to_the_same_losses(
    tmp_path: Path, data: Path, tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = losses(train_read(tiny(), data, tmp_path / "whole", encoder=tiny_encoder))
    assert len(whole) == 12

    class Stopped(Exception):
        pass

    take_step = ReaderTrainer.take_step

    def stopping(trainer: ReaderTrainer, batch):
        if trainer.step == 8:
            raise Stopped
        return take_step(trainer, batch)

    monkeypatch.setattr("model.read_school.SAVE_EVERY_STEPS", 4)
    with monkeypatch.context() as during:
        during.setattr(ReaderTrainer, "take_step", stopping)
        with pytest.raises(Stopped):
            train_read(tiny(), data, tmp_path / "parts", encoder=tiny_encoder)
    log = train_read(tiny(), data, tmp_path / "parts", encoder=tiny_encoder)
    assert losses(log) == pytest.approx(whole, abs=1e-4)
    first, second = (load_checkpoint(tmp_path / name).arrays for name in ("whole", "parts"))
    for name, values in first.items():
        np.testing.assert_allclose(
            values, second[name], atol=1 if values.dtype == np.int8 else 1e-4
        )


def test_a_run_with_other_settings_is_not_gone_on_with(
    tmp_path: Path, data: Path, tiny_encoder: Encoder
) -> None:
    train_read(tiny(), data, tmp_path / "read", encoder=tiny_encoder)
    with pytest.raises(ModelError, match="other settings"):
        train_read(tiny(), data, tmp_path / "read", encoder=tiny_encoder, seed=2)


def test_a_recipe_takes_the_place_of_the_data(
    tmp_path: Path, data: Path, tiny_encoder: Encoder
) -> None:
    recipe = tmp_path / "recipe.xz"
    first = train_read(tiny(), data, tmp_path / "a", recipe=recipe, encoder=tiny_encoder)
    second = train_read(tiny(), None, tmp_path / "b", recipe=recipe, encoder=tiny_encoder)
    assert losses(first) == losses(second)
    with pytest.raises(DataError, match="recipe"):
        train_read(tiny(), None, tmp_path / "c", encoder=tiny_encoder)


def test_made_questions_come_before_all_others(
    tmp_path: Path, data: Path, tiny_encoder: Encoder
) -> None:
    preset = tiny()
    train = replace(preset.train, made_steps=3)
    log = train_read(replace(preset, train=train), data, tmp_path / "read", encoder=tiny_encoder)
    assert len(losses(log)) == 15
    given = {SQUAD: None, TEXTS: None}
    blocks = list(blocks_of(train, given))
    assert [(block.phase, block.number, block.size) for block in blocks] == [
        (MADE, 0, 3),
        (FIRST, 0, 6),
        (LAST, 0, 6),
    ]
    assert [b.size for b in blocks_of(replace(train, made_steps=20), given)][:2] == [15, 5]


def test_a_damaged_state_is_said(tmp_path: Path, data: Path, tiny_encoder: Encoder) -> None:
    run = tmp_path / "read.run"
    run.mkdir()
    (run / "state.pt").write_bytes(b"not a state")
    with pytest.raises(ModelError, match="cannot read the unfinished run"):
        train_read(tiny(), data, tmp_path / "read", encoder=tiny_encoder)


def longer(preset: ReadPreset) -> ReadPreset:
    train = replace(
        preset.train, first_steps=0, last_steps=80, learning_rate=3e-3, dropout=0, word_dropout=0
    )
    return replace(preset, train=train)


def test_it_learns_what_it_is_shown(tmp_path: Path, data: Path, tiny_encoder: Encoder) -> None:
    log = train_read(longer(tiny()), data, tmp_path / "read", encoder=tiny_encoder)
    found = losses(log)
    assert np.mean(found[-10:]) < 0.75 * np.mean(found[:10])
    reader = load_reader(tmp_path / "read", encoder=tiny_encoder)
    assert reader.bytes < 1_500_000


def test_logistic_regression_finds_the_weights() -> None:
    rng = np.random.default_rng(5)
    columns = np.stack((rng.standard_normal(20_000), np.ones(20_000)), axis=1)
    chance = 1 / (1 + np.exp(-(2 * columns[:, 0] - 1)))
    happened = (rng.random(20_000) < chance).astype(np.float64)
    found = fit_logistic(columns, happened, np.ones(20_000))
    np.testing.assert_allclose(found, [2, -1], atol=0.1)
