"""Muon (Jordan and others 2024): momentum, put to a matrix of which all singular values are about one.

torch has one too, which computes in bfloat16: on a processor that does not multiply it in hardware that takes ten times
as long as the training step itself. This one computes in float32, all matrices of a shape together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor

MOMENTUM = 0.95
ROUNDS = 5
"""Of the iteration that brings singular values to about one."""
_FACTORS = 3.4445, -4.7750, 2.0315
_LEAST_NORM = 1e-7


class Muon(torch.optim.Optimizer):
    """For weights that are matrices, and act on vectors; others are better left to Adam."""

    def __init__(self, params: Iterable[dict[str, Any]]) -> None:
        """Set up.

        Args:
            params: groups, each with `lr`: how far a matrix moves, in singular values.
        """
        super().__init__(params, {})

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            by_shape: defaultdict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for value in group["params"]:
                if value.grad is not None:
                    by_shape[value.shape].append((value, self._looked_ahead(value)))
            for (rows, columns), pairs in by_shape.items():
                moves = orthogonal(torch.stack([move for _, move in pairs]))
                size = max(1.0, rows / columns) ** 0.5
                for (value, _), move in zip(pairs, moves, strict=True):
                    value.add_(move, alpha=-group["lr"] * size)
        return None if closure is None else closure()

    def _looked_ahead(self, value: Tensor) -> Tensor:
        """Nesterov's: the gradient, and the momentum that it has just joined."""
        assert value.grad is not None
        state = self.state[value]
        if not state:
            state["momentum"] = torch.zeros_like(value)
        momentum: Tensor = state["momentum"].lerp_(value.grad, 1 - MOMENTUM)
        return value.grad.lerp(momentum, MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices (N, R, C) with the same singular vectors, and singular values of 0.7 to 1.2 (Newton and Schulz)."""
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + _LEAST_NORM)
    one, three, five = _FACTORS
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = one * x + (three * square + five * square @ square) @ x
    found: Tensor = x.mT if is_tall else x
    return found
