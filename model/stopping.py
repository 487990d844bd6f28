"""How many layers of the trunk are worth keeping, and when a pass through them may stop early.

Shapes: N texts.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from model.checkpoint import Checkpoint
from model.embed import NO_STOP, Encoder
from model.evaluate_similarity import PairSet, score_pairs
from model.trunk import PREFIX, block_prefix

SAMPLE_TEXTS = 4000
DEPTH_LOSS = 0.3
"""Layers that together add less to the score, Spearman times 100, are not worth their time."""
STOP_LOSS = 0.002
"""Texts that stop early end, on the mean, within this cosine distance of where they would have."""


def settle_depth(
    checkpoint: Checkpoint, texts: Sequence[str], development: Sequence[PairSet]
) -> Checkpoint:
    """Keep the layers that are worth it by development sets, and fit when to stop within them.

    Args:
        checkpoint: as trained, with all its layers.
        texts: see `fit_stop_cosine`.
        development: without any, all layers are kept.

    Returns:
        The encoder to use; its `meta` holds the score of every depth.
    """
    if checkpoint.config["trunk"] and development:
        scores = score_depths(_encoder(checkpoint), development)
        enough = max(scores.values()) - DEPTH_LOSS
        kept = min(depth for depth, score in scores.items() if score >= enough)
        checkpoint = keep_layers(checkpoint, kept)
        meta = {**checkpoint.meta, "development_by_depth": list(scores.values())}
        checkpoint = replace(checkpoint, meta=meta)
    stop = fit_stop_cosine(_encoder(checkpoint), texts)
    return replace(checkpoint, config={**checkpoint.config, "stop_cosine": stop})


def _encoder(checkpoint: Checkpoint) -> Encoder:
    return Encoder(replace(checkpoint, meta={"hash": ""}))


def score_depths(encoder: Encoder, development: Sequence[PairSet]) -> Mapping[int, float]:
    """Mean Spearman, times 100, on sets kept for development, at every depth of an encoder."""
    scores = {}
    for depth in range(encoder.depth + 1):
        limited = encoder.limited(depth=depth)
        found = [score_pairs(limited, pairs)["spearman"] for pairs in development]
        scores[depth] = round(statistics.fmean(found), 2)
    return scores


def keep_layers(checkpoint: Checkpoint, depth: int) -> Checkpoint:
    """The encoder without the layers above `depth`: each of them has an exit of its own.

    Args:
        checkpoint: of an encoder with a trunk.
        depth: layers to keep; 0 leaves the bag alone.
    """
    trunk = checkpoint.config["trunk"]
    left_out = tuple(map(block_prefix, range(depth, trunk["n_layer"]))) if depth else (PREFIX,)
    arrays = {
        name: array for name, array in checkpoint.arrays.items() if not name.startswith(left_out)
    }
    kept = {**trunk, "n_layer": depth} if depth else None
    return replace(checkpoint, arrays=arrays, config={**checkpoint.config, "trunk": kept})


def fit_stop_cosine(encoder: Encoder, texts: Sequence[str]) -> float:
    """The lowest stop that keeps to `STOP_LOSS`; never to stop where none does.

    Args:
        encoder: at its full depth.
        texts: some of them are tried, evenly spread.
    """
    if encoder.depth < 2:
        return NO_STOP
    sample = list(texts[:: max(len(texts) // SAMPLE_TEXTS, 1)])[:SAMPLE_TEXTS]
    depths = range(encoder.depth + 1)
    vectors = [encoder.limited(depth=depth).embed(sample) for depth in depths]
    moved, lost = [], []
    for layer in range(1, encoder.depth):
        moved.append(np.einsum("nd,nd->n", vectors[layer], vectors[layer - 1]))
        lost.append(1 - np.einsum("nd,nd->n", vectors[layer], vectors[-1]))
    cosines, losses = np.concatenate(moved), np.concatenate(lost)
    order = np.argsort(-cosines, kind="stable")
    means = np.cumsum(losses[order]) / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(means <= STOP_LOSS)
    return float(np.round(cosines[order[allowed[-1]]], 4)) if len(allowed) else NO_STOP
