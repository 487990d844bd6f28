"""The training run of the encoder: text, teacher's vectors, lexicon, steps, weights.

Every part is resumable: vectors are cached as they are computed, and the state of the model is
saved every few hundred steps. `tiny` needs no teacher: its targets are a fixed random projection
of the words, enough to see the machinery learn.

Shapes: N texts, E the targets' width.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import pickle
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from model.bag import BagTrainer, TrainingSet, batches
from model.checkpoint import current_commit, save_checkpoint
from model.config import Preset, tiny
from model.contexts import ContextTable, train_context_table
from model.data import SOURCES, TINY_SOURCES, Corpus, build_corpus
from model.embed import EncoderParts
from model.errors import ModelError
from model.lexicon import Lexicon, build_lexicon, find_rows, text_blocks
from model.teacher import MiniLM, VectorCache, fill_cache
from model.units import FeatureFinder, UnitRows

logger = logging.getLogger(__name__)

SAVE_EVERY_STEPS = 300
MIN_CONTEXT_COUNT = 4
PROJECTED_WIDTH = 96
PROJECTION = "random projection of words"
STATE, LOG = "state.pt", "train.jsonl"

Targets = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that training needs besides the trainer."""

    data: TrainingSet
    lexicon: Lexicon
    contexts: ContextTable | None


def train_embed(preset: Preset, data: Path, out: Path, *, cache: Path, seed: int = 1) -> Path:
    """Train an encoder and write it to `out`.

    Args:
        preset: the encoder and its training.
        data: folder with `train/`, `realtimeqa/` and `eval/sts/` (read only to keep its texts out).
        out: folder of the checkpoint; the unfinished run lies beside it in `OUT.run/` and goes on
            where it was stopped.
        cache: folder for the teacher's vectors; `tiny` has no teacher and leaves it alone.
        seed: decides everything that is random.

    Returns:
        The log of the run, JSON lines.

    Raises:
        ModelError: data or the teacher are missing, or the unfinished run has other settings.
    """
    preset = replace(preset, train=replace(preset.train, seed=seed))
    is_tiny = preset.encoder.preset == tiny().encoder.preset
    corpus = build_corpus(data, TINY_SOURCES if is_tiny else SOURCES)
    corpus = replace(corpus, texts=corpus.texts[: preset.train.max_texts])
    texts: Sequence[str] = corpus.texts
    if is_tiny:
        targets = project_words(texts)
    else:
        vectors = VectorCache(cache / "teacher")
        if vectors.missing(texts):
            fill_cache(vectors, texts, MiniLM())
        targets, found = vectors.load(texts)
        texts = [corpus.texts[at] for at in found]
    facts = {
        "command": f"train embed --preset {preset.encoder.preset} --seed {seed}",
        "commit": current_commit(),
        "contaminated_removed": corpus.contaminated,
        "data_digest": corpus.digest,
        "sources": corpus.counts,
        "teacher": PROJECTION if is_tiny else MiniLM.name,
        "texts": len(texts),
    }
    return train_on(preset, texts, targets, out, meta=facts)


def train_on_projection(preset: Preset, texts: Sequence[str], out: Path) -> Path:
    """Train without a teacher: the targets are a fixed random projection of each text's words."""
    corpus = Corpus(tuple(texts), {"given": len(texts)}, 0)
    facts = {"data_digest": corpus.digest, "texts": len(texts), "teacher": PROJECTION}
    return train_on(preset, texts, project_words(texts), out, meta=facts)


def project_words(texts: Sequence[str]) -> Targets:
    """Unit vectors, float16 (N, E): the sum of a fixed random vector for each word of a text."""
    vectors = np.zeros((len(texts), PROJECTED_WIDTH), dtype=np.float32)
    for at, text in enumerate(texts):
        for word in {"", *text.lower().split()}:
            seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
            vectors[at] += np.random.default_rng(seed).standard_normal(PROJECTED_WIDTH)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float16)


