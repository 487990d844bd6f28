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

from model.batches import Targets, TrainingSet
from model.config import EncoderConfig, TrainConfig
from model.precision import fast_dtype
from model.rounding import as_stored
from model.row_adam import RowAdam
from model.step_batch import StepBatch, StepTexts
from model.transformer import Trunk

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
        self,
        encoder: EncoderConfig,
        train: TrainConfig,
        data: TrainingSet,
        *,
        row_count: int,
        device: str = "cpu",
    ) -> None:
        self.train, self.data = train, data
        self.device = torch.device(device)
        self.is_short = fast_dtype(self.device.type) == torch.bfloat16
        self.row_bits = encoder.row_bits
        generator = torch.Generator().manual_seed(train.seed)
        torch.manual_seed(train.seed)
        self.axes = main_axes(data.targets, encoder.dim, seed=train.seed).to(self.device)
        self.targets = torch.from_numpy(data.targets).to(self.device)
        table = torch.randn(row_count, encoder.dim, generator=generator) * INIT_STD
        share = np.bincount(data.texts.rows, minlength=row_count) / max(len(data.texts.rows), 1)
        log_weight = np.log(COMMON_FREQUENCY / (COMMON_FREQUENCY + share))
        self.table = RowAdam(table.to(self.device))
        self.log_weight = RowAdam(torch.from_numpy(log_weight.astype(np.float32)).to(self.device))
        self.map = nn.Parameter(torch.eye(encoder.dim, device=self.device))
        self.map_optimizer = torch.optim.Adam([self.map], lr=MAP_LEARNING_RATE)
        self.trunk: Trunk | None = None
        if encoder.trunk is not None:
            self.trunk = Trunk(encoder.trunk, encoder.dim).to(self.device)
        matrices = list(self.trunk.parameters()) if self.trunk is not None else [nn.Parameter()]
        self.trunk_optimizer = torch.optim.AdamW(
            matrices, lr=train.trunk_learning_rate, betas=TRUNK_BETAS, weight_decay=WEIGHT_DECAY
        )
        self.step = 0

    def compile(self) -> None:
        """Refine by generated code, where there is a compiler: a step takes two thirds of the time."""
        if self.trunk is not None and self.device.type == "cpu" and shutil.which("c++"):
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
    def window(self) -> int | None:
        """Units that see each other in the next step; None where it has no trunk."""
        return self.trunk.config.window if self.trunk is not None and self.is_joint else None

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

    def take_step(self, batch: StepBatch) -> dict[str, Tensor]:
        """One update.

        Args:
            batch: on any device; with windows where `window` is not None.

        Returns:
            The loss and its parts, those of the last exit, one number each.
        """
        batch = batch.to(self.device)
        table = self.table.values[batch.distinct].requires_grad_()
        weight = self.log_weight.values[batch.distinct].requires_grad_()
        rows = table * weight.exp()[:, None]
        if self.rounds_rows:
            rows = as_stored(rows @ self.map)
        targets = self.targets[batch.places].float()  # (B, E)
        parts = [self._teacher_loss(vectors, targets) for vectors in self._exits(rows, batch.texts)]
        loss = self.train.teacher_weight * self._over_exits([part["teacher"] for part in parts])
        shown = parts[-1]
        if batch.pairs is not None and batch.is_same is not None:
            count = len(batch.is_same)
            losses = [
                contrastive_loss(
                    vectors[:count],
                    vectors[count:],
                    self.train.temperature,
                    is_same=batch.is_same,
                )
                for vectors in self._exits(rows, batch.pairs)
            ]
            loss = loss + self.train.pair_weight * self._over_exits(losses)
            shown["pairs"] = losses[-1]
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
        self._apply(batch.distinct, table, weight)
        self.step += 1
        return {"loss": loss.detach(), **{name: value.detach() for name, value in shown.items()}}

    def _over_exits(self, losses: Sequence[Tensor]) -> Tensor:
        """The last exit's loss, and a share of the earlier ones'."""
        total = losses[-1]
        for loss in losses[:-1]:
            total = total + self.train.early_weight * loss
        return total

    def _exits(self, rows: Tensor, texts: StepTexts) -> list[Tensor]:
        """Unit vectors of all texts after the bag and after every layer, float32 (N, D) each."""
        sums = functional.embedding_bag(texts.rows, rows, texts.starts, mode="sum")
        bag = self._mapped(sums)  # (N, D) or, for the trunk, (U, D)
        if self.trunk is None or texts.windows is None:
            return [functional.normalize(bag, dim=1)]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.is_short):
            refined = [bag, *self.trunk(bag, texts.windows)]
        empty = bag.new_zeros(texts.count, bag.shape[1])
        return [
            functional.normalize(empty.index_add(0, texts.windows.owners, states.float()), dim=1)
            for states in refined
        ]

    def _mapped(self, sums: Tensor) -> Tensor:
        """Sums of rows through the map; rounded rows went through it before."""
        return sums if self.rounds_rows else sums @ self.map

    def _teacher_loss(self, vectors: Tensor, targets: Tensor) -> dict[str, Tensor]:
        train = self.train
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
        return np.asarray(rows.cpu().numpy(), dtype=np.float32)

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
    truth = torch.arange(len(anchors), device=scores.device)
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
