"""Build the tagger's background vocabulary from plain news text: counts, and clusters of words in like contexts.

Two words behave alike when the same words stand before and after them. The square roots of those counts are brought to
few dimensions by a truncated SVD and clustered by k-means, at two grains. Used in training only.

Shapes: V forms, C context words, D dimensions, K clusters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.tag_words import RARITY_SCALE, WORD, Vocabulary, crc, plain_form

MAX_FORMS = 40_000
CONTEXT_WORDS = 2_000
DIMENSIONS = 64
FINE_CLUSTERS = 600
COARSE_CLUSTERS = 60
KMEANS_STEPS = 12

Ids = npt.NDArray[np.int64]


def build_vocabulary(texts: Iterable[str], *, seed: int, forms: int = MAX_FORMS) -> Vocabulary:
    """Count and cluster the commonest forms of the texts, one text an article."""
    articles = [[plain_form(word) for word in WORD.findall(text)] for text in texts]
    counts: Counter[str] = Counter()
    for words in articles:
        counts.update(words)
    kept = [
        form
        for form, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:forms]
        if count > 2
    ]
    index = {form: i for i, form in enumerate(kept)}
    tokens = np.concatenate(
        [[-1, *(index.get(word, -1) for word in words)] for words in articles]
    ).astype(np.int64)
    torch.manual_seed(seed)
    points = _context_vectors(tokens, len(kept))
    fine = _clusters(points, min(FINE_CLUSTERS, len(kept)))
    coarse = _clusters(points, min(COARSE_CLUSTERS, len(kept)))
    small, rarity = _casing_and_rarity(kept, counts, articles)
    keys = np.array([crc(form) for form in kept], np.uint32)
    keys, order = np.unique(
        keys, return_index=True
    )  # of two forms with one hash the commoner stays
    return Vocabulary(
        keys,
        (fine[order] + 1).astype(np.uint16),
        (coarse[order] + 1).astype(np.uint8),
        small[order],
        rarity[order],
    )


def _context_vectors(tokens: Ids, forms: int) -> Tensor:
    columns: list[Ids] = []
    rows: list[Ids] = []
    weights: list[npt.NDArray[np.float32]] = []
    for side, distance in enumerate((1, -1, 2, -2)):
        here = tokens[max(0, -distance) : len(tokens) - max(0, distance)]
        there = tokens[max(0, distance) : len(tokens) + min(0, distance)]
        usable = (here >= 0) & (there >= 0) & (there < CONTEXT_WORDS)
        keys, counts = np.unique(here[usable] * CONTEXT_WORDS + there[usable], return_counts=True)
        rows.append(keys // CONTEXT_WORDS)
        columns.append(keys % CONTEXT_WORDS + side * CONTEXT_WORDS)
        weights.append(np.sqrt(counts).astype(np.float32))
    row, column, weight = np.concatenate(rows), np.concatenate(columns), np.concatenate(weights)
    # Common context words would drown the rest; rows are scaled to unit length so that frequency does not matter.
    column_norm = np.sqrt(np.bincount(column, weight**2, 4 * CONTEXT_WORDS)) + 1.0
    scaled = weight / np.sqrt(column_norm)[column]
    row_norm = np.sqrt(np.bincount(row, scaled**2, forms)) + 1e-6
    scaled = (scaled / row_norm[row]).astype(np.float32)
    matrix = torch.sparse_coo_tensor(
        torch.from_numpy(np.stack([row, column])),
        torch.from_numpy(scaled),
        (forms, 4 * CONTEXT_WORDS),
        check_invariants=False,
    ).coalesce()
    left, scale, _ = torch.svd_lowrank(matrix, q=min(DIMENSIONS, forms), niter=3)
    return torch.nn.functional.normalize(left * scale.sqrt(), dim=1)


def _clusters(points: Tensor, clusters: int) -> Ids:
    centres = points[torch.randperm(len(points))[:clusters]].clone()
    nearest = torch.zeros(len(points), dtype=torch.long)
    for _ in range(KMEANS_STEPS):
        nearest = torch.cat(
            [(chunk @ centres.T).argmax(dim=1) for chunk in torch.split(points, 4096)]
        )
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        occupied = sums.norm(dim=1) > 0
        centres[occupied] = torch.nn.functional.normalize(sums[occupied], dim=1)
    return nearest.numpy()


def _casing_and_rarity(
    kept: list[str], counts: Counter[str], articles: list[list[str]]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    totals: Counter[str] = Counter()
    for form, count in counts.items():
        totals[form.lower()] += count
    spread: Counter[str] = Counter()
    for words in articles:
        spread.update({word.lower() for word in words})
    lows = [form.lower() for form in kept]
    small = np.array([255 * counts[low] // totals[low] for low in lows], np.uint8)
    rarity = RARITY_SCALE * np.log2(len(articles) / np.array([spread[low] for low in lows]))
    return small, np.clip(np.round(rarity), 0, 255).astype(np.uint8)
