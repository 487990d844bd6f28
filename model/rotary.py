"""Rotary positions (Su et al. 2021): heads are turned by their places, so that products know distances alone.

Shapes: B rows, L places, H heads, D width of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor

ROTARY_BASE = 10_000.0

Turns = tuple[Tensor, Tensor]
"""Cosine and sine of every place's angles, (L, 1, D / 2)."""


def turns_of(length: int, width: int, device: torch.device) -> Turns:
    """The turns of so many places, for heads of a width."""
    exponents = torch.arange(0, width, 2, dtype=torch.float32, device=device) / width
    places = torch.arange(length, dtype=torch.float32, device=device)
    angles = places[:, None] * ROTARY_BASE**-exponents
    return angles.cos()[:, None], angles.sin()[:, None]


def turned(x: Tensor, turns: Turns) -> Tensor:
    """Heads (B, L, H, D), turned by their places."""
    left, right = x.chunk(2, dim=-1)
    cos, sin = (part.to(x.dtype) for part in turns)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)
