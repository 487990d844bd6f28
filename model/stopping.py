"""When a pass through the trunk may stop: how far a text still moves after its vector moved little.

Shapes: N texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.embed import NO_STOP, Encoder

SAMPLE_TEXTS = 4000
STOP_LOSS = 0.002
"""Texts that stop early end, on the mean, within this cosine distance of where they would have."""


def fit_stop_cosine(encoder: Encoder, texts: Sequence[str]) -> float:
    """The lowest stop that keeps to `STOP_LOSS`; never to stop where none does.

    Args:
        encoder: at its full depth.
        texts: some of them are tried, evenly spread.
    """
    sample = list(texts[:: max(len(texts) // SAMPLE_TEXTS, 1)])[:SAMPLE_TEXTS]
    depths = range(encoder.depth + 1)
    vectors = [encoder.limited(depth=depth).embed(sample) for depth in depths]
    moved, lost = [], []
    for layer in range(1, encoder.depth):
        moved.append(np.einsum("nd,nd->n", vectors[layer], vectors[layer - 1]))
        lost.append(1 - np.einsum("nd,nd->n", vectors[layer], vectors[-1]))
    if not moved:
        return NO_STOP
    cosines, losses = np.concatenate(moved), np.concatenate(lost)
    order = np.argsort(-cosines, kind="stable")
    means = np.cumsum(losses[order]) / np.arange(1, len(order) + 1)
    allowed = np.flatnonzero(means <= STOP_LOSS)
    return float(np.round(cosines[order[allowed[-1]]], 4)) if len(allowed) else NO_STOP
