"""A small language model of an invented text, trained in seconds."""

from __future__ import annotations

import functools
import hashlib
import json
import lzma
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model.alphabet import Alphabet
from model.checkpoint import Checkpoint
from model.gate_fit import fit_gate
from model.input_moments import language_moments
from model.level_blocks import Far
from model.level_config import LevelConfig, LevelsOf
from model.level_forward import LevelForward
from model.pack import packed
from model.predict import LanguageModel
from model.predict_config import PredictPreset, PredictTrainConfig
from model.predict_stored import language_model_config, stored_arrays
from model.predict_train import PredictText, trainer_of, with_sureness
from model.predict_trainer import PredictTrainer

NAMES = ("Anna Keller", "the council", "Mr. Osei", "the minister", "a spokesman", "Lena Vogt")
DEEDS = ("said on Monday", "told the court", "announced", "denied in a letter", "learned in 1984")
THINGS = (
    "that the old bridge in Oslo would be sold.",
    "that taxes would rise by 3 percent.",
    "that nobody had been hurt.",
    "that the harbour was closed until May.",
)


def invented_text(sentences: int, *, seed: int = 1) -> str:
    """Sentences of few parts, two a line."""
    rng = np.random.default_rng(seed)
    parts = [
        " ".join(str(rng.choice(each)) for each in (NAMES, DEEDS, THINGS)) for _ in range(sentences)
    ]
    return "".join(text + ("\n" if at % 2 else " ") for at, text in enumerate(parts))


FEW_BLOCKS = 2000
"""To fit codes on: enough here, and fast."""
LEVELS = LevelConfig(1, (16, 32, 32, 32), (1, 1, 1, 1), (20, 32, 32, 32), 16, 3, 300)
TRAIN = PredictTrainConfig(
    120, texts=8, chars=64, average=0.9, level_weights=(1.0, 0.3, 0.3, 0.3), seed=3
)
PRESET = PredictPreset("invented", LEVELS, TRAIN, least=1)


@functools.cache
def predict_text() -> PredictText:
    """Text to train on and text that is kept out, as ids."""
    text = invented_text(1500)
    alphabet = Alphabet.of([text])
    kept_out = alphabet.ids(invented_text(60, seed=2))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return PredictText(alphabet, alphabet.ids(text), kept_out, digest)


@functools.cache
def trained(levels_of: LevelsOf = LevelsOf.CHARACTERS) -> PredictTrainer:
    """A trainer at its last step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.codes.SAMPLED_BLOCKS", FEW_BLOCKS)
        trainer = trainer_of(PRESET.with_levels_of(levels_of), predict_text())
    while trainer.step < TRAIN.steps:
        trainer.take_step(predict_text().training)
    return trainer


@functools.cache
def checkpoint(levels_of: LevelsOf = LevelsOf.CHARACTERS) -> Checkpoint:
    """What it has learned."""
    trainer, text = trained(levels_of), predict_text()
    config = language_model_config(PRESET.name, trainer.levels, text.alphabet)
    arrays = stored_arrays(trainer.averaged(), trainer.codes)
    meta = {"hash": "0123456789abcdef"}
    return with_sureness(Checkpoint(arrays, config, meta), text.development)


@functools.cache
def gated_checkpoint(levels_of: LevelsOf = LevelsOf.CHARACTERS) -> Checkpoint:
    """The same with a gate to hear experience through."""
    text, found = predict_text(), checkpoint(levels_of)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.gate_fit.STEPS", 100)
        patch.setattr("model.gate_fit.BATCH", 1000)
        gate = fit_gate(LanguageModel(found), text.development, text.training[:4000])
    return replace(found, arrays={**found.arrays, **gate})


@functools.cache
def packed_checkpoint() -> Checkpoint:
    """The same with its matrices stored as those of the shipped one are."""
    moments = language_moments(LanguageModel(checkpoint()), invented_text(100, seed=9))
    weights = trained().averaged()
    matrices = {name: weights[f"network.{name}"] for name in moments}
    return packed(checkpoint(), moments, trained=matrices)


def write_news(folder: Path, *, articles: int = 12) -> Path:
    """A data folder with invented articles of 2023, 2024 and 2025, and of another source."""
    places = {year: f"realtimeqa/articles-{year}.jsonl.xz" for year in (2023, 2024, 2025)}
    places[2016] = "train/lm/news_abp_00.jsonl.xz"
    for year, place in places.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        with lzma.open(path, "wt", encoding="utf8") as file:
            for at in range(articles):
                text = invented_text(24, seed=100 * year + at)
                row = {"title": f"Report {at} of {year}", "published": f"{year}-02-03"}
                row |= {"text": text} if year == 2016 else {"body": text}
                file.write(json.dumps(row) + "\n")
    return folder


def read_piecemeal(
    reader: LevelForward, ids: npt.NDArray[np.int64], units: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], int]:
    """What a reader says at the end of a text read 16 characters at a time, and the states it has room for at most."""
    for at in range(0, len(ids), 16):
        said = reader.read(ids[at : at + 16], units[at : at + 16])[0][-1]
    blocks = [block for level in reader.levels for block in level.blocks]
    return said, max(block.keys.shape[1] for block in blocks if isinstance(block, Far))
