"""The asker while it is trained: batches to updates, and a running mean of the weights.

Works on the processor or on one GPU, there in bfloat16 where that is exact enough.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.ask_batches import AskBatch, AskDrawer, AskSet, in_order
from model.ask_config import AskPreset
from model.ask_network import AskNetwork, question_loss

WARM_UP_STEPS = 200
LEAST_SHARE = 0.02
"""Of the learning rate, at the end."""
BETAS = 0.9, 0.98
LARGEST_GRADIENT = 1.0
YOUNG = 10
"""The running mean forgets faster while it is so young."""
SOURCE_UNTIL = 0.6
"""From this share of the training on, the characters of the sentence do not count."""


class AskTrainer:
    """Network, optimiser and the mean of the weights, all on one device."""

    def __init__(self, preset: AskPreset, given: AskSet, *, device: str = "cpu") -> None:
        self.preset = preset
        self.device = torch.device(device)
        torch.manual_seed(preset.train.seed)
        network = AskNetwork(preset.asker, dropout=preset.train.dropout)
        self.network = network.to(self.device)
        self.mean = {name: value.clone() for name, value in self.network.state_dict().items()}
        matrices = [
            value for name, value in self.network.named_parameters() if _decays(name, value)
        ]
        others = [
            value for name, value in self.network.named_parameters() if not _decays(name, value)
        ]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": preset.train.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=preset.train.learning_rate,
            betas=BETAS,
            fused=self.device.type == "cuda",
        )
        self.drawer = AskDrawer(given, tokens=preset.train.tokens, seed=preset.train.seed)
        self.step = 0

    def take_step(self, progress: float) -> Tensor:
        """One update.

        Args:
            progress: share of the training that is done, 0 to 1: decides the learning rate and what is drawn.

        Returns:
            The loss in nats, still on its device: to look at it is to wait for it.
        """
        train = self.preset.train
        weight = train.source_weight * max(0.0, 1 - progress / SOURCE_UNTIL)
        batch = self.drawer.draw(progress, source_weight=weight)
        # What is left out in training depends on seed and step alone: a resumed run repeats it.
        torch.manual_seed(train.seed * 1_000_003 + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = train.learning_rate * self.learning_share(progress)
        self.network.train()
        loss = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        memory = min(train.average, (1 + self.step) / (YOUNG + self.step))
        with torch.no_grad():
            state = self.network.state_dict()
            torch._foreach_lerp_(list(self.mean.values()), list(state.values()), 1 - memory)
        self.step += 1
        return loss.detach()

    def learning_share(self, progress: float) -> float:
        """A short rise, then half a cosine."""
        rise = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        fall = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return rise * (LEAST_SHARE + (1 - LEAST_SHARE) * fall)

    def loss(self, batch: AskBatch) -> Tensor:
        """Mean loss of a batch in nats a character."""
        ids = torch.from_numpy(batch.ids).to(self.device, non_blocking=True)
        weights = torch.from_numpy(batch.weights).to(self.device, non_blocking=True)
        with torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"
        ):
            scores = self.network(ids)
        return question_loss(scores, ids, weights)

    def evaluate(self, given: AskSet) -> float:
        """Mean loss of the running mean's weights on the questions' characters, in nats."""
        network = AskNetwork(self.preset.asker, dropout=0.0).to(self.device)
        network.load_state_dict(self.mean)
        network.eval()
        own, self.network = self.network, network
        total = count = 0.0
        try:
            with torch.no_grad():
                for batch in in_order(given, self.preset.train.tokens):
                    weight = float(batch.weights.sum())
                    total += float(self.loss(batch)) * weight
                    count += weight
        finally:
            self.network = own
        return total / max(count, 1.0)

    def averaged(self) -> dict[str, npt.NDArray[np.float32]]:
        """The running mean of the weights."""
        return {name: np.asarray(value.cpu().numpy()) for name, value in self.mean.items()}

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "network": self.network.state_dict(),
            "mean": self.mean,
            "optimizer": self.optimizer.state_dict(),
            "drawer": self.drawer.state(),
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`."""
        self.network.load_state_dict(state["network"])
        self.mean = {name: value.to(self.device).clone() for name, value in state["mean"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.drawer.restore(state["drawer"])
        self.step = int(state["step"])


def _decays(name: str, value: Tensor) -> bool:
    return value.ndim == 2 and not name.endswith(("near", "characters"))
