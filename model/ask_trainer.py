"""The asker while it is trained: batches to updates, and a running mean of the weights.

Works on the processor or on one GPU, there in bfloat16 where that is exact enough.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from model.ask_batches import AskBatch, AskDrawer, AskSet, in_order
from model.ask_config import AskPreset
from model.ask_network import AskNetwork, question_loss
from model.averaged import AveragedTrainer, rise_and_fall

WARM_UP_STEPS = 200
SOURCE_UNTIL = 0.6
"""From this share of the training on, the characters of the sentence do not count."""


class AskTrainer(AveragedTrainer[AskNetwork]):
    """Network, optimiser and the mean of the weights, all on one device."""

    def __init__(self, preset: AskPreset, given: AskSet, *, device: str = "cpu") -> None:
        self.preset, train = preset, preset.train
        torch.manual_seed(train.seed)
        network = AskNetwork(preset.asker, dropout=train.dropout)
        matrices: list[Tensor] = []
        others: list[Tensor] = []
        for name, value in network.named_parameters():
            (matrices if _decays(name, value) else others).append(value)
        groups = [
            {"params": matrices, "lr": train.learning_rate, "weight_decay": train.weight_decay},
            {"params": others, "lr": train.learning_rate, "weight_decay": 0.0},
        ]
        super().__init__(network, groups, memory=train.average, seed=train.seed, device=device)
        self.drawer = AskDrawer(given, tokens=train.tokens, seed=train.seed)

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
        self.begin_step()
        self.network.train()
        share = rise_and_fall((self.step + 1) / WARM_UP_STEPS, progress)
        return self.update(self.loss(batch), share)

    def loss(self, batch: AskBatch) -> Tensor:
        """Mean loss of a batch in nats a character."""
        ids = torch.from_numpy(batch.ids).to(self.device, non_blocking=True)
        weights = torch.from_numpy(batch.weights).to(self.device, non_blocking=True)
        with self.fast:
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

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {**super().state(), "drawer": self.drawer.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`."""
        super().restore(state)
        self.drawer.restore(state["drawer"])


def _decays(name: str, value: Tensor) -> bool:
    return value.ndim == 2 and not name.endswith(("near", "characters"))
