"""A network while it is trained: what an update is, and a running mean of the weights, all on one device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from model.muon import Muon

BETAS = 0.9, 0.98
LARGEST_GRADIENT = 1.0
YOUNG = 10
"""The running mean forgets faster while it is so young."""
LEAST_SHARE = 0.02
"""Of the learning rate, at the end."""
_SEEDS = 1_000_003

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def rise_and_fall(rise: float, done: float) -> float:
    """Share of the peak learning rate: a straight rise, then half a cosine.

    Args:
        rise: share of the rise that is done; more than 1 is 1.
        done: share of all steps, 0 to 1.
    """
    fall = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return min(1.0, rise) * (LEAST_SHARE + (1 - LEAST_SHARE) * fall)


class AveragedTrainer(Generic[NetworkT]):
    """Network, AdamW, for some matrices Muon, and the mean of the weights."""

    def __init__(
        self,
        network: NetworkT,
        groups: Sequence[dict[str, Any]],
        *,
        memory: float,
        seed: int,
        device: str,
        matrices: dict[str, Any] | None = None,
    ) -> None:
        """Set up.

        Args:
            network: with random weights; it is moved to the device.
            groups: of parameters, each with `lr`, the peak of its learning rate, and `weight_decay`.
            memory: of the running mean, 0 to 1.
            seed: of what is left out in training.
            device: as torch names it.
            matrices: a group that Muon moves, with `lr`, the peak of its learning rate.
        """
        self.device = torch.device(device)
        self.network = network.to(self.device)
        self.mean = {name: value.clone() for name, value in self.network.state_dict().items()}
        groups = [{**group, "peak": group["lr"]} for group in groups]
        fused = self.device.type == "cuda"
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, betas=BETAS, fused=fused)
        ]
        if matrices is not None:
            self.optimizers.append(Muon([{**matrices, "peak": matrices["lr"]}]))
        self.memory, self.seed = memory, seed
        self.step = 0

    @property
    def fast(self) -> torch.autocast:
        """To compute in: bfloat16 on an accelerator, what it was given elsewhere."""
        is_fast = self.device.type == "cuda"
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=is_fast)

    def begin_step(self) -> None:
        """What is left out in training depends on seed and step alone: a resumed run repeats it."""
        torch.manual_seed(self.seed * _SEEDS + self.step)

    def update(self, loss: Tensor, share: float) -> Tensor:
        """One update, with a share of each peak learning rate.

        Returns:
            The loss, still on its device: to look at it is to wait for it.
        """
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * share
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward without types
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        for optimizer in self.optimizers:
            optimizer.step()
        memory = min(self.memory, (1 + self.step) / (YOUNG + self.step))
        with torch.no_grad():
            pairs = [
                (mean, value)
                for mean, value in zip(
                    self.mean.values(), self.network.state_dict().values(), strict=True
                )
                if mean.is_floating_point()
            ]
            torch._foreach_lerp_([mean for mean, _ in pairs], [v for _, v in pairs], 1 - memory)
        self.step += 1
        return loss.detach()

    def settle(self) -> None:
        """Take the mean weights for good, and leave nothing out any more."""
        self.network.load_state_dict(self.mean)
        self.network.eval()

    def averaged(self) -> dict[str, npt.NDArray[np.float32]]:
        """The running mean of the weights."""
        return {name: np.asarray(value.cpu().numpy()) for name, value in self.mean.items()}

    def state(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {
            "network": self.network.state_dict(),
            "mean": self.mean,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a `state`."""
        self.network.load_state_dict(state["network"])
        self.mean = {name: value.to(self.device).clone() for name, value in state["mean"].items()}
        for optimizer, found in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(found)
        self.step = int(state["step"])
