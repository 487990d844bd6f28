"""The training run of the encoder: text, teacher's vectors, lexicon, steps, weights.

Every part is resumable: vectors are cached as they are computed, and the state of the model is
saved every thousand steps. `tiny` needs no teacher: its targets are a fixed random projection
of the words, enough to see the machinery learn.

Shapes: N texts, M of them with a target, E the targets' width.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.batches import (
    NO_TEXT,
    TrainingPairs,
    TrainingSet,
    as_groups,
    everything_of,
    sentences_of,
    shown_batches,
)
from model.checkpoint import current_commit, save_checkpoint
from model.config import Preset, tiny
from model.contexts import ContextTable, train_context_table
from model.device import Device
from model.embed import EncoderParts
from model.errors import ModelError
from model.lexicon import Lexicon, build_lexicon, find_unit_texts, text_blocks
from model.material import (
    Material,
    gather_recipe,
    projected_material,
    read_recipe,
    tiny_material,
    with_targets,
    write_recipe,
)
from model.pairs import PairSet
from model.run_state import STATE, log_steps, restore_state
from model.step_batch import StepBatch, load_steps
from model.stopping import settle_depth
from model.trainer import EncoderTrainer
from model.units import FeatureFinder, UnitRows

logger = logging.getLogger(__name__)

SAVE_EVERY_STEPS = 1000
MIN_CONTEXT_COUNT = 4
COMPILED_FROM_STEPS = 1000
"""With fewer steps of the trunk, compiling takes longer than it saves."""
SENTENCE_PHASE = 2
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of glibc's malloc.h."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that training needs besides the trainer."""

    data: TrainingSet
    lexicon: Lexicon
    contexts: ContextTable


def train_embed(
    preset: Preset,
    data: Path | None,
    out: Path,
    *,
    cache: Path,
    more: Path | None = None,
    recipe: Path | None = None,
    seed: int = 1,
    device: str = "cpu",
) -> Path:
    """Train an encoder and write it to `out`.

    Args:
        preset: the encoder and its training.
        data: folder with `train/`, `realtimeqa/` and `eval/` (read only to keep its texts out);
            not needed with a recipe that exists.
        out: folder of the checkpoint; the unfinished run lies beside it in `OUT.run/` and goes on
            where it was stopped.
        cache: folder for the teacher's vectors; `tiny` has no teacher and leaves it alone.
        more: folder of further text, `*.jsonl.xz` with one `text` a row; `tiny` leaves it alone.
        recipe: file of the gathered texts and pairs, written where it does not exist.
        seed: decides everything that is random; on an accelerator sums are not taken in the same
            order twice, so that weights agree but for rounding.
        device: where the teacher answers and steps are taken, as torch names it.

    Returns:
        The log of the run, JSON lines.

    Raises:
        ModelError: data, the teacher or the device are missing, or the unfinished run has other
            settings.
    """
    check_device(device)
    preset = replace(preset, train=replace(preset.train, seed=seed))
    command = f"train embed --preset {preset.encoder.preset} --seed {seed}"
    command += f" --more {more.name}" if more is not None else ""
    command += f" --device {device}" if device != "cpu" else ""
    if preset.encoder.preset == tiny().encoder.preset:
        material = tiny_material(_given(data), preset.train.max_texts)
    else:
        if recipe is not None and recipe.exists():
            gathered = read_recipe(recipe)
        else:
            gathered = gather_recipe(_given(data), preset.train, more=more)
            if recipe is not None:
                write_recipe(gathered, recipe)
        material = with_targets(gathered, cache, device=device)
    facts = {"command": command, "commit": current_commit(), **material.facts}
    return train_on(preset, replace(material, facts=facts), out, device=device)


def _given(data: Path | None) -> Path:
    if data is None:
        raise ModelError("no data folder to gather training text from")
    return data


def check_device(device: str) -> None:
    """Refuse a device that torch does not have.

    Raises:
        ModelError: there is no such device.
    """
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as exc:
        raise ModelError(f"no device {device}: {str(exc).splitlines()[0]}") from exc


def train_on_projection(
    preset: Preset, texts: Sequence[str], out: Path, *, pairs: PairSet | None = None
) -> Path:
    """Train without a teacher: the targets are a fixed random projection of each text's words."""
    return train_on(preset, projected_material(texts, pairs), out)


