"""The reader while it is trained: batches of exercises to updates, and a running mean of the weights.

Shapes: B rows, L places, S span lengths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.read_config import ReadPreset
from model.read_exercise import Exercise
from model.read_layout import lay_out_pairs, row_length
from model.read_network import ReadNetwork, RowTensors, span_loss
from model.read_words import WordBook

WARM_UP_STEPS = 100
LEAST_SHARE = 0.02
"""Of the learning rate, at the end."""
BETAS = 0.9, 0.98
LARGEST_GRADIENT = 1.0
YOUNG = 10
"""The running mean forgets faster while it is so young."""


class ReaderTrainer:
    """Network, optimiser and the mean of the weights."""

    def __init__(self, preset: ReadPreset, book: WordBook, *, parts: int) -> None:
        self.preset, self.book = preset, book
        torch.manual_seed(preset.train.seed)
        dropout = preset.train.dropout, preset.train.word_dropout
        self.network = ReadNetwork(preset.reader, dim=book.dim, parts=parts, dropout=dropout)
        self.mean = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=preset.train.learning_rate,
            betas=BETAS,
            weight_decay=preset.train.weight_decay,
        )
        self.step = 0

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        train = self.preset.train
        return train.first_steps + train.last_steps + train.again_steps

    def learning_share(self) -> float:
        """A short rise, then half a cosine; once more, lower, for the steps that come again."""
        train = self.preset.train
        at, of, peak = self.step, train.first_steps + train.last_steps, 1.0
        if at >= of:
            at, of, peak = at - of, train.again_steps, train.again_share
        rise = min(1.0, (at + 1) / WARM_UP_STEPS)
        fall = 0.5 * (1 + math.cos(math.pi * at / of))
        return peak * rise * (LEAST_SHARE + (1 - LEAST_SHARE) * fall)

    def take_step(self, exercises: Sequence[Exercise]) -> float:
        """One update; returns the loss in nats."""
        # What is left out in training depends on seed and step alone: a resumed run repeats it.
        torch.manual_seed(self.preset.train.seed * 1_000_003 + self.step)
        rows, right = self.lay_out(exercises)
        for group in self.optimizer.param_groups:
            group["lr"] = self.preset.train.learning_rate * self.learning_share()
        spans, none = self.network(rows)
        loss = span_loss(spans, none, right)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        memory = min(self.preset.train.average, (1 + self.step) / (YOUNG + self.step))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                self.mean[name].lerp_(value, 1 - memory)
        self.step += 1
        return round(float(loss.detach()), 6)

    def lay_out(self, exercises: Sequence[Exercise]) -> tuple[RowTensors, Tensor]:
        """Rows, and which spans are right, bool (B, L, S)."""
        pairs = [(exercise.question, exercise.passage) for exercise in exercises]
        length = max(row_length(pair) for pair in pairs)
        rows = lay_out_pairs(self.book, pairs, length)
        right = np.zeros((len(pairs), length, self.preset.reader.max_span_words), np.bool_)
        for row, exercise in enumerate(exercises):
            for first, last in exercise.answers:
                if last - first < right.shape[2]:
                    right[row, rows.firsts[row] + first, last - first] = True
        return RowTensors.of(rows), torch.from_numpy(right)

    def averaged(self) -> dict[str, npt.NDArray[np.float32]]:
        """The running mean of the weights."""
        return {name: np.asarray(value.numpy()) for name, value in self.mean.items()}

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "network": self.network.state_dict(),
            "mean": self.mean,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`."""
        self.network.load_state_dict(state["network"])
        self.mean = {name: value.clone() for name, value in state["mean"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])
