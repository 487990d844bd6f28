"""Training texts as rows of the table, and the order in which they are shown.

Batches of single texts are made of groups of near neighbours by the teacher, because texts that
have nothing in common teach little about degrees of likeness. Batches of pairs come from one
source each, because telling a caption from a headline is no lesson.

Shapes: N texts, U units, F features, B texts of a batch, P pairs, E the targets' width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.config import TrainConfig
from model.unit_texts import Offsets, UnitTexts

Targets = npt.NDArray[np.float16]

NO_TEXT = -1
PRODUCTS_AT_ONCE = 1 << 18
"""Targets looked up at once: 400 MB of them."""
SENTENCE_UNITS = (4, 40)
"""Fewest and most units of what counts as a sentence."""


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """Places of pairs among the texts."""

    anchors: Offsets
    """int64 (P,)"""
    positives: Offsets
    """int64 (P,)"""
    negatives: Offsets
    """int64 (P,), `NO_TEXT` where there is none."""
    sources: npt.NDArray[np.int32]
    """int32 (P,): number of the source."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """All that is learned from."""

    texts: UnitTexts
    targets: Targets
    """float16 (M, E), unit length, of the first M <= N texts; the others have no teacher."""
    pairs: TrainingPairs | None = None


def neighbour_order(targets: Tensor, *, group_size: int, rng: np.random.Generator) -> Offsets:
    """An order of texts in which each consecutive group holds near neighbours.

    A random projection tree: halved again and again by the direction between two random members.
    What does not fill a group is left out, other texts each time.

    Args:
        targets: float16 or float32 (N, E), on the device that is to do the work.
        group_size: texts of a group.
        rng: decides everything that is random.

    Returns:
        int64 (M,), M <= N a multiple of `group_size`; groups stand in random order.
    """
    depth = max(int(math.log2(max(len(targets) / group_size, 1))), 0)
    leaf = len(targets) >> depth
    chosen = rng.permutation(len(targets))[: leaf << depth].reshape(1, -1)
    order = torch.from_numpy(chosen).to(targets.device)
    for _ in range(depth):
        if order.shape[1] % 2:
            order = order[:, :-1]
        segments, size = order.shape
        drawn = torch.from_numpy(rng.integers(0, size, (segments, 2))).to(targets.device)
        ends = targets[order.gather(1, drawn)].float()  # (segments, 2, E)
        sides = _products(targets, order, ends[:, 0] - ends[:, 1])
        ranked = order.gather(1, sides.sort(dim=1, stable=True).indices)
        order = ranked.reshape(segments * 2, size // 2)
    groups = order[:, : order.shape[1] // group_size * group_size].reshape(-1, group_size)
    return groups.cpu().numpy()[rng.permutation(len(groups))].reshape(-1)


def _products(targets: Tensor, order: Tensor, directions: Tensor) -> Tensor:
    """Product of every member (S, n) of a segment with the segment's direction (S, E)."""
    segments, size = order.shape
    products = torch.empty(order.shape, device=targets.device)
    several = max(PRODUCTS_AT_ONCE // size, 1)
    for first in range(0, segments, several):
        of = slice(first, first + several)
        for start in range(0, size, PRODUCTS_AT_ONCE):
            at = slice(start, start + PRODUCTS_AT_ONCE)
            members = targets[order[of, at]].float()  # (several, n, E)
            products[of, at] = torch.bmm(members, directions[of, :, None])[:, :, 0]
    return products


def text_batches(
    targets: Tensor, *, batch_size: int, group_size: int, seed: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Batches without end; the same seed gives the same ones."""
    for epoch in itertools.count():
        rng = np.random.default_rng((seed, epoch))
        order = neighbour_order(targets, group_size=group_size, rng=rng)
        size = min(batch_size, len(order))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]


def pair_batches(
    sources: npt.NDArray[np.int32], *, count: int, seed: int
) -> Iterator[npt.NDArray[np.int64]]:
    """Places of pairs, one source a batch, without end; every pair about equally often."""
    for epoch in itertools.count():
        rng = np.random.default_rng((seed, 1, epoch))
        batches: list[Offsets] = []
        for source in np.unique(sources):
            members = rng.permutation(np.flatnonzero(sources == source))
            size = min(count, len(members))
            ends = range(size, len(members) + 1, size)
            batches.extend(members[end - size : end] for end in ends)
        for at in rng.permutation(len(batches)):
            yield batches[at]


@dataclass(frozen=True, slots=True)
class Shown:
    """The part of a training set that a phase is shown."""

    data: TrainingSet
    texts: Offsets
    """int64: places of texts with a target."""
    pairs: Offsets
    """int64: places of pairs."""


def everything_of(data: TrainingSet) -> Shown:
    """All of it."""
    pairs = np.arange(len(data.pairs.anchors) if data.pairs is not None else 0)
    return Shown(data, np.arange(len(data.targets)), pairs)


def sentences_of(data: TrainingSet) -> Shown:
    """Texts of a sentence's length. Pairs were measured to add nothing here, and are left out."""
    units = np.diff(data.texts.text_offsets[: len(data.targets) + 1])
    is_sentence = (units >= SENTENCE_UNITS[0]) & (units <= SENTENCE_UNITS[1])
    return Shown(data, np.flatnonzero(is_sentence), np.empty(0, np.int64))


def shown_batches(
    shown: Shown,
    train: TrainConfig,
    *,
    sizes: tuple[int, int],
    seed: int,
    device: str = "cpu",
) -> Iterator[tuple[Offsets, Offsets | None]]:
    """Texts and pairs of each step, without end.

    Args:
        shown: what there is.
        train: group size, and whether there are pairs at all.
        sizes: texts and pairs of a step.
        seed: the same seed gives the same batches.
        device: where neighbours are looked for.
    """
    targets = torch.from_numpy(shown.data.targets[shown.texts]).to(device)
    texts = text_batches(targets, batch_size=sizes[0], group_size=train.group_size, seed=seed)
    pairs: Iterator[Offsets | None] = itertools.repeat(None)
    if shown.data.pairs is not None and len(shown.pairs) and train.pair_weight > 0:
        sources = shown.data.pairs.sources[shown.pairs]
        chosen = pair_batches(sources, count=sizes[1], seed=seed)
        pairs = (shown.pairs[batch] for batch in chosen)
    for batch, of_pairs in zip(texts, pairs, strict=False):
        yield shown.texts[batch], of_pairs


def as_groups(names: Sequence[str]) -> npt.NDArray[np.int32]:
    """Numbers for names, equal names alike, int32 (P,)."""
    _, numbers = np.unique(np.asarray(names), return_inverse=True)
    return numbers.astype(np.int32)
