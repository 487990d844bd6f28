"""Training an asker: it goes on where it was stopped, and it learns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model import ModelError, Reader, load_asker, load_encoder, load_reader
from model.ask_batches import lay_out
from model.ask_config import AskPreset, tiny
from model.ask_data import AskMaterial
from model.ask_text import GRAMMAR, SIZE, Asked
from model.ask_train import HELD_OUT, train_ask, with_grammar
from model.ask_trainer import AskTrainer
from model.checkpoint import load_checkpoint
from model.read_config import tiny as tiny_reader
from model.read_train import train_read
from tests.model.test_read_data import write_training_data

SENTENCE = "In 1984 Anna Keller bought the old bridge in Oslo."
BY_TEMPLATE = Asked(SENTENCE, 8, 19, "Who bought the old bridge in Oslo?", GRAMMAR)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, data: Path, tiny_folder: Path) -> Reader:
    encoder = load_encoder(tiny_folder)
    out = tmp_path_factory.mktemp("reader") / "read"
    train_read(tiny_reader(), data, out, encoder=encoder)
    return load_reader(out, encoder=encoder)


def losses(log: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in log.read_text(encoding="utf8").splitlines()]


def test_a_stopped_run_goes_on_to_the_same_losses(
    tmp_path: Path, data: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = losses(train_ask(tiny(), data, tmp_path / "whole", reader=reader))
    assert len(whole) == 12

    class Stopped(Exception):
        pass

    take_step = AskTrainer.take_step

    def stopping(trainer: AskTrainer, progress: float):
        if trainer.step == 8:
            raise Stopped
        return take_step(trainer, progress)

    monkeypatch.setattr("model.ask_train.SAVE_EVERY_STEPS", 4)
    with monkeypatch.context() as during:
        during.setattr(AskTrainer, "take_step", stopping)
        with pytest.raises(Stopped):
            train_ask(tiny(), data, tmp_path / "parts", reader=reader)
    log = train_ask(tiny(), data, tmp_path / "parts", reader=reader)
    assert losses(log) == pytest.approx(whole, abs=1e-4)
    first, second = (load_checkpoint(tmp_path / name) for name in ("whole", "parts"))
    for name, values in first.arrays.items():
        np.testing.assert_allclose(
            values, second.arrays[name], atol=1 if values.dtype == np.int8 else 1e-4
        )
    assert first.meta["data_digest"] == second.meta["data_digest"]
    assert set(first.meta["development"]) == {"squad"}
    load_asker(tmp_path / "parts", reader=reader).propose([(SENTENCE, 8, 19)])
    with pytest.raises(ModelError, match="other settings"):
        train_ask(tiny(), data, tmp_path / "parts", reader=reader, seed=2)


def test_an_asker_learns() -> None:
    preset = tiny()
    preset = AskPreset(
        replace(preset.asker, alphabet=SIZE), replace(preset.train, learning_rate=1e-2)
    )
    given = lay_out([BY_TEMPLATE] * 20)
    trainer = AskTrainer(preset, given)
    before = trainer.evaluate(given)
    for step in range(160):
        trainer.take_step(step / 160)
    assert trainer.evaluate(given) < before / 4


def test_the_grammars_last_questions_are_kept_out() -> None:
    written = [replace(BY_TEMPLATE, question=f"Who bought {at} bridges?") for at in range(2400)]
    unwritable = replace(BY_TEMPLATE, question="誰が橋を買いましたか?")
    material = with_grammar(AskMaterial((), {}, {}), [unwritable, *written])
    assert material.development["grammar"] == tuple(written[-HELD_OUT:])
    few = with_grammar(AskMaterial((), {}, {}), written[:9])
    assert [len(few.asked), len(few.development["grammar"])] == [5, 2]
    assert material.counts["grammar"] == len(material.asked) == 1700
