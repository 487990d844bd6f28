"""The training run of the encoder: text, teacher's vectors, lexicon, steps, weights.

Every part is resumable: vectors are cached as they are computed, and the state of the model is
saved every thousand steps. `tiny` needs no teacher: its targets are a fixed random projection
of the words, enough to see the machinery learn.

Shapes: N texts, M of them with a target, E the targets' width.
"""

from __future__ import annotations

import ctypes
import hashlib
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
    Offsets,
    Targets,
    TrainingPairs,
    TrainingSet,
    as_groups,
    everything_of,
    sentences_of,
    shown_batches,
)
from model.checkpoint import current_commit, save_checkpoint
from model.code_pairs import HELD_OUT_PACKAGES, find_code_pairs, installed_folders
from model.config import Preset, tiny
from model.contamination import read_evaluation_texts
from model.contexts import ContextTable, train_context_table
from model.data import SOURCES, TINY_SOURCES, Corpus, build_corpus
from model.embed import EncoderParts
from model.errors import ModelError
from model.evaluate_similarity import PairSet as SimilarityPairs
from model.evaluate_similarity import read_development_sets
from model.lexicon import Lexicon, build_lexicon, find_unit_texts, text_blocks
from model.pairs import PairSet, build_pairs
from model.run_state import restore_state, save_state
from model.stopping import settle_depth
from model.teacher import MiniLM, MiniLMPool, VectorCache, fill_cache
from model.trainer import EncoderTrainer
from model.units import FeatureFinder, UnitRows
from model.vocabulary import common_words

logger = logging.getLogger(__name__)

SAVE_EVERY_STEPS = 1000
MIN_CONTEXT_COUNT = 4
COMPILED_FROM_STEPS = 1000
"""With fewer steps of the trunk, compiling takes longer than it saves."""
PROJECTED_WIDTH = 96
PROJECTION = "random projection of words"
SENTENCE_PHASE = 2
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Names of glibc's malloc.h."""
STATE, LOG = "state.pt", "train.jsonl"


@dataclass(frozen=True, slots=True)
class Material:
    """Texts, targets and pairs, before anything is turned into rows."""

    texts: Sequence[str]
    """Those with a target first."""
    targets: Targets
    """float16 (M, E), unit length."""
    pairs: PairSet | None
    facts: dict[str, Any]
    """What the checkpoint says of where it came from."""
    vocabulary: Sequence[str] = ()
    """Words that own a row however seldom they occur."""
    development: Sequence[SimilarityPairs] = ()
    """Sets that say how many layers are worth keeping."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that training needs besides the trainer."""

    data: TrainingSet
    lexicon: Lexicon
    contexts: ContextTable


def train_embed(
    preset: Preset,
    data: Path,
    out: Path,
    *,
    cache: Path,
    more: Path | None = None,
    seed: int = 1,
) -> Path:
    """Train an encoder and write it to `out`.

    Args:
        preset: the encoder and its training.
        data: folder with `train/`, `realtimeqa/` and `eval/` (read only to keep its texts out).
        out: folder of the checkpoint; the unfinished run lies beside it in `OUT.run/` and goes on
            where it was stopped.
        cache: folder for the teacher's vectors; `tiny` has no teacher and leaves it alone.
        more: folder of further text, `*.jsonl.xz` with one `text` a row; `tiny` leaves it alone.
        seed: decides everything that is random.

    Returns:
        The log of the run, JSON lines.

    Raises:
        ModelError: data or the teacher are missing, or the unfinished run has other settings.
    """
    preset = replace(preset, train=replace(preset.train, seed=seed))
    if preset.encoder.preset == tiny().encoder.preset:
        material = _tiny_material(data, preset.train.max_texts)
    else:
        material = gather(data, cache=cache, max_texts=preset.train.max_texts, more=more)
    command = f"train embed --preset {preset.encoder.preset} --seed {seed}"
    facts = {"command": command, "commit": current_commit(), **material.facts}
    return train_on(preset, replace(material, facts=facts), out)


def gather(data: Path, *, cache: Path, max_texts: int, more: Path | None = None) -> Material:
    """Read texts and pairs, and compute the teacher's vectors that are missing.

    Raises:
        ModelError: data or the teacher are missing.
    """
    evaluation = read_evaluation_texts(data)
    found = find_code_pairs(installed_folders())
    functions = [pair for pair in found if pair.package not in HELD_OUT_PACKAGES]
    words = common_words()
    corpus = build_corpus(
        data, SOURCES, functions=functions, words=words, evaluation=evaluation, more=more
    )
    corpus = corpus.first(max_texts)
    pairs = build_pairs(data, functions=functions, evaluation=evaluation)
    vectors = VectorCache(cache / "teacher")
    if vectors.missing(corpus.texts):
        MiniLM()  # says so here, and not in every process, when it is not installed
        with MiniLMPool() as teacher:
            fill_cache(vectors, corpus.texts, teacher)
    targets, _ = vectors.load(corpus.texts)
    known = set(corpus.texts)
    others = dict.fromkeys((*pairs.anchors, *pairs.positives, *pairs.negatives))
    texts = [*corpus.texts, *(text for text in others if text and text not in known)]
    facts = {
        **_corpus_facts(corpus),
        "pairs": pairs.counts,
        "pairs_digest": pairs.digest,
        "pairs_removed": pairs.removed,
        "teacher": MiniLM.name,
    }
    development = read_development_sets(data)
    return Material(texts, targets, pairs, facts, vocabulary=words, development=development)


