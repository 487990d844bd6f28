"""The training run of the asker: questions from the data folder, steps, weights.

Resumable: the state is saved every few hundred steps beside the output, and what a step sees depends on the seed
and its number alone. Questions that a grammar asks come in as an argument: this package has none.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.ask import QuestionFinder, asker_settings
from model.ask_batches import AskSet, lay_out
from model.ask_config import AskPreset
from model.ask_data import AskMaterial, questions_digest, read_questions
from model.ask_forward import stored_arrays
from model.ask_text import GRAMMAR, LONGEST_QUESTION, SIZE, Asked, as_composed, is_writable
from model.ask_trainer import AskTrainer
from model.ask_variants import names_of, with_variants
from model.checkpoint import Checkpoint, current_commit, save_checkpoint
from model.read import Reader
from model.run_state import STATE, log_steps, restore_state

logger = logging.getLogger(__name__)

SAVE_EVERY_STEPS = 200
LOOK_EVERY_STEPS = 500
HELD_OUT, APART = 600, 100
"""The grammar's last questions are kept for development; those just before, perhaps of the same article, are left."""


def train_ask(
    preset: AskPreset,
    data: Path,
    out: Path,
    *,
    reader: Reader,
    grammar: Sequence[Asked] = (),
    seed: int = 1,
    device: str = "cpu",
) -> Path:
    """Train an asker and write it to `out`.

    Args:
        preset: the asker and its training.
        data: folder with `train/qa/`, `train/lm/` and `realtimeqa/`.
        out: folder of the checkpoint; the unfinished run lies beside it in `OUT.run/` and goes on
            where it was stopped.
        reader: finds answers in the sentences of the source that does not tell them.
        grammar: questions made by templates about sentences of news.
        seed: decides everything that is random; on a GPU sums are rounded as it likes.
        device: `cpu` or `cuda`.

    Returns:
        The log of the run, JSON lines.

    Raises:
        ModelError: data are missing, or the unfinished run has other settings.
    """
    began = time.perf_counter()
    preset = replace(
        preset, train=replace(preset.train, seed=seed), asker=replace(preset.asker, alphabet=SIZE)
    )
    run = out.with_name(out.name + ".run")
    run.mkdir(parents=True, exist_ok=True)
    material = read_questions(
        data, QuestionFinder(reader).find, max_questions=preset.train.max_questions
    )
    material = with_grammar(material, grammar)
    given, development = lay_out_material(material, preset)
    trainer = AskTrainer(preset, given, device=device)
    digest = questions_digest(material.asked)
    settings = json.dumps({**asdict(preset), "digest": digest}, sort_keys=True)
    restore_state(trainer, run / STATE, settings)
    logger.info("training started", extra={"step": trainer.step, "of": preset.train.steps})
    records = take_steps(trainer, preset.train.steps, development)
    log = log_steps(trainer, records, run, settings, save_every=SAVE_EVERY_STEPS)
    facts = {
        "command": f"train ask --preset {preset.asker.preset} --seed {seed}",
        "commit": current_commit(),
        "data_digest": digest,
        "development": losses(trainer, development),
        "questions": material.counts,
        "seed": seed,
        "train": asdict(preset.train),
        "training_seconds": round(time.perf_counter() - began),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    arrays = stored_arrays(trainer.averaged())
    save_checkpoint(Checkpoint(arrays, asker_settings(preset.asker), facts), out)
    return log


def take_steps(
    trainer: AskTrainer, steps: int, development: dict[str, AskSet]
) -> Iterator[dict[str, Any]]:
    """Take the steps that are left of so many; yields a log record for each."""
    while trainer.step < steps:
        started = time.perf_counter()
        loss = float(trainer.take_step(trainer.step / steps))
        seconds = round(time.perf_counter() - started, 4)
        record: dict[str, Any] = {"step": trainer.step, "loss": loss, "seconds": seconds}
        if trainer.step % LOOK_EVERY_STEPS == 0:
            record["development"] = losses(trainer, development)
        yield record


def with_grammar(material: AskMaterial, grammar: Sequence[Asked]) -> AskMaterial:
    """The material with a grammar's questions, the last of them kept out for development."""
    written = [one for one in grammar if is_legible(one)]
    count = min(HELD_OUT, len(written) // 4)
    rest, held_out = written[: len(written) - count], written[len(written) - count :]
    kept = rest[: len(rest) - min(APART, count)]
    return AskMaterial(
        (*material.asked, *kept),
        {**material.development, "grammar": tuple(held_out)},
        {**material.counts, "grammar": len(kept)},
    )


def is_legible(one: Asked) -> bool:
    """Whether a question of the grammar can be read and written."""
    is_short = len(one.question) <= LONGEST_QUESTION
    return is_short and is_writable(one.question) and as_composed(one.sentence) == one.sentence


def lay_out_material(material: AskMaterial, preset: AskPreset) -> tuple[AskSet, dict[str, AskSet]]:
    """Rows to train on, with variants of what people asked, and those kept out, by source."""
    by_grammar = [one for one in material.asked if one.kind == GRAMMAR]
    names = names_of(by_grammar or material.asked)
    train = preset.train
    rows = list(with_variants(material.asked, copies=train.variants, names=names, seed=train.seed))
    development = {name: lay_out(asked) for name, asked in material.development.items() if asked}
    return lay_out(rows), development


def losses(trainer: AskTrainer, development: dict[str, AskSet]) -> dict[str, float]:
    """Nats a character of the questions kept out, by source."""
    return {name: round(trainer.evaluate(given), 4) for name, given in development.items()}
