"""AdamW whose moments live in a file: memory holds only the pages in use (QLoRA's paged optimiser, on a CPU).

The file means nothing to a later run, which begins with moments of 0.

Shapes: N values in all parameters.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.errors import ModelError

LIVE = "moments.live"
SLICE = 1 << 20
"""Values that are updated at once: what an update needs beside moments and weights."""
DEFAULTS: dict[str, Any] = {
    "lr": 1e-3,
    "betas": (0.9, 0.999),
    "eps": 1e-8,
    "weight_decay": 1e-2,
}
"""Those of `torch.optim.AdamW`."""

# First and second moments, (2, N).
Moments = np.memmap[tuple[int, int], np.dtype[np.float32]]


class MappedAdam:
    """Takes the steps of `torch.optim.AdamW`, to rounding, for parameters on a CPU."""

    def __init__(self, groups: Sequence[dict[str, Any]], folder: Path) -> None:
        """Start with moments of 0.

        Args:
            groups: as torch has them: each with `params`, and any of `DEFAULTS` that it has its own
                word on. `lr` may be changed in `param_groups` between steps.
            folder: of this run alone; made if it is missing. The file takes 8 bytes a value.

        Raises:
            ValueError: there is no parameter, or one is given twice, is not float32 or not on a CPU.
            ModelError: the file cannot be written.
        """
        self.param_groups = [
            {**DEFAULTS, **group, "params": list(group["params"])} for group in groups
        ]
        parameters = [value for group in self.param_groups for value in group["params"]]
        _check(parameters)
        *self._starts, size = itertools.accumulate((v.numel() for v in parameters), initial=0)
        self._steps = [0] * len(parameters)
        self._moments = _new_file(folder, size)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for value in group["params"]:
                value.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every parameter that has a gradient; the others keep weights and moments."""
        places = enumerate(self._starts)
        for group in self.param_groups:
            for value in group["params"]:
                at, start = next(places)
                if value.grad is not None:
                    self._steps[at] += 1
                    self._update(value, value.grad, start, step=self._steps[at], group=group)

    def _update(
        self, value: Tensor, gradient: Tensor, start: int, *, step: int, group: dict[str, Any]
    ) -> None:
        rate, (beta1, beta2) = group["lr"], group["betas"]
        step_size = rate / (1 - beta1**step)
        correction = (1 - beta2**step) ** 0.5
        weights, slopes = value.view(-1), gradient.reshape(-1)
        for at in range(0, len(weights), SLICE):
            weight, slope = weights[at : at + SLICE], slopes[at : at + SLICE]
            here = slice(start + at, start + at + len(weight))
            first, second = (torch.from_numpy(moment[here]) for moment in self._moments)
            weight.mul_(1 - rate * group["weight_decay"])
            first.lerp_(slope, 1 - beta1)
            second.mul_(beta2).addcmul_(slope, slope, value=1 - beta2)
            size = (second.sqrt() / correction).add_(group["eps"])
            weight.addcdiv_(first, size, value=-step_size)


def _new_file(folder: Path, size: int) -> Moments:
    path, count = folder / LIVE, 2 * size
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # one that is still mapped keeps its own
        with path.open("wb") as file:
            # Written out: a file with holes would find the disk full in the middle of a step.
            for at in range(0, count, SLICE):
                file.write(bytes(4 * min(SLICE, count - at)))
        return np.memmap(path, np.float32, "r+", shape=(2, size))
    except OSError as exc:
        raise ModelError(f"cannot write the moments to {path}: {exc}") from exc


def _check(parameters: Sequence[Tensor]) -> None:
    if not parameters:
        raise ValueError("there is no parameter to train")
    if len({id(value) for value in parameters}) < len(parameters):
        raise ValueError("a parameter is given twice")
    for value in parameters:
        if value.dtype != torch.float32 or value.device.type != "cpu":
            raise ValueError(f"a parameter is {value.dtype} on {value.device}, not float32 on cpu")
        if not value.is_contiguous():
            raise ValueError("a parameter does not lie in one piece")
