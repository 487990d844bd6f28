"""The training run of the reader: questions from the data folder, steps, calibration, weights.

Resumable: the state is saved every few hundred steps beside the output, and what a step sees depends on the
seed and its number alone. Afterwards the log-odds of "no answer" and the threshold to abstain are fitted on
articles that were kept out of training (`read_calibration.py`).
"""

from __future__ import annotations

import logging
import time
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
from model.read_calibration import calibrate, development_questions
from model.read_config import ReadPreset
from model.read_data import as_sets
from model.read_forward import stored_arrays
from model.read_recipe import ReadMaterial, read_recipe, write_recipe
from model.read_school import School
from model.read_sources import Source, gather_texts
from model.read_told import told_sources
from model.read_trainer import ReaderTrainer
from model.read_words import WordBook
from model.run_state import LOG
from model.tag import Tagger, load_tagger
from model.tag_data import PARTS
from model.train import keep_freed_memory

logger = logging.getLogger(__name__)

TEACHER = "teacher"


def train_read(
    preset: ReadPreset,
    data: Path | None,
    out: Path,
    *,
    recipe: Path | None = None,
    more: Path | None = None,
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
            where it was stopped, the teacher's in a folder of it.
        recipe: file of the gathered questions, written where it does not exist.
        more: folder with further `.jsonl.xz` files of SQuAD's rows.
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
    preset = preset.seeded(seed)
    run = out.with_name(out.name + ".run")
    run.mkdir(parents=True, exist_ok=True)
    book = WordBook(encoder, tagger, PARTS)
    material = _material(preset, data, recipe, more, book)
    if not material.development.asked:
        raise DataError("no article with an unanswerable question: nothing to fit the threshold on")
    school = School.of(preset, material, book, Device(device), encoder=encoder.hash)
    taught, teaching = None, {}
    if preset.teacher is not None:
        taught = school.teach(preset.teacher, run / TEACHER)
        teaching = {"teacher": {"train": asdict(preset.teacher), **school.examine(*taught)}}
        logger.info("teacher examined", extra=teaching["teacher"])
    trainer = school.train(run, taught)
    facts = {
        "command": f"train read --preset {preset.reader.preset} --seed {seed}",
        "commit": current_commit(),
        "data_digest": material.digest,
        "questions": material.counts,
        "seed": seed,
        "device": device,
        "train": asdict(preset.train),
        **teaching,
        "training_seconds": round(time.perf_counter() - began),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    finish(preset, trainer, material.development, facts, out, encoder=encoder, tagger=tagger)
    return run / LOG


def _material(
    preset: ReadPreset, data: Path | None, recipe: Path | None, more: Path | None, book: WordBook
) -> ReadMaterial:
    if recipe is not None and recipe.exists():
        return read_recipe(recipe, book)
    if data is None:
        raise DataError("training needs a folder of data, or a recipe that exists")
    train = preset.train
    texts = gather_texts(
        data, max_questions=train.max_questions, max_texts=train.max_texts, more=more
    )
    if preset.teacher is not None:
        told = told_sources(data, kept_out=texts.development, max_questions=train.max_questions)
        texts = replace(texts, sources={**texts.sources, **told})
    material = ReadMaterial(as_sets(texts, book), texts.development, texts.counts, texts.digest)
    if recipe is not None:
        write_recipe(material, book, recipe)
    return material


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