def train_on(
    preset: Preset, texts: Sequence[str], targets: Targets, out: Path, *, meta: dict[str, Any]
) -> Path:
    """Train on given texts and targets, float16 (N, E) of unit length; see `train_embed`."""
    if not texts:
        raise ModelError("there is no text to train on")
    began = time.perf_counter()
    run = out.with_name(out.name + ".run")
    run.mkdir(parents=True, exist_ok=True)
    prepared = _prepare(preset, texts, targets)
    trainer = BagTrainer(
        preset.train,
        prepared.data,
        row_count=len(prepared.lexicon.buckets),
        dim=preset.encoder.dim,
    )
    settings = json.dumps({**asdict(preset), "digest": meta["data_digest"]}, sort_keys=True)
    _restore(trainer, run / STATE, settings)
    logger.info("training started", extra={"step": trainer.step, "of": trainer.total_steps})
    with (run / LOG).open("a", encoding="utf8") as log:
        for record in _steps(trainer):
            log.write(json.dumps(record) + "\n")
            if trainer.step % SAVE_EVERY_STEPS == 0:
                log.flush()
                _save_state(trainer, run / STATE, settings)
    _save_state(trainer, run / STATE, settings)
    facts = {
        **meta,
        "seed": preset.train.seed,
        "train": asdict(preset.train),
        "training_seconds": round(time.perf_counter() - began),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    save_checkpoint(encoder_parts(preset, prepared, trainer).checkpoint(facts), out)
    return run / LOG


def encoder_parts(preset: Preset, prepared: Prepared, trainer: BagTrainer) -> EncoderParts:
    """The encoder at the trainer's present state."""
    return EncoderParts(
        config=preset.encoder,
        rows=trainer.fused_rows(),
        buckets=prepared.lexicon.buckets,
        trusted_rows=prepared.lexicon.trusted_rows,
        contexts=prepared.contexts,
    )


def _prepare(preset: Preset, texts: Sequence[str], targets: Targets) -> Prepared:
    config = preset.encoder
    # The table of contexts is always counted and shipped: segmentation is there for every encoder.
    blocks = text_blocks(texts, preset.train.context_chars)
    contexts = train_context_table(blocks, bits=config.context_bits, min_count=MIN_CONTEXT_COUNT)
    lexicon = build_lexicon(texts, config, contexts)
    finder = FeatureFinder(config.kinds, contexts, threshold=config.threshold)
    lookup = UnitRows(finder, lexicon.buckets, trusted_rows=lexicon.trusted_rows)
    rows, offsets = find_rows(texts, lookup)
    # A text without any row has nothing to learn.
    kept = np.flatnonzero(np.diff(offsets) > 0)
    starts = np.concatenate(([0], np.cumsum(np.diff(offsets)[kept])))
    logger.info(
        "lexicon built",
        extra={
            "rows": len(lexicon.buckets),
            "trusted": lexicon.trusted_rows,
            "rows_per_text": round(len(rows) / len(texts), 1),
        },
    )
    return Prepared(TrainingSet(rows, starts, targets[kept]), lexicon, contexts)


def _steps(trainer: BagTrainer) -> Iterator[dict[str, Any]]:
    """Take all steps that are left; yields one log record a step."""
    done = 0
    for epoch in itertools.count():
        for texts in batches(trainer.data, trainer.train, epoch):
            if trainer.step >= trainer.total_steps:
                return
            done += 1
            if done <= trainer.step:
                continue
            began = time.perf_counter()
            losses = trainer.take_step(texts)
            seconds = round(time.perf_counter() - began, 4)
            rounded = {name: round(value, 6) for name, value in losses.items()}
            yield {"step": trainer.step, "epoch": epoch, **rounded, "seconds": seconds}


def _save_state(trainer: BagTrainer, path: Path, settings: str) -> None:
    draft = path.with_suffix(".tmp")
    torch.save({"settings": settings, **trainer.state()}, draft)
    draft.replace(path)


def _restore(trainer: BagTrainer, path: Path, settings: str) -> None:
    if not path.exists():
        return
    try:
        state = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as exc:
        raise ModelError(f"cannot read the unfinished run in {path.parent}: {exc}") from exc
    if state["settings"] != settings:
        raise ModelError(f"the run in {path.parent} has other settings or data; delete it first")
    trainer.restore(state)
