"""The encoder while it is trained: a bag of hashed rows, regressed on a teacher's vectors.

The vector of a text is the weighted sum of its rows through a linear map. The loss asks for the
teacher's direction (cosine) and for the teacher's similarities within a batch; batches are made of
groups of near neighbours, because texts that have nothing in common teach little about degrees of
likeness.

Shapes: N texts, B texts of a batch, F features, R table rows, U rows met in a batch, D width, E
the targets' width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import TrainConfig
from model.embed import FloatArray

INIT_STD = 0.02
COMMON_FREQUENCY = 1e-3
"""Smooth inverse frequency (Arora et al. 2017): at this share of all a feature starts at half."""
MAP_LEARNING_RATE = 2e-3
SECOND_MOMENT = 0.99
FIRST_MOMENT = 0.9


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Texts as rows, with their targets."""

    rows: npt.NDArray[np.int32]
    """int32 (F,)"""
    offsets: npt.NDArray[np.int64]
    """int64 (N + 1,)"""
    targets: npt.NDArray[np.float16]
    """float16 (N, E), unit length."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def batch(self, texts: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, starts and targets of some texts: int64 (F,), int64 (B,), float32 (B, E)."""
        begins, counts = self.offsets[texts], np.diff(self.offsets)[texts]
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        positions = np.arange(counts.sum()) + np.repeat(begins - starts, counts)
        rows = torch.from_numpy(self.rows[positions].astype(np.int64))
        targets = torch.from_numpy(self.targets[texts].astype(np.float32))
        return rows, torch.from_numpy(starts), targets


