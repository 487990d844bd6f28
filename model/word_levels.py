"""Levels of words: level 1 of the language model has a state for every word, higher ones for 2, 4, ... of them.

As many weights as where levels have states of 2, 4, 8 characters (`level_network.py`), and fewer states. What a level
predicts stays the code of the next 2, 4, 8 characters, here after the mark or blank that ends the last of its words.
Run time reads them by `level_forward.py`.

Shapes: B rows, T characters, L states of a level, C width of its states, U words of the row that has most of them,
rounded up to whole states of the highest level, N pairs of what was said and what came, m characters of a block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from model.alphabet import Alphabet
from model.codes import Codes
from model.level_config import LevelConfig, LevelsOf
from model.level_loss import LevelLoss, LevelLosses
from model.level_network import LevelNetwork, at_latest
from model.unit_hash import letters_of

Bools = npt.NDArray[np.bool_]
NetworkMaker = Callable[..., LevelNetwork]
"""From settings, `dropout` and `unit_dropout`."""
LossMaker = Callable[[Sequence[Codes], int], LevelLoss]
"""From codes and the size of the alphabet."""


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

    levels_of = LevelsOf.WORDS

    def __init__(
        self,
        config: LevelConfig,
        *,
        is_letter: Bools,
        dropout: float = 0.0,
        unit_dropout: float = 0.0,
    ) -> None:
        """Set up with random weights.

        Args:
            config: sizes.
            is_letter: bool (V,), of every id of the alphabet whether words consist of it.
            dropout: see `LevelNetwork`, as is the other one.
            unit_dropout: of larger units.
        """
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
        """Set up; see `LevelLoss` and `WordLevels`."""
        super().__init__(codes, alphabet)
        self.register_buffer("is_letter", torch.from_numpy(is_letter), persistent=False)

    def _of_level(self, level: int, predicted: Tensor, ids: Tensor) -> LevelLosses:
        """A level that has no word to predict after loses nothing."""
        if level and not len(self._pairs(level, predicted, ids)[0]):
            nothing = 0 * predicted.sum()
            return LevelLosses(nothing, nothing)
        return super()._of_level(level, predicted, ids)

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


def network_maker(levels: LevelConfig, alphabet: Alphabet) -> NetworkMaker:
    """Makes networks of such levels."""
    if levels.levels_of is LevelsOf.WORDS:
        return partial(WordLevels, is_letter=letters_of(alphabet))
    return LevelNetwork


def loss_maker(levels: LevelConfig, alphabet: Alphabet) -> LossMaker:
    """Makes what such levels are trained on."""
    if levels.levels_of is LevelsOf.WORDS:
        return partial(WordLoss, is_letter=letters_of(alphabet))
    return LevelLoss
