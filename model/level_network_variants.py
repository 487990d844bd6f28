"""Other blocks of the networks of levels, to be measured against the usual ones: places told otherwise.

Each changes one idea of `level_network.py`; none of them is shipped, and run time does not know them.

Shapes: B rows, L states of a level, C width of its states.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.level_network import FarBlock
from model.rotary import turns_of


class UnplacedBlock(FarBlock):
    """Does not know where anything stands: what was before is a bag."""

    def placed(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys as they are."""
        return q, k


class AbsoluteBlock(UnplacedBlock):
    """Told the place of each state from the beginning, by waves (Vaswani and others 2017)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, C) to (B, L, C)."""
        waves = torch.cat(turns_of(x.shape[1], x.shape[2], x.device), dim=-1)  # (L, 1, C)
        found: Tensor = super().forward(x + waves[:, 0])
        return found