class RowAdam:
    """Adam for the rows of a large table, of which a step touches few.

    The second moment is one number a row; rows that a step does not touch keep their moments.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.first = torch.zeros_like(values)
        self.second = torch.zeros(values.shape[0])
        self.steps = torch.zeros(values.shape[0])

    def update(self, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """Apply the gradient (U, D) of some rows, int64 (U,)."""
        steps = self.steps[rows] + 1
        squares = gradient.square().mean(dim=1) if gradient.dim() > 1 else gradient.square()
        second = self.second[rows].mul_(SECOND_MOMENT).add_(squares, alpha=1 - SECOND_MOMENT)
        first = self.first[rows].mul_(FIRST_MOMENT).add_(gradient, alpha=1 - FIRST_MOMENT)
        self.steps[rows], self.second[rows], self.first[rows] = steps, second, first
        size = (second / (1 - SECOND_MOMENT**steps)).sqrt_().add_(1e-12)
        size.mul_(1 - FIRST_MOMENT**steps)
        step = first / (size[:, None] if gradient.dim() > 1 else size)
        self.values.index_add_(0, rows, step, alpha=-learning_rate)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on."""
        return {
            "values": self.values,
            "first": self.first,
            "second": self.second,
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state`."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


class BagTrainer:
    """The model while it is trained."""

    def __init__(self, train: TrainConfig, data: TrainingSet, *, row_count: int, dim: int) -> None:
        self.train, self.data = train, data
        generator = torch.Generator().manual_seed(train.seed)
        table = torch.randn(row_count, dim, generator=generator) * INIT_STD
        share = np.bincount(data.rows, minlength=row_count) / max(len(data.rows), 1)
        log_weight = np.log(COMMON_FREQUENCY / (COMMON_FREQUENCY + share))
        self.table = RowAdam(table)
        self.log_weight = RowAdam(torch.from_numpy(log_weight.astype(np.float32)))
        self.map = nn.Parameter(_main_axes(data.targets, dim, seed=train.seed))
        self.map_optimizer = torch.optim.Adam([self.map], lr=MAP_LEARNING_RATE)
        self.step = 0

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self.train.epochs * max(len(self.data) // self.train.batch_size, 1)

    def learning_share(self) -> float:
        """Cosine decay from one to zero, with a short warm-up."""
        progress = self.step / self.total_steps
        return min(1.0, (self.step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * progress))

    def take_step(self, texts: npt.NDArray[np.int64]) -> dict[str, float]:
        """One update; returns the loss and its parts."""
        rows, starts, targets = self.data.batch(texts)
        touched, local = torch.unique(rows, return_inverse=True)
        table = self.table.values[touched].requires_grad_()
        weight = self.log_weight.values[touched].requires_grad_()
        sums = functional.embedding_bag(
            local, table * weight.exp()[:, None], starts, mode="sum"
        )  # (B, D)
        vectors = functional.normalize(sums @ self.map, dim=1)  # (B, E)
        cosine = 1 - (vectors * targets).sum(dim=1).mean()
        gaps = (vectors @ vectors.T - targets @ targets.T).square()  # (B, B)
        similarity = gaps.mean()
        near = _group_mean(gaps, self.train.group_size)
        loss = cosine + self.train.similarity_weight * similarity + self.train.near_weight * near
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
        share = self.learning_share()
        self._apply(touched, table, weight, share)
        self.step += 1
        return {
            "loss": float(loss.detach()),
            "cosine": float(cosine.detach()),
            "similarity": float(similarity.detach()),
            "near": float(near.detach()),
        }

    def _apply(self, touched: Tensor, table: Tensor, weight: Tensor, share: float) -> None:
        assert table.grad is not None
        assert weight.grad is not None
        rate = self.train.learning_rate * share
        self.table.update(touched, table.grad, rate)
        self.log_weight.update(touched, weight.grad, rate)
        self.map_optimizer.param_groups[0]["lr"] = MAP_LEARNING_RATE * share
        self.map_optimizer.step()
        self.map_optimizer.zero_grad()

    def fused_rows(self) -> FloatArray:
        """The table with weights and map multiplied in, turned back to width D.

        The map's own axes are an orthonormal basis of its image: similarities stay as they were.
        """
        with torch.no_grad():
            _, triangle = torch.linalg.qr(self.map.T)  # map.T = basis @ triangle
            rows = (self.table.values * self.log_weight.values.exp()[:, None]) @ triangle.T
        return np.asarray(rows.numpy(), dtype=np.float32)

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "table": self.table.state(),
            "log_weight": self.log_weight.state(),
            "map": self.map.detach(),
            "optimizer": self.map_optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`."""
        self.table.restore(state["table"])
        self.log_weight.restore(state["log_weight"])
        with torch.no_grad():
            self.map.copy_(state["map"])
        self.map_optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])


def _group_mean(gaps: Tensor, size: int) -> Tensor:
    """Mean over the pairs within consecutive groups of a batch, a text with itself left out."""
    count = gaps.shape[0] // size
    if count == 0 or size < 2:
        return gaps.new_zeros(())
    blocks = gaps[: count * size, : count * size].view(count, size, count, size)
    inner = blocks.diagonal(dim1=0, dim2=2)  # (size, size, count)
    # The diagonal is zero up to rounding: it adds nothing to the sum.
    return inner.sum() / (count * size * (size - 1))


def _main_axes(targets: npt.NDArray[np.float16], dim: int, *, seed: int) -> Tensor:
    """The first `dim` principal axes of a sample of the targets, float32 (D, E)."""
    chosen = np.random.default_rng(seed).permutation(len(targets))[:20_000]
    sample = targets[chosen].astype(np.float32)
    _, axes = np.linalg.eigh(sample.T @ sample)
    return torch.from_numpy(np.ascontiguousarray(axes[:, ::-1][:, :dim].T))


def neighbour_order(
    targets: npt.NDArray[np.float16], *, group_size: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """An order of texts in which each consecutive group holds near neighbours.

    A random projection tree: halved again and again by the direction between two random members.
    What does not fill a group is left out, other texts each time.

    Returns:
        int64 (M,), M <= N a multiple of `group_size`; groups stand in random order.
    """
    depth = max(int(math.log2(max(len(targets) / group_size, 1))), 0)
    leaf = len(targets) >> depth
    order = rng.permutation(len(targets))[: leaf << depth].reshape(1, -1)
    for _ in range(depth):
        if order.shape[1] % 2:
            order = order[:, :-1]
        segments, size = order.shape
        ends = order[np.arange(segments)[:, None], rng.integers(0, size, (segments, 2))]
        directions = targets[ends[:, 0]].astype(np.float32) - targets[ends[:, 1]]
        sides = np.empty(order.shape, dtype=np.float32)
        for at in range(segments):
            sides[at] = targets[order[at]].astype(np.float32) @ directions[at]
        ranked = np.take_along_axis(order, np.argpartition(sides, size // 2, axis=1), axis=1)
        order = ranked.reshape(segments * 2, size // 2)
    groups = order[:, : order.shape[1] // group_size * group_size].reshape(-1, group_size)
    return groups[rng.permutation(len(groups))].reshape(-1)


def batches(data: TrainingSet, train: TrainConfig, epoch: int) -> Iterator[npt.NDArray[np.int64]]:
    """Batches of one epoch; the same seed and epoch give the same batches."""
    rng = np.random.default_rng((train.seed, epoch))
    order = neighbour_order(data.targets, group_size=train.group_size, rng=rng)
    size = min(train.batch_size, len(order))
    for start in range(0, len(order) - size + 1, size):
        yield order[start : start + size]
