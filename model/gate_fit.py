"""Fit the gate between network and experience on text that was kept out of training.

Half of the steps see a text whose experience begins with nothing, the other half one that follows much other text: the
gate is to know both.

Shapes: T characters, K lengths, F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from model.alphabet import Ids
from model.checkpoint import Arrays
from model.experience import LENGTHS, Experience
from model.gate import GATE, HIDDEN, feature_count, features, is_known, shares
from model.predict import LanguageModel

STEPS, BATCH = 800, 8_000
LEARNING_RATE = 0.01


class GateNetwork(nn.Module):
    """What `Gate` computes, while it is fitted."""

    def __init__(self, lengths: int) -> None:
        super().__init__()
        self.inward = nn.Linear(feature_count(lengths), HIDDEN)
        self.outward = nn.Linear(HIDDEN, 1 + lengths)

    def forward(self, seen: Tensor, known: Tensor, shares: Tensor) -> Tensor:
        """Mean of minus the logs of mixed shares, nats, of (T, F), (T, K) and (T, 1 + K)."""
        heard = self.outward(nn.functional.silu(self.inward(seen)))
        known = nn.functional.pad(known, (1, 0), value=True)
        heard = heard.masked_fill(~known, -torch.inf).softmax(dim=1)
        mixed: Tensor = (heard * shares).sum(dim=1).clamp_min(1e-12)
        return -mixed.log().mean()


def fit_gate(model: LanguageModel, text: Ids, earlier: Ids, *, seed: int = 1) -> Arrays:
    """Fit a gate.

    Args:
        model: whose distributions it mixes.
        text: uint8 (T,), not trained on.
        earlier: other text, that may have been read before it.
        seed: of its first weights and of the order of steps.

    Returns:
        The arrays of `Gate`.
    """
    logs = model.logs_of(text)
    cases = [_case(logs, text, before) for before in (earlier[:0], earlier)]
    torch.manual_seed(seed)
    network = GateNetwork(len(LENGTHS))
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    rng = np.random.default_rng(seed)
    for step in range(STEPS):
        case = cases[step % len(cases)]
        chosen = torch.from_numpy(rng.integers(0, len(logs), BATCH))
        optimizer.zero_grad()
        network(*(part[chosen] for part in case)).backward()
        optimizer.step()
        schedule.step()
    return {GATE + name: value.numpy() for name, value in network.state_dict().items()}


def _case(logs: np.ndarray, text: Ids, earlier: Ids) -> Sequence[Tensor]:
    experience = Experience()
    experience.learn(earlier)
    traces = [each.part(1, len(text)) for each in experience.look(text)]
    found = features(logs, traces), is_known(traces), shares(logs, text[1:], traces)
    return [
        torch.from_numpy(found[0]),
        torch.from_numpy(found[1]),
        torch.from_numpy(found[2]).float(),
    ]
