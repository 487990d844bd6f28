"""AdamW whose moments live in a file: memory holds only the pages in use (QLoRA's paged optimiser, on a CPU).

The file `moments.live` is worked on and means nothing to a later run. `save` copies it to
`moments-STEP.bin`, with `moments-STEP.json` to check it by, and keeps the one saved before as well:
whichever of the two a run's own saved weights go with, the run can go on from there.

Shapes: N values in all parameters.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
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
        """Start with moments of 0; `restore` goes on from those of an earlier run.

        Args:
            groups: as torch has them: each with `params`, and any of `DEFAULTS` that it has its own
                word on. `lr` may be changed in `param_groups` between steps.
            folder: of this run alone; made if it is missing. It takes 8 bytes a value, and twice
                that for what is saved.

        Raises:
            ValueError: there is no parameter, or one is given twice, is not float32 or not on a CPU.
            ModelError: the file cannot be written.
        """
        self.param_groups = [
            {**DEFAULTS, **group, "params": list(group["params"])} for group in groups
        ]
        parameters = [value for group in self.param_groups for value in group["params"]]
        _check(parameters)
        self.step_count = 0
        self._sizes = [value.numel() for value in parameters]
        self._starts = [0, *itertools.accumulate(self._sizes)][:-1]
        self._steps = [0] * len(parameters)
        self._saved_steps: list[int] = []
        self._folder = folder
        self._moments = self._new_file()

    def _new_file(self) -> Moments:
        path, count = self._folder / LIVE, 2 * sum(self._sizes)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # one that is still mapped keeps its own
            with path.open("wb") as file:
                # Written out: a file with holes would find the disk full in the middle of a step.
                for at in range(0, count, SLICE):
                    file.write(bytes(4 * min(SLICE, count - at)))
            return np.memmap(path, np.float32, "r+", shape=(2, count // 2))
        except OSError as exc:
            raise ModelError(f"cannot write the moments to {path}: {exc}") from exc

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
        self.step_count += 1

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

    def save(self) -> None:
        """Keep the moments of this step; save what else the run goes on from after this.

        Raises:
            ModelError: they cannot be written; those saved before are still there.
        """
        if self.step_count in self._saved_steps:
            return
        values, about = self._saved(self.step_count)
        draft = values.with_suffix(".draft")
        try:
            self._moments.flush()
            shutil.copyfile(self._folder / LIVE, draft)
            digest = _digest(draft, self._sizes, self._steps)
            draft.replace(values)
            record = {"sizes": self._sizes, "steps": self._steps, "sha256": digest}
            draft.write_text(json.dumps(record) + "\n", encoding="utf8")
            draft.replace(about)
            self._saved_steps = [*self._saved_steps[-1:], self.step_count]
            kept = {path for step in self._saved_steps for path in self._saved(step)}
            for path in set(self._folder.glob("moments-*")) - kept:
                path.unlink()
        except OSError as exc:
            raise ModelError(f"cannot write the moments to {values}: {exc}") from exc

    def restore(self, step: int) -> None:
        """Go back to the moments that were saved after so many steps.

        Raises:
            ModelError: they are missing, damaged, too short or of other parameters; the message
                names the file, and the moments are as they were.
        """
        values, about = self._saved(step)
        try:
            saved = json.loads(about.read_text(encoding="utf8"))
            steps, sizes, digest = saved["steps"], saved["sizes"], saved["sha256"]
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise ModelError(f"cannot read the saved moments {about}: {exc}") from exc
        if sizes != self._sizes:
            raise ModelError(f"the moments {about} are of other parameters")
        try:
            if _digest(values, sizes, steps) != digest:
                raise ModelError(
                    f"the saved moments {values} are damaged or too short, or not those of {about.name}"
                )
            self._moments[:] = np.memmap(values, np.float32, "r", shape=self._moments.shape)
        except OSError as exc:
            raise ModelError(f"cannot read the saved moments {values}: {exc}") from exc
        self._steps, self.step_count, self._saved_steps = steps, step, [step]

    def _saved(self, step: int) -> tuple[Path, Path]:
        path = self._folder / f"moments-{step}.bin"
        return path, path.with_suffix(".json")


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


def _digest(path: Path, sizes: list[int], steps: list[int]) -> str:
    start = json.dumps([sizes, steps]).encode()
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha256(start)).hexdigest()
