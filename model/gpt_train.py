"""The baseline's training, as nanoGPT trains it: AdamW, a short rise and a cosine fall, random stretches of one text.

Which stretches a step sees depends on the seed and its number alone. A run cannot be gone on with.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.alphabet import Ids
from model.gpt import Gpt

BETAS = 0.9, 0.99
WEIGHT_DECAY = 0.1
"""Of matrices; norms and biases have none."""
LARGEST_GRADIENT = 1.0
_SEEDS = 1_000_003


@dataclass(frozen=True, slots=True)
class GptTrainConfig:
    """How a baseline is trained."""

    steps: int
    texts: int
    """Stretches of text a step."""
    learning_rate: float = 1e-3
    """Peak of the schedule."""
    least_rate: float = 1e-4
    """Where the schedule ends."""
    warm_up_steps: int = 100
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse a schedule that does not rise before it ends."""
        if min(self.steps, self.texts) < 1 or not 0 <= self.least_rate <= self.learning_rate:
            raise ValueError(f"settings of the training do not go together: {self}")
        if not 0 <= self.warm_up_steps < self.steps:
            raise ValueError(f"{self.warm_up_steps} of {self.steps} steps cannot be warm-up")

    @classmethod
    def cpu(cls, *, seed: int = 1) -> GptTrainConfig:
        """As nanoGPT's README trains on a processor."""
        return cls(steps=2000, texts=12, seed=seed)

    @classmethod
    def gpu(cls, *, seed: int = 1) -> GptTrainConfig:
        """As nanoGPT's `config/train_shakespeare_char.py` trains on an accelerator."""
        return cls(steps=5000, texts=64, seed=seed)


class GptStep(NamedTuple):
    """A step that was taken."""

    step: int
    """Its number, from 1."""
    loss_nats: float
    """Of its stretches, before the update."""
    seconds: float
    """Of all steps so far, without what the caller did between them."""


def learning_rate(step: int, train: GptTrainConfig) -> float:
    """Of a step, numbered from 0: a straight rise, then half a cosine down to the least."""
    if step < train.warm_up_steps:
        return train.learning_rate * (step + 1) / (train.warm_up_steps + 1)
    done = (step - train.warm_up_steps) / (train.steps - train.warm_up_steps)
    share = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return train.least_rate + share * (train.learning_rate - train.least_rate)


def take_steps(gpt: Gpt, train: GptTrainConfig, text: Ids) -> Iterator[GptStep]:
    """Train in place, on the device where the weights are; whoever stops asking stops the training.

    Args:
        gpt: with random weights. Between two steps it may be used (`eval`).
        train: settings.
        text: uint8 (N,).

    Raises:
        ValueError: the text is too short for one stretch.
    """
    if len(text) <= gpt.config.block_size:
        raise ValueError(f"no {gpt.config.block_size + 1} characters in a text of {len(text)}")
    device = gpt.characters.weight.device
    is_fast = device.type == "cuda"
    optimizer = _optimizer(gpt, train, fused=is_fast)
    seconds = 0.0
    for step in range(train.steps):
        began = time.perf_counter()
        gpt.train()
        torch.manual_seed(train.seed * _SEEDS + step)  # of what is left out
        rows = torch.from_numpy(stretches(gpt, train, text, step)).to(device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_fast):
            scores = gpt(rows[:, :-1])
        loss = functional.cross_entropy(scores.flatten(0, 1).float(), rows[:, 1:].flatten())
        _update(gpt, optimizer, loss, learning_rate(step, train))
        loss_nats = float(loss.detach())
        seconds += time.perf_counter() - began
        yield GptStep(step + 1, loss_nats, seconds)


def stretches(gpt: Gpt, train: GptTrainConfig, text: Ids, step: int) -> npt.NDArray[np.int64]:
    """What a step sees: int64 (texts, block_size + 1), the last character of each only to be predicted."""
    rng = np.random.default_rng((train.seed, step))
    starts = rng.integers(0, len(text) - gpt.config.block_size, train.texts)
    rows: Ids = text[starts[:, None] + np.arange(gpt.config.block_size + 1)]
    return rows.astype(np.int64)


def _optimizer(gpt: Gpt, train: GptTrainConfig, *, fused: bool) -> torch.optim.Optimizer:
    weights = list(gpt.parameters())
    groups = [
        {"params": [each for each in weights if each.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [each for each in weights if each.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=train.learning_rate, betas=BETAS, fused=fused)


def _update(gpt: Gpt, optimizer: torch.optim.Optimizer, loss: Tensor, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
    nn.utils.clip_grad_norm_(gpt.parameters(), LARGEST_GRADIENT)
    optimizer.step()
