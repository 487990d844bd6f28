"""Adam for a table of which a step touches few rows.

Shapes: R table rows, U rows touched, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

SECOND_MOMENT = 0.99
FIRST_MOMENT = 0.9


class RowAdam:
    """Adam for the rows of a large table, of which a step touches few.

    The second moment is one number a row; rows that a step does not touch keep their moments.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.first = torch.zeros_like(values)
        self.second = torch.zeros(values.shape[0], device=values.device)
        self.steps = torch.zeros(values.shape[0], device=values.device)

    def update(self, rows: Tensor, gradient: Tensor, learning_rate: float) -> None:
        """Apply the gradient (U, D) of some rows, int64 (U,)."""
        steps = self.steps[rows] + 1
        squares = gradient.square().mean(dim=1) if gradient.dim() > 1 else gradient.square()
        second = self.second[rows].mul_(SECOND_MOMENT).add_(squares, alpha=1 - SECOND_MOMENT)
        first = self.first[rows].mul_(FIRST_MOMENT).add_(gradient, alpha=1 - FIRST_MOMENT)
        self.steps[rows], self.second[rows], self.first[rows] = steps, second, first
        size = (second / (1 - SECOND_MOMENT**steps)).sqrt_().add_(1e-12)
        size.mul_(1 - FIRST_MOMENT**steps)
        step = first / (size[:, None] if gradient.dim() > 1 else size)
        self.values.index_add_(0, rows, step, alpha=-learning_rate)

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on."""
        return {
            "values": self.values,
            "first": self.first,
            "second": self.second,
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over a `state`."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
