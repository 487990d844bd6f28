"""The reader while it is trained: batches to updates, and a running mean of the weights, all on one device."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.read_batches import ReadBatch
from model.read_config import ReadPreset
from model.read_network import ReadNetwork, span_loss

WARM_UP_STEPS = 100
LEAST_SHARE = 0.02
"""Of the learning rate, at the end."""
BETAS = 0.9, 0.98
LARGEST_GRADIENT = 1.0
YOUNG = 10
"""The running mean forgets faster while it is so young."""


class ReaderTrainer:
    """Network, optimiser and the mean of the weights."""

    def __init__(self, preset: ReadPreset, *, dim: int, parts: int, device: str = "cpu") -> None:
        self.preset, self.device = preset, torch.device(device)
        torch.manual_seed(preset.train.seed)
        dropout = preset.train.dropout, preset.train.word_dropout
        network = ReadNetwork(preset.reader, dim=dim, parts=parts, dropout=dropout)
        self.network = network.to(self.device)
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
        return train.made_steps + train.first_steps + train.last_steps + train.again_steps

    def learning_share(self) -> float:
        """A short rise, then half a cosine; once more, lower, for the steps that come again."""
        train = self.preset.train
        at, of, peak = self.step, self.total_steps - train.again_steps, 1.0
        if at >= of:
            at, of, peak = at - of, train.again_steps, train.again_share
        rise = min(1.0, (at + 1) / WARM_UP_STEPS)
        fall = 0.5 * (1 + math.cos(math.pi * at / of))
        return peak * rise * (LEAST_SHARE + (1 - LEAST_SHARE) * fall)

    def take_step(self, batch: ReadBatch) -> Tensor:
        """One update; returns the loss in nats, still on its device: to look at it is to wait for it."""
        # What is left out in training depends on seed and step alone: a resumed run repeats it.
        torch.manual_seed(self.preset.train.seed * 1_000_003 + self.step)
        batch = batch.to(self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.preset.train.learning_rate * self.learning_share()
        is_fast = self.device.type == "cuda"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=is_fast):
            states = self.network.states(batch.rows)
        spans, none = self.network.score(states.float(), batch.rows)
        loss = span_loss(spans, none, batch.right)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        memory = min(self.preset.train.average, (1 + self.step) / (YOUNG + self.step))
        with torch.no_grad():
            state = self.network.state_dict()
            torch._foreach_lerp_(list(self.mean.values()), list(state.values()), 1 - memory)
        self.step += 1
        return loss.detach()

    def averaged(self) -> dict[str, npt.NDArray[np.float32]]:
        """The running mean of the weights."""
        return {name: np.asarray(value.cpu().numpy()) for name, value in self.mean.items()}

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
        self.mean = {name: value.to(self.device).clone() for name, value in state["mean"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])
