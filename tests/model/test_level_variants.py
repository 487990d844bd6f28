"""What the levels are compared with: each changes one thing of the loss."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from model.codes import Codes
from model.level_loss import LevelLoss, LevelLosses
from model.level_network import LevelNetwork
from model.level_variants import (
    Comparison,
    NextCharacter,
    Regression,
    Regularised,
    Softmax,
    Unprotected,
    spread_loss,
)
from tests.model.language_models import LEVELS, predict_text, trained


@pytest.fixture
def ids() -> torch.Tensor:
    return torch.from_numpy(predict_text().training[:256].reshape(4, 64).astype("int64"))


def losses_of(
    kind: type[LevelLoss], ids: torch.Tensor
) -> tuple[LevelNetwork, LevelLoss, list[LevelLosses]]:
    torch.manual_seed(1)
    codes: tuple[Codes, ...] = trained().codes
    network = LevelNetwork(trained().levels)
    loss = kind(codes, trained().levels.alphabet)
    hasher = trained().hasher
    assert hasher is not None
    units = torch.from_numpy(hasher(ids.numpy().astype("uint8")))
    return network, loss, loss(network(ids, units), ids)


def head_gradient(network: LevelNetwork, part: torch.Tensor) -> float:
    network.zero_grad()
    if part.requires_grad:
        part.backward(retain_graph=True)
    found = dict(network.named_parameters())["heads.0.weight"].grad
    return 0.0 if found is None else float(found.abs().max())


def test_only_what_a_variant_trains_on_moves_the_network(ids: torch.Tensor) -> None:
    moved = {}
    for kind in (LevelLoss, Comparison, Regression, Softmax, Unprotected):
        network, _, losses = losses_of(kind, ids)
        moved[kind] = tuple(
            head_gradient(network, part) > 0 for part in (losses[0].distance, losses[0].contrast)
        )
    assert moved[LevelLoss] == (True, True)
    assert moved[Comparison] == moved[Softmax] == (False, True)
    assert moved[Regression] == moved[Unprotected] == (True, False)


def test_learned_tables_learn_and_frozen_codes_do_not(ids: torch.Tensor) -> None:
    for kind, learns in (
        (Softmax, True),
        (Unprotected, True),
        (Regularised, True),
        (Regression, False),
    ):
        _, loss, losses = losses_of(kind, ids)
        (losses[0].distance + losses[0].contrast).backward()
        table = loss.table()
        assert table.requires_grad is learns
        has_moved = table.grad is not None and bool(table.grad.abs().max() > 0)
        assert has_moved is learns


def test_codes_that_are_one_are_dear_and_those_apart_are_not() -> None:
    torch.manual_seed(2)
    apart = torch.nn.functional.normalize(torch.randn(200, 16), dim=1)
    assert float(spread_loss(torch.ones(200, 16))) > 5 * float(spread_loss(apart))


def test_every_level_predicts_the_next_character(ids: torch.Tensor) -> None:
    codes = trained().codes[:1] * 4
    levels = dataclasses.replace(trained().levels, code_widths=(LEVELS.code_widths[0],) * 4, rows=0)
    loss = NextCharacter(codes, levels.alphabet)
    torch.manual_seed(3)
    network = LevelNetwork(levels)
    said = network(ids)
    table = loss.table().detach()
    right = [
        4.0 * torch.cat((table[ids[:, 2**level :: 2**level]], said[level][:, -1:]), dim=1)
        for level in range(4)
    ]
    found = loss(right, ids)
    assert all(float(each.distance.detach()) == pytest.approx(0, abs=1e-6) for each in found)
    assert all(float(each.contrast.detach()) < 1.0 for each in found)
