"""Other things that the levels could be trained on, to be measured against the frozen codes of what follows.

Each changes one idea of `level_loss.py` and nothing else; none of them is shipped.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.codes import Codes
from model.level_loss import LevelLoss, LevelLosses

LEAST_DEVIATION = 1.0
"""Of every number of a protected table over all characters, in units of what numbers of random directions have."""
SPREAD_WEIGHT, OVERLAP_WEIGHT = 1.0, 0.04
"""As VICReg (Bardes and others 2022) weighs variance and covariance: 25 to 1."""


class Comparison(LevelLoss):
    """Frozen codes are compared with one another, but how near one comes does not count."""

    def _distance(self, level: int, said: Tensor, codes: Tensor) -> Tensor:
        return 0 * super()._distance(level, said, codes)


class Regression(LevelLoss):
    """How near a code comes counts alone; comparing only settles how likenesses make a distribution."""

    def _contrast(self, level: int, said: Tensor, table: Tensor, place: Tensor) -> Tensor:
        return super()._contrast(level, said.detach(), table.detach(), place)


class LearnedTable(LevelLoss):
    """On the lowest level codes that are learned with the rest."""

    def __init__(self, codes: Sequence[Codes], alphabet: int) -> None:
        super().__init__(codes, alphabet)
        width = codes[0].width
        self.learned = nn.Parameter(torch.randn(alphabet, width) * width**-0.5)

    def table(self) -> Tensor:
        """What the lowest level predicts of every character, (V, D)."""
        return self.learned


class Softmax(LearnedTable, Comparison):
    """On the lowest level the usual: a distribution over characters, by a table that is learned."""


class Unprotected(LearnedTable, Regression):
    """On the lowest level codes that learn as well, and may all become one."""


class Regularised(Unprotected):
    """Codes that learn, kept apart by their variances and covariances."""

    def _distance(self, level: int, said: Tensor, codes: Tensor) -> Tensor:
        found = super()._distance(level, said, codes)
        return found if level else found + spread_loss(self.learned)


class NextCharacter(LevelLoss):
    """Every level predicts the code of the one next character, however many its own blocks have."""

    def _of_level(self, level: int, predicted: Tensor, ids: Tensor) -> LevelLosses:
        chars = 2**level
        following = ids[:, chars::chars].reshape(-1)
        said = predicted[:, :-1].reshape(len(following), -1).float()
        table = self.table()
        distance = self._distance(level, said, table[following])
        scores = said @ table.T * self.scales[level].exp() + self.bias
        return LevelLosses(distance, functional.cross_entropy(scores, following))


def spread_loss(table: Tensor) -> Tensor:
    """VICReg's terms of a table (V, D): numbers that vary too little, and those that vary together."""
    scaled = table * table.shape[1] ** 0.5
    centred = scaled - scaled.mean(dim=0)
    deviations = (centred.square().mean(dim=0) + 1e-4).sqrt()
    spread = functional.relu(LEAST_DEVIATION - deviations).mean()
    overlap = centred.T @ centred / len(table)
    together = overlap.square().sum() - overlap.diagonal().square().sum()
    loss: Tensor = SPREAD_WEIGHT * spread + OVERLAP_WEIGHT * together / table.shape[1]
    return loss
