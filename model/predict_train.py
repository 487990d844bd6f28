"""The training run of the language model: text from the data folder, steps, weights.

Resumable: the state is saved every few hundred steps beside the output, and what a step sees depends on the seed and
its number alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import lzma
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.alphabet import Alphabet, Ids
from model.checkpoint import Checkpoint, current_commit, save_checkpoint
from model.codes import CodeKind, Codes, fit_codes
from model.errors import DataError
from model.gate_fit import fit_gate
from model.level_config import LevelsOf
from model.predict import LanguageModel
from model.predict_config import PredictPreset
from model.predict_data import NewsText, joined, read_news_text
from model.predict_stored import language_model_config, stored_arrays
from model.predict_sureness import block_outcomes, fit_sureness
from model.predict_trainer import PredictTrainer
from model.run_state import STATE, log_steps, restore_state, step_seconds
from model.unit_hash import hash_of
from model.word_levels import loss_maker, network_maker

logger = logging.getLogger(__name__)

SAVE_EVERY_STEPS = 200
LOOK_EVERY_STEPS = 500
CODES_FROM = 4_000_000
"""Characters at the beginning of the training text that the codes are fitted on."""
UNPLANNED = 1_000_000
"""Steps of a schedule that is not planned yet: its fall has not begun."""
UNSETTLED, PROBED = 5, 20
"""A schedule is planned after so many steps, from the speed of those behind the unsettled ones."""
LOOKED_AT = 200_000
"""Characters of the development articles that losses are looked at on meanwhile."""


EARLIER = 1_000_000
"""Characters of training text that have been read before, for the gate to know what experience is worth."""


@dataclass(frozen=True, slots=True)
class PredictText:
    """What is trained on, as ids."""

    alphabet: Alphabet
    training: Ids
    development: Ids
    digest: str


def train_predict(
    preset: PredictPreset,
    data: Path,
    out: Path,
    *,
    seed: int = 1,
    device: str = "cpu",
    steps: int | None = None,
) -> Path:
    """Train a language model and write it to `out`.

    Args:
        preset: the model and its training.
        data: folder with `realtimeqa/` and `train/lm/`.
        out: folder of the checkpoint; the unfinished run lies beside it in `OUT.run/` and goes on where it was stopped.
        seed: decides everything that is random; on a GPU sums are rounded as it likes.
        device: `cpu` or `cuda`.
        steps: so many, in place of the preset's.

    Returns:
        The log of the run, JSON lines.

    Raises:
        ModelError: data are missing, the unfinished run has other settings or cannot be written, or a loss is not
            finite: the last saved state stays.
    """
    run = out.with_name(out.name + ".run")
    run.mkdir(parents=True, exist_ok=True)
    preset = replace(preset, train=replace(preset.train, seed=seed))
    if steps is not None:
        preset = replace(preset, train=replace(preset.train, steps=steps))
    text = text_ids(read_news_text(data, most=preset.train.most_articles), least=preset.least)
    trainer = trainer_of(preset, text, device=device)
    settings = json.dumps({**asdict(preset), "digest": text.digest}, sort_keys=True)
    restore_state(trainer, run / STATE, settings)
    logger.info("training started", extra={"step": trainer.step, "of": preset.train.steps})
    log = log_steps(trainer, take_steps(trainer, text), run, settings, save_every=SAVE_EVERY_STEPS)
    seconds = step_seconds(log)
    facts = {
        "command": _command(preset),
        "commit": current_commit(),
        "data_digest": text.digest,
        "development": trainer.evaluate(text.development),
        "characters": len(text.training),
        "seed": seed,
        "train": asdict(preset.train),
        "training_seconds": round(sum(seconds)),  # of steps alone, of all processes that took them
        "chars_per_s": round(preset.train.texts * preset.train.chars / statistics.median(seconds)),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    config = language_model_config(preset.name, trainer.levels, text.alphabet)
    arrays = stored_arrays(trainer.averaged(), trainer.codes)
    trained = with_sureness(Checkpoint(arrays, config, facts), text.development)
    save_checkpoint(with_gate(trained, text), out)
    return log


def _command(preset: PredictPreset) -> str:
    train, levels_of = preset.train, preset.levels.levels_of
    command = f"train predict --preset {preset.name} --seed {train.seed} --steps {train.steps}"
    if levels_of is not LevelsOf.CHARACTERS:
        command += f" --levels-of {levels_of}"
    return command


def with_sureness(checkpoint: Checkpoint, development: Ids) -> Checkpoint:
    """A trained model that knows how often its blocks are right; measured on text that was kept out of training."""
    model = LanguageModel(checkpoint)
    found = [fit_sureness(*each) for each in block_outcomes(model, development)]
    return replace(checkpoint, config={**checkpoint.config, "sureness": found})


def with_gate(checkpoint: Checkpoint, text: PredictText) -> Checkpoint:
    """A trained model that hears experience as well as it deserves; fitted on text that was kept out of training."""
    earlier = text.training[:EARLIER]
    gate = fit_gate(LanguageModel(checkpoint), text.development, earlier)
    return replace(checkpoint, arrays={**checkpoint.arrays, **gate})


def text_ids(news: NewsText, *, least: int) -> PredictText:
    """Articles as ids of their own alphabet."""
    alphabet = Alphabet.of(news.training, least=least)
    training, development = (
        alphabet.ids(joined(articles)) for articles in (news.training, news.development)
    )
    return PredictText(alphabet, training, development[:LOOKED_AT], news.digest)


def split_text(path: Path, *, training_share: float) -> PredictText:
    """A packed text file: its beginning to train on, the rest for development.

    Raises:
        DataError: it cannot be read.
    """
    try:
        content = lzma.decompress(path.read_bytes())
        whole = content.decode("utf-8")
    except (OSError, lzma.LZMAError, UnicodeDecodeError) as exc:
        raise DataError(f"cannot read {path}: {exc}") from exc
    alphabet = Alphabet.of([whole])
    ids = alphabet.ids(whole)
    end = int(len(ids) * training_share)
    return PredictText(alphabet, ids[:end], ids[end:], hashlib.sha256(content).hexdigest())


def trainer_of(preset: PredictPreset, text: PredictText, *, device: str = "cpu") -> PredictTrainer:
    """A trainer at its first step, for the text's alphabet, with codes that are fitted on it."""
    levels = replace(preset.levels, alphabet=text.alphabet.size)
    codes = level_codes(
        text.training[:CODES_FROM],
        levels.code_widths,
        preset.codes,
        alphabet=levels.alphabet,
        seed=preset.train.seed,
    )
    return PredictTrainer(
        levels,
        preset.train,
        codes,
        hash_of(levels, text.alphabet),
        device=device,
        network=network_maker(levels, text.alphabet),
        loss=loss_maker(levels, text.alphabet),
    )


