"""Rows rounded while they are trained, so that they learn to be stored in four bits.

The forward pass sees what `quantize.py` will store; the gradient passes as if nothing had been
rounded (the straight-through estimate of Bengio, Leonard and Courville 2013).

Shapes: R rows, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from model.quantize import LARGEST, LARGEST_DEVIATION, LEVELS, MIDDLES

_LEVELS = torch.from_numpy(LEVELS).float()
_MIDDLES = torch.from_numpy(MIDDLES)
_LEAST_SIZE = 1e-12


def as_stored(rows: Tensor) -> Tensor:
    """Rows (R, D) as they are after being stored in four bits, with the gradient of the rows."""
    with torch.no_grad():
        size = rows.square().mean(dim=1, keepdim=True).sqrt().clamp_min_(_LEAST_SIZE)
        codes = torch.bucketize(
            rows * (LARGEST / LARGEST_DEVIATION) / size, _MIDDLES.to(rows.device)
        )
        levels = _LEVELS.to(rows.device)[codes]
        products = (rows * levels).sum(dim=1, keepdim=True)
        scales = products / levels.square().sum(dim=1, keepdim=True)
        change = levels * scales - rows
    return rows + change
