"""A reader, and its teacher, while they are trained: batches to updates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.averaged import AveragedTrainer, NetworkT, rise_and_fall
from model.read_batches import ReadBatch
from model.read_config import ReadPreset, ReadTrainConfig
from model.read_network import ReadNetwork
from model.read_teacher import TeacherNetwork
from model.span_head import span_loss, told_loss

WARM_UP_STEPS = 100
HEAD_FASTER = 10
"""The teacher's encoder knows its trade: its head, which does not, learns so many times as fast."""


class _Trainer(AveragedTrainer[NetworkT], ABC):
    """What both have in common: steps in two rises of the learning rate."""

    def __init__(
        self, network: NetworkT, groups: list[dict[str, Any]], train: ReadTrainConfig, device: str
    ) -> None:
        self.train = train
        super().__init__(network, groups, memory=train.average, seed=train.seed, device=device)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        train = self.train
        before = train.made_steps + train.first_steps + train.people_steps + train.told_steps
        return before + train.last_steps + train.again_steps

    def learning_share(self) -> float:
        """A short rise, then half a cosine; once more, lower, for the steps that come again."""
        at, of, peak = self.step, self.total_steps - self.train.again_steps, 1.0
        if at >= of:
            at, of, peak = at - of, self.train.again_steps, self.train.again_share
        return peak * rise_and_fall((at + 1) / WARM_UP_STEPS, at / of)

    def take_step(self, batch: ReadBatch) -> Tensor:
        """One update; returns the loss in nats, still on its device: to look at it is to wait for it."""
        self.begin_step()
        return self.update(self.loss(batch.to(self.device)), self.learning_share())

    def loss(self, batch: ReadBatch) -> Tensor:
        """Minus the log of what the right spans get, mean of a batch that is on the device."""
        return span_loss(*self.scores(batch), batch.right)

    @abstractmethod
    def scores(self, batch: ReadBatch) -> tuple[Tensor, Tensor]:
        """Scores of a batch that is on the device, see `SpanHead.score`."""


class TeacherTrainer(_Trainer[TeacherNetwork]):
    """A teacher that learns from right answers."""

    def __init__(self, preset: ReadPreset, train: ReadTrainConfig, *, device: str = "cpu") -> None:
        torch.manual_seed(train.seed)
        network = TeacherNetwork(preset.reader, dropout=train.dropout).train()
        encoder = list(network.encoder.parameters())
        known = {id(value) for value in encoder}
        head = [value for value in network.parameters() if id(value) not in known]
        rate, decay = train.learning_rate, train.weight_decay
        groups = [
            {"params": encoder, "lr": rate, "weight_decay": decay},
            {"params": head, "lr": HEAD_FASTER * rate, "weight_decay": decay},
        ]
        super().__init__(network, groups, train, device)

    def scores(self, batch: ReadBatch) -> tuple[Tensor, Tensor]:
        """Scores of a batch that is on the device, see `SpanHead.score`."""
        assert batch.pieces is not None
        with self.fast:
            states = self.network.states(batch.pieces)
        return self.network.score(states.float(), batch.rows.sides)


class Told(Protocol):
    """What a reader needs of a teacher."""

    def scores(self, batch: ReadBatch) -> tuple[Tensor, Tensor]:
        """Scores of a batch that is on the device, see `SpanHead.score`."""
        ...


class ReaderTrainer(_Trainer[ReadNetwork]):
    """A reader that learns from right answers, or from what a teacher says."""

    def __init__(
        self,
        preset: ReadPreset,
        vectors: npt.NDArray[np.float32],
        *,
        parts: int,
        teacher: Told | None = None,
        device: str = "cpu",
    ) -> None:
        """Set up with random weights.

        Args:
            preset: the reader and its training.
            vectors: float32 (V, D), of the book's words.
            parts: parts of speech, the unknown one counted.
            teacher: settled; without one the right answers are learned from.
            device: as torch names it.
        """
        train = preset.train
        torch.manual_seed(train.seed)
        dropout = train.dropout, train.word_dropout
        network = ReadNetwork(preset.reader, dim=vectors.shape[1], parts=parts, dropout=dropout)
        group = {
            "params": list(network.parameters()),
            "lr": train.learning_rate,
            "weight_decay": train.weight_decay,
        }
        super().__init__(network, [group], train, device)
        self._vectors = torch.from_numpy(vectors).to(self.device)
        self._teacher = teacher

    def loss(self, batch: ReadBatch) -> Tensor:
        """How far it is from the right answers, or from the teacher."""
        if self._teacher is None:
            return super().loss(batch)
        with torch.no_grad():
            told = self._teacher.scores(batch)
        return told_loss(*self.scores(batch), *told)

    def scores(self, batch: ReadBatch) -> tuple[Tensor, Tensor]:
        """Scores of a batch that is on the device, see `SpanHead.score`."""
        with self.fast:
            states = self.network.states(batch.rows, self._vectors)
        return self.network.score(states.float(), batch.rows.sides)
