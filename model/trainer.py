"""The encoder while it is trained: hashed rows, a linear map and a trunk, by one loss at each exit.

A unit's vector is the weighted sum of its rows through a linear map; a text's vector is the sum of
its units', refined by the trunk or not. The loss asks for the teacher's direction (cosine), for the
teacher's similarities within a batch, and for pairs that belong together to be nearer to each other
than to the rest (contrastive). It is taken after the bag and after every layer, so that a pass may
stop at any of them.

Shapes: N texts of a batch, B of them from the teacher, P pairs, U units, R table rows, D width, E
the targets' width.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.batches import NO_TEXT, Offsets, Targets, TrainingSet, UnitTexts
from model.config import EncoderConfig, TrainConfig
from model.rounding import as_stored
from model.row_adam import RowAdam
from model.transformer import Trunk, owners_of

INIT_STD = 0.02
COMMON_FREQUENCY = 1e-3
"""Smooth inverse frequency (Arora et al. 2017): at this share of all a feature starts at half."""
MAP_LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.01
TRUNK_BETAS = 0.9, 0.999
"""A long memory: what the trunk can still mend in a text is small beside what it cannot."""
WARM_UP_STEPS = 50
FEW_BITS = 4


class EncoderTrainer:
    """The model while it is trained."""

    def __init__(
        self, encoder: EncoderConfig, train: TrainConfig, data: TrainingSet, *, row_count: int
    ) -> None:
        self.train, self.data = train, data
        self.row_bits = encoder.row_bits
        generator = torch.Generator().manual_seed(train.seed)
        torch.manual_seed(train.seed)
        self.axes = main_axes(data.targets, encoder.dim, seed=train.seed)
        table = torch.randn(row_count, encoder.dim, generator=generator) * INIT_STD
        share = np.bincount(data.texts.rows, minlength=row_count) / max(len(data.texts.rows), 1)
        log_weight = np.log(COMMON_FREQUENCY / (COMMON_FREQUENCY + share))
        self.table = RowAdam(table)
        self.log_weight = RowAdam(torch.from_numpy(log_weight.astype(np.float32)))
        self.map = nn.Parameter(torch.eye(encoder.dim))
        self.map_optimizer = torch.optim.Adam([self.map], lr=MAP_LEARNING_RATE)
        self.trunk = Trunk(encoder.trunk, encoder.dim) if encoder.trunk is not None else None
        matrices = list(self.trunk.parameters()) if self.trunk is not None else [nn.Parameter()]
        self.trunk_optimizer = torch.optim.AdamW(
            matrices, lr=train.trunk_learning_rate, betas=TRUNK_BETAS, weight_decay=WEIGHT_DECAY
        )
        self.step = 0

    def compile(self) -> None:
        """Refine by generated code, where there is a compiler: a step takes two thirds of the time."""
        if self.trunk is not None and shutil.which("c++"):
            self.trunk.compile()

    @property
    def phases(self) -> tuple[int, int, int]:
        """Steps of each phase."""
        return self.train.bag_steps, self.train.joint_steps, self.train.sentence_steps

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return sum(self.phases)

    @property
    def phase(self) -> int:
        """The phase that the next step belongs to."""
        ends = np.cumsum(self.phases)
        return min(int(np.searchsorted(ends, self.step, side="right")), len(ends) - 1)

    @property
    def is_joint(self) -> bool:
        """Whether the next step trains the trunk too."""
        return self.phase > 0

    @property
    def rounds_rows(self) -> bool:
        """Whether the next step sees rows as they will be stored; eight bits lose nothing."""
        left = self.total_steps - self.step
        return left <= self.train.rounded_steps and self.row_bits == FEW_BITS

    def learning_share(self) -> float:
        """Cosine decay from one to zero, once for each phase, with a short warm-up."""
        done = self.step - sum(self.phases[: self.phase])
        of = self.phases[self.phase]
        return min(1.0, (done + 1) / WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * done / of))

    def take_step(self, texts: Offsets, pairs: Offsets | None) -> dict[str, float]:
        """One update.

        Args:
            texts: int64 (B,), texts with a target.
            pairs: int64 (P,), places of pairs of one source, or None for none.

        Returns:
            The loss and its parts, those of the last exit.
        """
        batch = self.data.texts.take(texts)
        pair_batch, is_same = self._pair_texts(pairs)
        touched, local = torch.unique(_all_rows(batch, pair_batch), return_inverse=True)
        table = self.table.values[touched].requires_grad_()
        weight = self.log_weight.values[touched].requires_grad_()
        rows = table * weight.exp()[:, None]
        if self.rounds_rows:
            rows = as_stored(rows @ self.map)
        of_batch, of_pairs = local.split([len(batch.rows), len(local) - len(batch.rows)])
        parts = [
            self._teacher_loss(vectors, texts)
            for vectors in self._exits(rows, of_batch, batch, has_trunk=self.is_joint)
        ]
        loss = self.train.teacher_weight * self._over_exits([part["teacher"] for part in parts])
        shown = parts[-1]
        if pair_batch is not None and pairs is not None:
            has_trunk = (
                self.is_joint and _mean_units(pair_batch, len(pairs)) <= self.train.pair_units
            )
            losses = [
                contrastive_loss(
                    vectors[: len(pairs)],
                    vectors[len(pairs) :],
                    self.train.temperature,
                    is_same=is_same,
                )
                for vectors in self._exits(rows, of_pairs, pair_batch, has_trunk=has_trunk)
            ]
            loss = loss + self.train.pair_weight * self._over_exits(losses)
            shown["pairs"] = losses[-1]
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
        self._apply(touched, table, weight)
        self.step += 1
        return {"loss": float(loss.detach()), **{n: float(v.detach()) for n, v in shown.items()}}

    def _pair_texts(self, pairs: Offsets | None) -> tuple[UnitTexts | None, Tensor | None]:
        """Anchors, then positives, then the hard negatives there are.

        Besides, which of the others are each anchor's positive once more, bool (P, P + Q).
        """
        known = self.data.pairs
        if known is None or pairs is None:
            return None, None
        positives, negatives = known.positives[pairs], known.negatives[pairs]
        others = np.concatenate((positives, negatives[negatives != NO_TEXT]))
        texts = self.data.texts.take(np.concatenate((known.anchors[pairs], others)))
        is_same = others == positives[:, None]
        np.fill_diagonal(is_same, val=False)
        return texts, torch.from_numpy(is_same)

    def _over_exits(self, losses: Sequence[Tensor]) -> Tensor:
        """The last exit's loss, and a share of the earlier ones'."""
        total = losses[-1]
        for loss in losses[:-1]:
            total = total + self.train.early_weight * loss
        return total

    def _exits(
        self, rows: Tensor, local: Tensor, batch: UnitTexts, *, has_trunk: bool
    ) -> list[Tensor]:
        """Unit vectors of all texts after the bag and after every layer, float32 (N, D) each."""
        if self.trunk is None or not has_trunk:
            starts = torch.from_numpy(batch.unit_offsets[batch.text_offsets[:-1]])
            sums = functional.embedding_bag(local, rows, starts, mode="sum")  # (N, D)
            return [functional.normalize(self._mapped(sums), dim=1)]
        starts = torch.from_numpy(batch.unit_offsets[:-1])
        units = self._mapped(functional.embedding_bag(local, rows, starts, mode="sum"))  # (U, D)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            refined = [units, *self.trunk(units, batch.text_offsets)]
        owners = owners_of(batch.text_offsets)
        empty = units.new_zeros(len(batch), units.shape[1])
        return [
            functional.normalize(empty.index_add(0, owners, states.float()), dim=1)
            for states in refined
        ]

    def _mapped(self, sums: Tensor) -> Tensor:
        """Sums of rows through the map; rounded rows went through it before."""
        return sums if self.rounds_rows else sums @ self.map

    def _teacher_loss(self, vectors: Tensor, texts: Offsets) -> dict[str, Tensor]:
        train = self.train
        targets = torch.from_numpy(self.data.targets[texts].astype(np.float32))  # (B, E)
        cosine = 1 - (vectors * (targets @ self.axes.T)).sum(dim=1).mean()
        gaps = (vectors @ vectors.T - targets @ targets.T).square()  # (B, B)
        similarity, near = gaps.mean(), _group_mean(gaps, train.group_size)
        loss = cosine + train.similarity_weight * similarity + train.near_weight * near
        return {"teacher": loss, "cosine": cosine, "similarity": similarity, "near": near}

    def _apply(self, touched: Tensor, table: Tensor, weight: Tensor) -> None:
        assert table.grad is not None
        assert weight.grad is not None
        train, share = self.train, self.learning_share()
        joint = train.joint_learning_rate
        rate = share * (train.learning_rate, joint, joint / 2)[self.phase]
        self.table.update(touched, table.grad, rate)
        self.log_weight.update(touched, weight.grad, rate)
        self.map_optimizer.param_groups[0]["lr"] = MAP_LEARNING_RATE * rate / train.learning_rate
        self.map_optimizer.step()
        self.map_optimizer.zero_grad()
        if self.trunk is not None and self.is_joint:
            nn.utils.clip_grad_norm_(self.trunk.parameters(), 1.0)
            self.trunk_optimizer.param_groups[0]["lr"] = train.trunk_learning_rate * share
            self.trunk_optimizer.step()
            self.trunk_optimizer.zero_grad()

    def fused_rows(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The table with weights and map multiplied in, float32 (R, D)."""
        with torch.no_grad():
            rows = (self.table.values * self.log_weight.values.exp()[:, None]) @ self.map
        return np.asarray(rows.numpy(), dtype=np.float32)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "table": self.table.state(),
            "log_weight": self.log_weight.state(),
            "map": self.map.detach(),
            "map_optimizer": self.map_optimizer.state_dict(),
            "trunk": self.trunk.state_dict() if self.trunk is not None else {},
            "trunk_optimizer": self.trunk_optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`."""
        self.table.restore(state["table"])
        self.log_weight.restore(state["log_weight"])
        with torch.no_grad():
            self.map.copy_(state["map"])
        self.map_optimizer.load_state_dict(state["map_optimizer"])
        if self.trunk is not None:
            self.trunk.load_state_dict(state["trunk"])
        self.trunk_optimizer.load_state_dict(state["trunk_optimizer"])
        self.step = int(state["step"])


def _all_rows(batch: UnitTexts, pairs: UnitTexts | None) -> Tensor:
    """Rows of both batches, one after the other, int64."""
    rows = batch.rows if pairs is None else np.concatenate((batch.rows, pairs.rows))
    return torch.from_numpy(rows.astype(np.int64))


def _mean_units(batch: UnitTexts, pairs: int) -> float:
    return float(batch.text_offsets[-1]) / pairs


def contrastive_loss(
    anchors: Tensor, others: Tensor, temperature: float, *, is_same: Tensor | None = None
) -> Tensor:
    """Cross entropy of finding each anchor's positive, and each positive's anchor.

    Args:
        anchors: unit vectors (P, D).
        others: unit vectors (P + Q, D): the positives in the same order, then Q hard negatives.
        temperature: divides the similarities.
        is_same: bool (P, P + Q), true where one of the others is the anchor's positive once more,
            in another's place; such are neither right nor wrong.
    """
    scores = anchors @ others.T / temperature  # (P, P + Q)
    if is_same is not None:
        scores = scores.masked_fill(is_same, -torch.inf)
    truth = torch.arange(len(anchors))
    forth = functional.cross_entropy(scores, truth)
    back = functional.cross_entropy(scores[:, : len(anchors)].T, truth)
    return (forth + back) / 2


def _group_mean(gaps: Tensor, size: int) -> Tensor:
    """Mean over the pairs within consecutive groups of a batch, a text with itself left out."""
    count = gaps.shape[0] // size
    if count == 0 or size < 2:
        return gaps.new_zeros(())
    blocks = gaps[: count * size, : count * size].view(count, size, count, size)
    inner = blocks.diagonal(dim1=0, dim2=2)  # (size, size, count)
    # The diagonal is zero up to rounding: it adds nothing to the sum.
    return inner.sum() / (count * size * (size - 1))


def main_axes(targets: Targets, dim: int, *, seed: int) -> Tensor:
    """The first `dim` principal axes of a sample of the targets, float32 (D, E)."""
    chosen = np.random.default_rng(seed).permutation(len(targets))[:20_000]
    sample = targets[chosen].astype(np.float32)
    _, axes = np.linalg.eigh(sample.T @ sample)
    return torch.from_numpy(np.ascontiguousarray(axes[:, ::-1][:, :dim].T))