def level_codes(
    text: Ids, widths: tuple[int, ...], kind: CodeKind, *, alphabet: int, seed: int
) -> list[Codes]:
    """The codes of levels of 1, 2, 4, ... characters, as wide as given, fitted on a text."""
    ids = text.astype(np.int64)
    codes: list[Codes] = []
    for level, width in enumerate(widths):
        single = codes[0] if codes else None
        codes.append(
            fit_codes(
                ids,
                alphabet=alphabet,
                chars=2**level,
                width=width,
                seed=seed,
                kind=kind,
                single=single,
            )
        )
    return codes


def take_steps(trainer: PredictTrainer, text: PredictText) -> Iterator[dict[str, Any]]:
    """Take the steps that are left; yields a log record for each."""
    while trainer.step < trainer.train.steps:
        started = time.perf_counter()
        bits = trainer.take_step(text.training)
        seconds = round(time.perf_counter() - started, 4)
        record: dict[str, Any] = {"step": trainer.step, "bits": round(bits, 4), "seconds": seconds}
        if trainer.step % LOOK_EVERY_STEPS == 0:
            record["development"] = trainer.evaluate(text.development)
        yield record


def steps_within(
    trainer: PredictTrainer,
    text: Ids,
    limit_s: float,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[tuple[int, float]]:
    """Take steps for some seconds; how many there will be is settled after the first few, from their speed.

    Args:
        trainer: at its first step, its schedule `UNPLANNED`.
        text: uint8 (N,).
        limit_s: seconds of steps alone, without what is done between them.
        clock: tells the seconds.

    Yields:
        The number of each step, and the seconds of all so far.
    """
    seconds = unsettled_s = 0.0
    while seconds < limit_s and trainer.step < trainer.train.steps:
        began = clock()
        trainer.take_step(text)
        seconds += clock() - began
        if trainer.step == UNSETTLED:
            unsettled_s = seconds
        if trainer.step == PROBED:
            step_s = (seconds - unsettled_s) / (PROBED - UNSETTLED)
            planned = PROBED + max(round((limit_s - seconds) / step_s), 0)
            trainer.train = replace(trainer.train, steps=planned)
        yield trainer.step, seconds
