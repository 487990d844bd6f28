"""Other networks of levels, to be measured against the usual one: places told otherwise, and levels of whole words.

Each changes one idea of `level_network.py`; none of them is shipped, and run time does not know them.

Shapes: B rows, T characters, L states of a level, C width of its states, H heads, D = C / H, U words of the row that
has most of them, rounded up to whole states of the highest level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from model.codes import Codes
from model.level_config import LevelConfig
from model.level_loss import LevelLoss
from model.level_network import FarBlock, LevelNetwork, at_latest
from model.rotary import turns_of

Bools = npt.NDArray[np.bool_]


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


@dataclass(frozen=True, slots=True)
class Words:
    """Words of texts, each with the one mark or blank that ends it: only then is it known to be complete."""

    first: Tensor
    """int64 (B, U), places of their first characters; of words that there are not, any place."""
    last: Tensor
    """int64 (B, U), of their last characters."""
    complete: Tensor
    """int64 (B, T), how many are complete at each character."""

    @classmethod
    def of(cls, ids: Tensor, is_letter: Tensor, *, step: int) -> Words:
        """Of texts, int64 (B, T); U is a multiple of the step."""
        T = ids.shape[1]
        letters = is_letter[ids]
        ends = functional.pad(letters[:, :-1] & ~letters[:, 1:], (1, 0))
        complete = ends.long().cumsum(dim=1)
        most = -(-max(int(complete.max()), 1) // step) * step
        row, place = ends.nonzero(as_tuple=True)
        last = ids.new_full((len(ids), most), T - 1)
        last[row, complete[row, place] - 1] = place
        first = functional.pad(last[:, :-1] + 1, (1, 0)).clamp(max=T - 1)
        return cls(first, last, complete)

    def ends(self, level: int) -> tuple[Tensor, Tensor]:
        """Places (B, L) where states of a level from 1 on are complete, and whether they are."""
        step = 2 ** (level - 1)
        last = self.last[:, step - 1 :: step]
        counts = torch.arange(step, self.last.shape[1] + 1, step, device=last.device)
        return last, counts <= self.complete[:, -1:]


class WordLevels(LevelNetwork):
    """Level 1 has a state for every word, higher ones for 2, 4, ... of them; as many weights as usual."""

    def __init__(
        self,
        config: LevelConfig,
        *,
        is_letter: Bools,
        dropout: float = 0.0,
        unit_dropout: float = 0.0,
    ) -> None:
        """Set up with random weights; `is_letter` tells of every id of the alphabet whether words consist of it."""
        super().__init__(config, dropout=dropout, unit_dropout=unit_dropout)
        self.register_buffer("is_letter", torch.from_numpy(is_letter), persistent=False)

    def forward(self, ids: Tensor, units: Tensor | None = None) -> list[Tensor]:
        """Predict on every level; see `LevelNetwork.forward`.

        Returns:
            By level (B, L, code width): what a state's place says of what follows it. States of words that there are
            not, at the end of a row, say anything.
        """
        words = Words.of(ids, self.get_buffer("is_letter"), step=2 ** (self.config.levels - 2))
        low = self.up[0](self._embedded(ids, units))
        ends = torch.cat((_gathered(low, words.first), _gathered(low, words.last)), dim=2)
        states = [low, self.up[1](self.pools[0](ends))]
        for pool, blocks in zip(list(self.pools)[1:], list(self.up)[2:], strict=True):
            B, L, C = states[-1].shape
            states.append(blocks(pool(states[-1].reshape(B, L // 2, 2 * C))))
        for level in range(self.config.levels - 2, 0, -1):
            states[level] = states[level] + at_latest(self.told[level](states[level + 1]))
        heard = functional.pad(self.told[0](states[1]), (0, 0, 1, 0))  # before the first: nothing
        states[0] = low + _gathered(heard, words.complete)
        return self._said(states)


class WordLoss(LevelLoss):
    """States of words predict the code of the next 2, 4, 8 characters, wherever these end."""

    def __init__(self, codes: Sequence[Codes], alphabet: int, *, is_letter: Bools) -> None:
        super().__init__(codes, alphabet)
        self.register_buffer("is_letter", torch.from_numpy(is_letter), persistent=False)

    def _pairs(self, level: int, predicted: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
        if level == 0:
            return super()._pairs(level, predicted, ids)
        step = 2 ** (len(self.codes) - 2)
        ends, is_there = Words.of(ids, self.get_buffer("is_letter"), step=step).ends(level)
        chars = torch.arange(1, 2**level + 1, device=ids.device)
        row, at = (is_there & (ends + 2**level < ids.shape[1])).nonzero(as_tuple=True)
        following = ids[row[:, None], ends[row, at][:, None] + chars]  # (N, m)
        return following, predicted[row, at].float()


def _gathered(states: Tensor, places: Tensor) -> Tensor:
    """States (B, L, C) at places (B, N), (B, N, C)."""
    return states.gather(1, places[..., None].expand(-1, -1, states.shape[2]))
