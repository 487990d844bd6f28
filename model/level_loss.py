"""What the levels are trained on: to come near the code of what follows, and nearer to it than to other codes.

The codes are frozen (`codes.py`). A predicted vector's length is free: where many blocks may follow, the best
prediction is their mean, which is short. On the lowest level the likeness to all characters' codes, scaled, is a
distribution, whose entropy in bits is exact; above it a block is compared with others of the batch.

Shapes: B rows, T characters, L blocks of a level, V characters of the alphabet, D width of a level's codes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.codes import CodeKind, Codes

CODE_SIZE = 4.0
"""Length of what is to be predicted: codes of length one are learned far more slowly."""
COMPARED = 256
"""Blocks of a batch that each of them is compared with, on every level but the lowest."""


class FrozenCodes(nn.Module):
    """The codes of one level on a device; `Codes` by torch, without gradients."""

    def __init__(self, codes: Codes) -> None:
        super().__init__()
        self.chars, self.has_encoder = (
            codes.chars,
            codes.kind in (CodeKind.MIDDLE, CodeKind.AVERAGE),
        )
        for name in ("letters", "order", "mean", "inward"):
            self.register_buffer(name, torch.from_numpy(np.array(getattr(codes, name))))
        self.layers = len(codes.encoder)
        for at, weights in enumerate(codes.encoder):
            self.register_buffer(f"encoder{at}", torch.from_numpy(weights))

    @torch.no_grad()
    def forward(self, blocks: Tensor) -> Tensor:
        """Codes of length one of blocks, int64 (N, m) to float32 (N, D)."""
        letters, order = self.get_buffer("letters"), self.get_buffer("order")
        total = letters.new_zeros(len(blocks), letters.shape[1])
        for at in range(self.chars - 1, -1, -1):
            total = total[:, order] + letters[blocks[:, at]]
        if self.has_encoder:
            total = torch.cat((self._encoded(blocks), total), dim=1)
        codes = (total - self.get_buffer("mean")) @ self.get_buffer("inward")
        return functional.normalize(codes, dim=1)

    def _encoded(self, blocks: Tensor) -> Tensor:
        characters = self.get_buffer("encoder0")
        if self.layers == 1:
            return characters[blocks[:, 0]]
        x = characters[blocks]
        for at in range(1, self.layers, 2):
            left = functional.pad(x, (0, 0, 1, 0))[:, :-1]
            here, before = self.get_buffer(f"encoder{at}"), self.get_buffer(f"encoder{at + 1}")
            x = torch.tanh(x @ here + left @ before)
        return x.sum(dim=1)


@dataclass(frozen=True, slots=True)
class LevelLosses:
    """Of one level."""

    distance: Tensor
    """Mean squared distance from the code, where a code has length one."""
    contrast: Tensor
    """Mean of minus the log of the code's share among those it is compared with, nats."""


class LevelLoss(nn.Module):
    """Predictions of every level against the codes of what follows."""

    def __init__(self, codes: Sequence[Codes], alphabet: int) -> None:
        """Set up.

        Args:
            codes: of every level, of 1, 2, 4, ... characters.
            alphabet: V.
        """
        super().__init__()
        self.codes = nn.ModuleList(FrozenCodes(each) for each in codes)
        self.scales = nn.Parameter(torch.full((len(codes),), math.log(CODE_SIZE)))
        """Logs of what likenesses are multiplied by before they are compared."""
        self.bias = nn.Parameter(torch.zeros(alphabet))
        self.register_buffer("everything", torch.arange(alphabet)[:, None])

    def forward(self, predicted: Sequence[Tensor], ids: Tensor) -> list[LevelLosses]:
        """The losses by level.

        Args:
            predicted: by level (B, T / 2**l, D), see `LevelNetwork`.
            ids: int64 (B, T), what was read.
        """
        return [self._of_level(level, each, ids) for level, each in enumerate(predicted)]

    def scores(self, predicted: Tensor) -> Tensor:
        """Scores of every character from what the lowest level predicts, (..., D) to (..., V)."""
        scores: Tensor = predicted @ self.table().T * self.scales[0].exp() + self.bias
        return scores

    def table(self) -> Tensor:
        """What the lowest level predicts of every character, (V, D)."""
        found: Tensor = self.codes[0](self.get_buffer("everything"))
        return found

    def _of_level(self, level: int, predicted: Tensor, ids: Tensor) -> LevelLosses:
        following, said = self._pairs(level, predicted, ids)
        if level and len(following) > COMPARED:
            chosen = torch.randperm(len(following), device=following.device)[:COMPARED]
            following, said = following[chosen], said[chosen]
        if level == 0:
            table, place = self.table(), following[:, 0]
        else:
            blocks, place = torch.unique(following, dim=0, return_inverse=True)
            table = self.codes[level](blocks)
        return LevelLosses(
            self._distance(level, said, table[place]), self._contrast(level, said, table, place)
        )

    def _pairs(self, level: int, predicted: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Blocks that came, (N, m), and what was said of them before, (N, D)."""
        chars = 2**level
        following = ids.view(len(ids), -1, chars)[:, 1:].reshape(-1, chars)  # (B (L - 1), m)
        return following, predicted[:, :-1].reshape(len(following), -1).float()

    def _distance(self, level: int, said: Tensor, codes: Tensor) -> Tensor:
        """Mean squared distance of what was said (N, D) from what came, where that has length one."""
        del level  # the same on all of them
        return (said - CODE_SIZE * codes).square().sum(dim=1).mean() / CODE_SIZE**2

    def _contrast(self, level: int, said: Tensor, table: Tensor, place: Tensor) -> Tensor:
        """How much likelier what came (N,) is than the rest of the table, nats."""
        scores = said @ table.T * self.scales[level].exp()
        return functional.cross_entropy(scores if level else scores + self.bias, place)


def bits_per_character(losses: Sequence[LevelLosses]) -> float:
    """Exact entropy of the lowest level's distribution, in bits a character."""
    return float(losses[0].contrast.detach()) / math.log(2)
