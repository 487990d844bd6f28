"""Other blocks of the networks of levels: places told otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.alphabet import Alphabet
from model.level_config import LevelConfig
from model.level_network import FarBlock, LevelNetwork
from model.level_network_variants import AbsoluteBlock, UnplacedBlock

TEXT = (
    "The king, my lord. He said 'no more' and so they went to bed at ten; all was well in the end. "
)
ALPHABET = Alphabet.of([TEXT])
CONFIG = LevelConfig(ALPHABET.size, (16, 32, 32), (1, 1, 2), (20, 24, 24), head_width=16, reach=2)


def some_ids(rows: int = 2) -> torch.Tensor:
    whole = torch.from_numpy(ALPHABET.ids(TEXT * 2).astype(np.int64))
    return torch.stack([whole[at : at + 72] for at in range(0, 9 * rows, 9)])


# ------------------------------------------------------------------------------------------------------ places
def outputs(kind: type[FarBlock], x: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(2)
    with torch.no_grad():
        found: torch.Tensor = kind(32, 16)(x)
    return found[0]


def test_only_absolute_places_tell_equal_states_apart() -> None:
    same = torch.randn(1, 1, 32).expand(1, 12, 32)
    for kind, differs in ((FarBlock, False), (UnplacedBlock, False), (AbsoluteBlock, True)):
        found = outputs(kind, same)
        assert bool((found - found[0]).abs().max() > 1e-3) is differs


def test_without_places_what_was_before_has_no_order() -> None:
    torch.manual_seed(3)
    x = torch.randn(1, 12, 32)
    other = torch.cat((x[:, :11].flip(1), x[:, 11:]), dim=1)
    for kind, differs in ((FarBlock, True), (UnplacedBlock, False), (AbsoluteBlock, True)):
        change = (outputs(kind, x)[-1] - outputs(kind, other)[-1]).abs().max()
        assert bool(change > 1e-3) is differs


def test_turned_heads_know_distances_alone() -> None:
    torch.manual_seed(4)
    q, k = (torch.randn(1, 1, 1, 16).expand(1, 12, 1, 16) for _ in range(2))
    q, k = FarBlock(32, 16).placed(q, k)
    scores = q[0, :, 0] @ k[0, :, 0].T
    torch.testing.assert_close(scores[1:, 1:], scores[:-1, :-1], atol=1e-4, rtol=0)
    assert (scores[1:, 0] - scores[:-1, 0]).abs().max() > 1e-2


@pytest.mark.parametrize("kind", [UnplacedBlock, AbsoluteBlock])
@pytest.mark.parametrize("at", [0, 30])
def test_other_places_know_no_later_character(kind: type[FarBlock], at: int) -> None:
    torch.manual_seed(1)
    network = LevelNetwork(CONFIG, far=kind)
    ids = some_ids()
    other = ids.clone()
    other[:, at] = (ids[:, at] + 1) % ALPHABET.size
    with torch.no_grad():
        before, after = network(ids)[0], network(other)[0]
    torch.testing.assert_close(before[:, :at], after[:, :at], atol=1e-6, rtol=0)
    assert (before[:, at] - after[:, at]).abs().max() > 1e-4
