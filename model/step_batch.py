"""The texts of one step as tensors: put together on the processor, used on any device.

Shapes: N texts, U units, F features, V distinct rows of a step, B texts with a target, P pairs, Q
hard negatives, W windows of L slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from model.batches import NO_TEXT, TrainingPairs, TrainingSet
from model.device import OnDevice
from model.unit_texts import Offsets, UnitTexts
from model.windows import pack

Given = tuple[Offsets, Offsets | None]
"""Places of the texts of a step, and of its pairs."""


@dataclass(frozen=True, slots=True)
class Windows(OnDevice):
    """Where the trunk finds the units: `windows.Packing` as tensors."""

    unit_of: Tensor
    """int64 (W * L,)"""
    piece_of: Tensor
    """int64 (W, L)"""
    slot_of: Tensor
    """int64 (U,)"""
    owners: Tensor
    """int64 (U,): the text of each unit."""


@dataclass(frozen=True, slots=True)
class StepTexts(OnDevice):
    """Texts as rows, to be summed by unit for the trunk, by text without one."""

    count: int
    """N"""
    rows: Tensor
    """int64 (F,), places among the distinct rows of the step."""
    starts: Tensor
    """int64 (U,) or, without windows, (N,): the first feature of each sum."""
    windows: Windows | None


@dataclass(frozen=True, slots=True)
class StepBatch(OnDevice):
    """All that one step sees."""

    distinct: Tensor
    """int64 (V,): rows of the table."""
    places: Tensor
    """int64 (B,): the texts with a target, for their targets."""
    texts: StepTexts
    pairs: StepTexts | None
    """P anchors, P positives, then Q hard negatives."""
    is_same: Tensor | None
    """bool (P, P + Q): which of the others are an anchor's positive once more."""


def make_step(data: TrainingSet, given: Given, *, window: int | None, pair_units: int) -> StepBatch:
    """Look up the rows of a step's texts.

    Args:
        data: what the places refer to.
        given: places of the texts, and of the pairs or None.
        window: of the trunk, or None where the step has none.
        pair_units: pairs with more units on the mean are left to the bag.
    """
    places, pairs = given
    batch = data.texts.take(places)
    pair_batch, is_same = None, None
    if pairs is not None and data.pairs is not None:
        chosen, is_same = _of_pairs(data.pairs, pairs)
        pair_batch = data.texts.take(chosen)
    of_pairs = np.empty(0, np.int32) if pair_batch is None else pair_batch.rows
    rows = np.concatenate((batch.rows, of_pairs))
    distinct, local = np.unique(rows, return_inverse=True)
    texts = _step_texts(batch, local[: len(batch.rows)], window)
    step_pairs = None
    if pair_batch is not None and pairs is not None:
        is_long = pair_batch.text_offsets[-1] > pair_units * len(pairs)
        step_pairs = _step_texts(pair_batch, local[len(batch.rows) :], None if is_long else window)
    return StepBatch(
        distinct=torch.from_numpy(distinct.astype(np.int64)),
        places=torch.from_numpy(places),
        texts=texts,
        pairs=step_pairs,
        is_same=None if is_same is None else torch.from_numpy(is_same),
    )


def _of_pairs(known: TrainingPairs, pairs: Offsets) -> tuple[Offsets, np.ndarray[Any, Any]]:
    """Anchors, then positives, then the hard negatives there are; and `StepBatch.is_same`."""
    positives, negatives = known.positives[pairs], known.negatives[pairs]
    others = np.concatenate((positives, negatives[negatives != NO_TEXT]))
    is_same = others == positives[:, None]
    np.fill_diagonal(is_same, val=False)
    return np.concatenate((known.anchors[pairs], others)), is_same


def _step_texts(batch: UnitTexts, local: Offsets, window: int | None) -> StepTexts:
    rows = torch.from_numpy(local)
    if window is None:
        starts = batch.unit_offsets[batch.text_offsets[:-1]]
        return StepTexts(len(batch), rows, torch.from_numpy(starts), None)
    windows = as_windows(batch.text_offsets, window)
    return StepTexts(len(batch), rows, torch.from_numpy(batch.unit_offsets[:-1]), windows)


def as_windows(text_offsets: Offsets, window: int) -> Windows:
    """Put the units of some texts, given by the first unit of each, int64 (N + 1,), into windows."""
    packing = pack(text_offsets, window)
    owners = np.repeat(np.arange(len(text_offsets) - 1), np.diff(text_offsets))
    return Windows(
        unit_of=torch.from_numpy(packing.unit_of.reshape(-1)),
        piece_of=torch.from_numpy(packing.piece_of),
        slot_of=torch.from_numpy(packing.slot_of),
        owners=torch.from_numpy(owners),
    )


class _Steps(Dataset[StepBatch]):
    """Steps by what is given for them."""

    def __init__(self, data: TrainingSet, window: int | None, pair_units: int) -> None:
        self._data, self._window, self._pair_units = data, window, pair_units

    def __getitem__(self, given: Given) -> StepBatch:
        return make_step(self._data, given, window=self._window, pair_units=self._pair_units)


def load_steps(
    data: TrainingSet,
    given: Iterable[Given],
    *,
    window: int | None,
    pair_units: int,
    workers: int,
    is_pinned: bool,
) -> Iterator[StepBatch]:
    """`make_step` of each, in order.

    Args:
        data: see `make_step`.
        given: see `make_step`; read ahead when there are workers.
        window: see `make_step`.
        pair_units: see `make_step`.
        workers: processes that work ahead; 0 for none.
        is_pinned: whether an accelerator fetches them.
    """
    loader: DataLoader[StepBatch] = DataLoader(
        _Steps(data, window, pair_units),
        sampler=given,
        batch_size=None,
        num_workers=workers,
        pin_memory=is_pinned,
    )
    yield from loader
