"""The training run of the reader: questions from the data folder, steps, calibration, weights.

Resumable: the state is saved every few hundred steps beside the output, and what a step sees depends on the
seed and its number alone. Afterwards the log-odds of "no answer" and the threshold to abstain are fitted on
articles that were kept out of training (`read_calibration.py`).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.checkpoint import Checkpoint, current_commit, save_checkpoint
from model.device import Device
from model.embed import Encoder, load_encoder
from model.errors import DataError
from model.read import Calibration, Reader, reader_settings
from model.read_batches import ReadBatch, load_batches
from model.read_calibration import calibrate, development_questions
from model.read_config import ReadPreset, ReadTrainConfig
from model.read_data import as_sets
from model.read_forward import stored_arrays
from model.read_sources import (
    NEWS,
    QUIZ,
    SENTENCES,
    SQUAD,
    TEXTS,
    ReadTexts,
    Source,
    gather_texts,
    read_texts,
    write_texts,
)
from model.read_trainer import ReaderTrainer
from model.read_variants import Exercises, Shares
from model.read_words import WordBook
from model.run_state import STATE, log_steps, restore_state
from model.tag import Tagger, load_tagger
from model.tag_data import PARTS
from model.train import keep_freed_memory

logger = logging.getLogger(__name__)

SAVE_EVERY_STEPS = 200
SHARES = {
    SQUAD: Shares(),
    SENTENCES: Shares(0.0, 0.0, 0.2, company=3),
    QUIZ: Shares(0.0, 0.1, 0.2),
    NEWS: Shares(0.35, 0.05, 0.1),
    TEXTS: Shares(0.0, 0.1, 0.2),
}


def train_read(
    preset: ReadPreset,
    data: Path | None,
    out: Path,
    *,
    recipe: Path | None = None,
    encoder: Encoder | None = None,
    tagger: Tagger | None = None,
    seed: int = 1,
    device: str = "cpu",
) -> Path:
    """Train a reader and write it to `out`.

    Args:
        preset: the reader and its training.
        data: folder with `train/qa/`, `train/lm/` and `realtimeqa/`; not needed with a recipe that exists.
        out: folder of the checkpoint; the unfinished run lies beside it in `OUT.run/` and goes on
            where it was stopped.
        recipe: file of the gathered texts, written where it does not exist.
        encoder: gives the words' vectors, by default the packaged one.
        tagger: gives tags, by default the packaged one.
        seed: decides everything that is random.
        device: where steps are taken, `cpu` or `cuda`; an accelerator gives the same weights but for rounding.

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
    texts = _gathered(preset.train, data, recipe)
    if not texts.development.asked:
        raise DataError("no article with an unanswerable question: nothing to fit the threshold on")
    sets = as_sets(texts, book)
    drawers = {name: Exercises(book, given, SHARES[name]) for name, given in sets.items()}
    trainer = ReaderTrainer(preset, dim=book.dim, parts=len(PARTS) + 1, device=device)
    settings = json.dumps(
        {**asdict(preset), "digest": texts.digest, "encoder": encoder.hash}, sort_keys=True
    )
    restore_state(trainer, run / STATE, settings)
    logger.info("training started", extra={"step": trainer.step, "of": trainer.total_steps})
    place = Device(device)
    given = load_batches(
        drawers,
        book,
        preset.train,
        max_span_words=preset.reader.max_span_words,
        first=trainer.step,
        device=place,
    )
    records = take_steps(trainer, given, log_every=place.log_every)
    log = log_steps(trainer, records, run, settings, save_every=SAVE_EVERY_STEPS)
    facts = {
        "command": f"train read --preset {preset.reader.preset} --seed {seed}",
        "commit": current_commit(),
        "data_digest": texts.digest,
        "questions": texts.counts,
        "seed": seed,
        "device": device,
        "train": asdict(preset.train),
        "training_seconds": round(time.perf_counter() - began),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    finish(preset, trainer, texts.development, facts, out, encoder=encoder, tagger=tagger)
    return log


def _gathered(train: ReadTrainConfig, data: Path | None, recipe: Path | None) -> ReadTexts:
    if recipe is not None and recipe.exists():
        return read_texts(recipe)
    if data is None:
        raise DataError("training needs a folder of data, or a recipe that exists")
    texts = gather_texts(data, max_questions=train.max_questions, max_texts=train.max_texts)
    if recipe is not None:
        write_texts(texts, recipe)
    return texts


def take_steps(
    trainer: ReaderTrainer, given: Iterable[ReadBatch], *, log_every: int
) -> Iterator[dict[str, Any]]:
    """Take a step with each batch; yields a log record for every one, or for some of them."""
    began = time.perf_counter()
    for batch in given:
        loss = trainer.take_step(batch)
        if trainer.step % log_every == 0:
            value = round(float(loss), 6)
            now = time.perf_counter()
            yield {
                "step": trainer.step,
                "loss": value,
                "seconds": round((now - began) / log_every, 4),
            }
            began = now


def finish(
    preset: ReadPreset,
    trainer: ReaderTrainer,
    development: Source,
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
    questions = development_questions(reader, development, seed=preset.train.seed)
    calibration, found = calibrate(reader, questions)
    logger.info("calibrated", extra={"development": found})
    save_checkpoint(checkpoint(calibration, {**facts, "development": found}), out)