def train_on(preset: Preset, material: Material, out: Path, *, device: str = "cpu") -> Path:
    """Train on given texts, targets and pairs; see `train_embed`."""
    if not material.texts:
        raise ModelError("there is no text to train on")
    began = time.perf_counter()
    keep_freed_memory()
    run = out.with_name(out.name + ".run")
    run.mkdir(parents=True, exist_ok=True)
    prepared = prepare(preset, material)
    trainer = new_trainer(preset, prepared, device=device)
    if sum(trainer.phases[1:]) >= COMPILED_FROM_STEPS:
        trainer.compile()
    settings = json.dumps({**asdict(preset), "digest": _digest(material)}, sort_keys=True)
    restore_state(trainer, run / STATE, settings)
    logger.info("training started", extra={"step": trainer.step, "of": trainer.total_steps})
    log = log_steps(trainer, take_steps(trainer), run, settings, save_every=SAVE_EVERY_STEPS)
    facts = {
        **material.facts,
        "seed": preset.train.seed,
        "train": asdict(preset.train),
        "device": device,
        "training_seconds": round(time.perf_counter() - began),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    checkpoint = encoder_parts(preset, prepared, trainer).checkpoint(facts)
    save_checkpoint(settle_depth(checkpoint, material.texts, material.development), out)
    return log


def keep_freed_memory() -> None:
    """Let the C library keep what is freed, where it can be told to.

    Up to a fifth of a step otherwise goes into fresh pages for tensors of the same size.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 1 << 30)
        mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)


def _digest(material: Material) -> str:
    pairs = material.pairs.digest if material.pairs is not None else ""
    return f"{material.facts['data_digest']}+{pairs}"


def new_trainer(preset: Preset, prepared: Prepared, *, device: str = "cpu") -> EncoderTrainer:
    """The trainer at its first step."""
    row_count = len(prepared.lexicon.buckets)
    return EncoderTrainer(
        preset.encoder, preset.train, prepared.data, row_count=row_count, device=device
    )


def encoder_parts(preset: Preset, prepared: Prepared, trainer: EncoderTrainer) -> EncoderParts:
    """The encoder at the trainer's present state; it never stops early."""
    trunk = trainer.trunk.state_dict() if trainer.trunk is not None else {}
    return EncoderParts(
        config=preset.encoder,
        rows=trainer.fused_rows(),
        trunk={name: np.asarray(values.cpu().numpy()) for name, values in trunk.items()},
        buckets=prepared.lexicon.buckets,
        trusted_rows=prepared.lexicon.trusted_rows,
        contexts=prepared.contexts,
    )


def prepare(preset: Preset, material: Material) -> Prepared:
    """Count contexts, choose the features that own a row, and turn all texts into rows."""
    config, texts = preset.encoder, material.texts
    # The table of contexts is always counted and shipped: segmentation is there for every encoder.
    blocks = text_blocks(texts, preset.train.context_chars)
    contexts = train_context_table(blocks, bits=config.context_bits, min_count=MIN_CONTEXT_COUNT)
    lexicon = build_lexicon(texts, config, contexts, vocabulary=material.vocabulary)
    finder = FeatureFinder(config.kinds, contexts, threshold=config.threshold)
    lookup = UnitRows(finder, lexicon.buckets, trusted_rows=lexicon.trusted_rows)
    unit_texts = find_unit_texts(texts, lookup)
    logger.info(
        "lexicon built",
        extra={
            "rows": len(lexicon.buckets),
            "trusted": lexicon.trusted_rows,
            "rows_per_text": round(len(unit_texts.rows) / len(texts), 1),
        },
    )
    pairs = _place_pairs(material.pairs, texts) if material.pairs is not None else None
    return Prepared(TrainingSet(unit_texts, material.targets, pairs), lexicon, contexts)


def _place_pairs(pairs: PairSet, texts: Sequence[str]) -> TrainingPairs:
    place = {text: at for at, text in enumerate(texts)}

    def places(side: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array([place.get(text, NO_TEXT) for text in side], dtype=np.int64)

    sources = as_groups(pairs.sources)
    return TrainingPairs(
        places(pairs.anchors), places(pairs.positives), places(pairs.negatives), sources
    )


def take_steps(trainer: EncoderTrainer) -> Iterator[dict[str, Any]]:
    """Take all steps that are left; yields a log record for every one, or for some of them."""
    train, data, device = trainer.train, trainer.data, Device(trainer.device.type)
    first = 0
    for phase, steps in enumerate(trainer.phases):
        done = min(max(trainer.step - first, 0), steps)
        first += steps
        if done < steps:
            sizes = (train.batch_size, train.pair_count)
            if phase > 0:
                sizes = (train.joint_batch_size, train.joint_pair_count)
            shown = sentences_of(data) if phase == SENTENCE_PHASE else everything_of(data)
            seed = 2 * train.seed + phase
            given = shown_batches(shown, train, sizes=sizes, seed=seed, device=device.name)
            batches = load_steps(
                data,
                itertools.islice(given, done, steps),
                window=trainer.window,
                pair_units=train.pair_units,
                workers=device.workers,
                is_pinned=device.name != "cpu",
            )
            yield from _take(trainer, batches, log_every=device.log_every)


def _take(
    trainer: EncoderTrainer, batches: Iterator[StepBatch], *, log_every: int
) -> Iterator[dict[str, Any]]:
    began = time.perf_counter()
    for batch in batches:
        losses = trainer.take_step(batch)
        if trainer.step % log_every == 0:
            rounded = {name: round(float(value), 6) for name, value in losses.items()}
            now = time.perf_counter()
            yield {
                "step": trainer.step,
                **rounded,
                "seconds": round((now - began) / log_every, 4),
            }
            began = time.perf_counter()
