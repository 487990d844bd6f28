"""The training run of the reader: questions from the data folder, steps, calibration, weights.

Resumable: the state is saved every few hundred steps beside the output, and what a step sees depends on the
seed and its number alone. Afterwards the log-odds of "no answer" and the threshold to abstain are fitted on
articles that were kept out of training (`read_calibration.py`).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.checkpoint import Checkpoint, current_commit, save_checkpoint
from model.embed import Encoder, load_encoder
from model.errors import DataError
from model.read import Calibration, Reader, reader_settings
from model.read_calibration import calibrate, development_questions
from model.read_config import ReadPreset, ReadTrainConfig
from model.read_data import NEWS, QUIZ, SENTENCES, SQUAD, TEXTS, ReadMaterial, read_material
from model.read_exercise import Exercise, fitted
from model.read_forward import stored_arrays
from model.read_trainer import ReaderTrainer
from model.read_variants import Exercises, Shares
from model.read_words import WordBook
from model.run_state import STATE, log_steps, restore_state
from model.tag import Tagger, load_tagger
from model.tag_data import PARTS
from model.train import keep_freed_memory

logger = logging.getLogger(__name__)

SAVE_EVERY_STEPS = 200
FIRST, LAST, AGAIN = range(3)
MIX = {
    FIRST: {SQUAD: 7, SENTENCES: 4, QUIZ: 1, TEXTS: 4},
    LAST: {SQUAD: 14, SENTENCES: 1, QUIZ: 1},
    AGAIN: {SQUAD: 12, SENTENCES: 1, QUIZ: 1, NEWS: 2},
}
"""Batches of each source in a block, by phase; those of a source are sorted by length: little is padding."""
DAMAGE = {FIRST: 0.4, LAST: 1.0, AGAIN: 1.0}
"""How much of the damage is done, by phase: where to look is learned before when not to answer."""
SHARES = {
    SQUAD: Shares(),
    SENTENCES: Shares(0.0, 0.0, 0.2, company=3),
    QUIZ: Shares(0.0, 0.1, 0.2),
    NEWS: Shares(0.35, 0.05, 0.1),
    TEXTS: Shares(0.0, 0.1, 0.2),
}


def train_read(
    preset: ReadPreset,
    data: Path,
    out: Path,
    *,
    encoder: Encoder | None = None,
    tagger: Tagger | None = None,
    seed: int = 1,
) -> Path:
    """Train a reader and write it to `out`.

    Args:
        preset: the reader and its training.
        data: folder with `train/qa/`, `train/lm/` and `realtimeqa/`.
        out: folder of the checkpoint; the unfinished run lies beside it in `OUT.run/` and goes on
            where it was stopped.
        encoder: gives the words' vectors, by default the packaged one.
        tagger: gives tags, by default the packaged one.
        seed: decides everything that is random.

    Returns:
        The log of the run, JSON lines.

    Raises:
        ModelError: data are missing, or the unfinished run has other settings.
    """
    began = time.perf_counter()
    keep_freed_memory()
    encoder = encoder if encoder is not None else load_encoder()
    tagger = tagger if tagger is not None else load_tagger()
    preset = replace(preset, train=replace(preset.train, seed=seed))
    run = out.with_name(out.name + ".run")
    run.mkdir(parents=True, exist_ok=True)
    book = WordBook(encoder, tagger, PARTS)
    material = read_material(data, book, max_questions=preset.train.max_questions)
    if not material.development.asked:
        raise DataError("no article with an unanswerable question: nothing to fit the threshold on")
    drawers = {name: Exercises(book, given, SHARES[name]) for name, given in material.sets.items()}
    trainer = ReaderTrainer(preset, book, parts=len(PARTS) + 1)
    settings = json.dumps(
        {**asdict(preset), "digest": material.digest, "encoder": encoder.hash}, sort_keys=True
    )
    restore_state(trainer, run / STATE, settings)
    logger.info("training started", extra={"step": trainer.step, "of": trainer.total_steps})
    records = take_steps(trainer, batches(drawers, preset.train, first=trainer.step))
    log = log_steps(trainer, records, run, settings, save_every=SAVE_EVERY_STEPS)
    facts = {
        "command": f"train read --preset {preset.reader.preset} --seed {seed}",
        "commit": current_commit(),
        "data_digest": material.digest,
        "questions": material.counts,
        "seed": seed,
        "train": asdict(preset.train),
        "training_seconds": round(time.perf_counter() - began),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    finish(preset, trainer, material, facts, out, encoder=encoder, tagger=tagger)
    return log


def take_steps(
    trainer: ReaderTrainer, given: Iterable[Sequence[Exercise]]
) -> Iterator[dict[str, Any]]:
    """Take a step with each batch; yields its log record."""
    for batch in given:
        started = time.perf_counter()
        loss = trainer.take_step(batch)
        seconds = round(time.perf_counter() - started, 4)
        yield {"step": trainer.step, "loss": loss, "seconds": seconds}


def batches(
    drawers: dict[str, Exercises], train: ReadTrainConfig, *, first: int
) -> Iterator[list[Exercise]]:
    """The batches of all steps from `first` on."""
    done = 0
    for phase, steps in enumerate((train.first_steps, train.last_steps, train.again_steps)):
        mix = {name: count for name, count in MIX[phase].items() if name in drawers}
        block_batches = sum(mix.values())
        for block in range(-(-steps // block_batches)):
            size = min(block_batches, steps - block * block_batches)
            if done + size > first:
                rng = np.random.default_rng((train.seed, phase, block))
                drawn = [
                    found
                    for name, count in mix.items()
                    for found in _alike(drawers[name], count, train.batch_size, DAMAGE[phase], rng)
                ]
                order = rng.permutation(len(drawn))[:size]
                yield from (drawn[at] for at in order[max(first - done, 0) :])
            done += size


def _alike(
    drawer: Exercises, count: int, size: int, damage: float, rng: np.random.Generator
) -> list[list[Exercise]]:
    """So many batches of a source, each of exercises of like length."""
    drawn = [fitted(drawer.draw(rng, damage=damage), rng) for _ in range(count * size)]
    drawn.sort(key=lambda exercise: len(exercise.question) + len(exercise.passage))
    return [drawn[at : at + size] for at in range(0, len(drawn), size)]


def finish(
    preset: ReadPreset,
    trainer: ReaderTrainer,
    material: ReadMaterial,
    facts: dict[str, Any],
    out: Path,
    *,
    encoder: Encoder,
    tagger: Tagger,
) -> None:
    """Round the weights, fit calibration and threshold with what is left of them, and save."""
    arrays = stored_arrays(trainer.averaged())

    def checkpoint(calibration: Calibration, meta: dict[str, Any]) -> Checkpoint:
        settings = reader_settings(
            preset.reader, calibration, PARTS, encoder=encoder, tagger=tagger
        )
        return Checkpoint(arrays, settings, meta)

    reader = Reader(checkpoint(Calibration(), {"hash": ""}), encoder, tagger)
    questions = development_questions(reader, material.development, seed=preset.train.seed)
    calibration, found = calibrate(reader, questions)
    logger.info("calibrated", extra={"development": found})
    save_checkpoint(checkpoint(calibration, {**facts, "development": found}), out)