def _corpus_facts(corpus: Corpus) -> dict[str, Any]:
    return {
        "contaminated_removed": corpus.contaminated,
        "data_digest": corpus.digest,
        "sources": corpus.counts,
        "texts": len(corpus.texts),
    }


def _tiny_material(data: Path, max_texts: int) -> Material:
    corpus = build_corpus(data, TINY_SOURCES).first(max_texts)
    facts = {**_corpus_facts(corpus), "teacher": PROJECTION}
    return Material(corpus.texts, project_words(corpus.texts), None, facts)


def train_on_projection(
    preset: Preset, texts: Sequence[str], out: Path, *, pairs: PairSet | None = None
) -> Path:
    """Train without a teacher: the targets are a fixed random projection of each text's words."""
    facts = {**_corpus_facts(Corpus(tuple(texts), {"given": len(texts)}, 0)), "teacher": PROJECTION}
    return train_on(preset, Material(texts, project_words(texts), pairs, facts), out)


def project_words(texts: Sequence[str]) -> Targets:
    """Unit vectors, float16 (N, E): the sum of a fixed random vector for each word of a text."""
    vectors = np.zeros((len(texts), PROJECTED_WIDTH), dtype=np.float32)
    for at, text in enumerate(texts):
        for word in {"", *text.lower().split()}:
            seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
            vectors[at] += np.random.default_rng(seed).standard_normal(PROJECTED_WIDTH)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float16)


def train_on(preset: Preset, material: Material, out: Path) -> Path:
    """Train on given texts, targets and pairs; see `train_embed`."""
    if not material.texts:
        raise ModelError("there is no text to train on")
    began = time.perf_counter()
    keep_freed_memory()
    run = out.with_name(out.name + ".run")
    run.mkdir(parents=True, exist_ok=True)
    prepared = prepare(preset, material)
    trainer = new_trainer(preset, prepared)
    if sum(trainer.phases[1:]) >= COMPILED_FROM_STEPS:
        trainer.compile()
    settings = json.dumps({**asdict(preset), "digest": _digest(material)}, sort_keys=True)
    restore_state(trainer, run / STATE, settings)
    logger.info("training started", extra={"step": trainer.step, "of": trainer.total_steps})
    with (run / LOG).open("a", encoding="utf8") as log:
        for record in take_steps(trainer):
            log.write(json.dumps(record) + "\n")
            if trainer.step % SAVE_EVERY_STEPS == 0:
                log.flush()
                save_state(trainer, run / STATE, settings)
    save_state(trainer, run / STATE, settings)
    facts = {
        **material.facts,
        "seed": preset.train.seed,
        "train": asdict(preset.train),
        "training_seconds": round(time.perf_counter() - began),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    checkpoint = encoder_parts(preset, prepared, trainer).checkpoint(facts)
    save_checkpoint(settle_depth(checkpoint, material.texts, material.development), out)
    return run / LOG


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


def new_trainer(preset: Preset, prepared: Prepared) -> EncoderTrainer:
    """The trainer at its first step."""
    row_count = len(prepared.lexicon.buckets)
    return EncoderTrainer(preset.encoder, preset.train, prepared.data, row_count=row_count)


def encoder_parts(preset: Preset, prepared: Prepared, trainer: EncoderTrainer) -> EncoderParts:
    """The encoder at the trainer's present state; it never stops early."""
    trunk = trainer.trunk.state_dict() if trainer.trunk is not None else {}
    return EncoderParts(
        config=preset.encoder,
        rows=trainer.fused_rows(),
        trunk={name: np.asarray(values.numpy()) for name, values in trunk.items()},
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
    """Take all steps that are left; yields one log record a step."""
    train, data = trainer.train, trainer.data
    first = 0
    for phase, steps in enumerate(trainer.phases):
        done = min(max(trainer.step - first, 0), steps)
        first += steps
        if done < steps:
            sizes = (train.batch_size, train.pair_count)
            if phase > 0:
                sizes = (train.joint_batch_size, train.joint_pair_count)
            shown = sentences_of(data) if phase == SENTENCE_PHASE else everything_of(data)
            batches = shown_batches(shown, train, sizes=sizes, seed=2 * train.seed + phase)
            yield from _take(trainer, itertools.islice(batches, done, steps))


def _take(
    trainer: EncoderTrainer, batches: Iterator[tuple[Offsets, Offsets | None]]
) -> Iterator[dict[str, Any]]:
    for texts, pairs in batches:
        began = time.perf_counter()
        losses = trainer.take_step(texts, pairs)
        seconds = round(time.perf_counter() - began, 4)
        rounded = {name: round(value, 6) for name, value in losses.items()}
        yield {"step": trainer.step, **rounded, "seconds": seconds}
