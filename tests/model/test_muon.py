"""Muon: every direction of a matrix moves about as far."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from model.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 12, 20), (2, 20, 12), (1, 8, 8)])
def test_singular_values_come_near_to_one_and_vectors_stay(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    matrices = torch.randn(shape)
    found = orthogonal(matrices)
    values = torch.linalg.svdvals(found)
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.3
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    aligned = left.mT @ found @ right.mT
    off = aligned - torch.diag_embed(aligned.diagonal(dim1=1, dim2=2))
    assert float(off.abs().max()) < 1e-3


def test_nothing_comes_of_nothing() -> None:
    assert float(orthogonal(torch.zeros(1, 4, 6)).abs().max()) == 0.0


def test_it_finds_the_least_squares() -> None:
    torch.manual_seed(2)
    layer = nn.Linear(6, 4, bias=False)
    goal = torch.randn(4, 6)
    inputs = torch.randn(64, 6)
    muon = Muon([{"params": [layer.weight], "lr": 0.1}])
    losses = []
    for step in range(150):
        muon.param_groups[0]["lr"] = 0.1 * (1 - step / 150)
        loss = (layer(inputs) - inputs @ goal.T).square().mean()
        muon.zero_grad()
        loss.backward()
        muon.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]


def test_a_restored_one_goes_on_the_same() -> None:
    def moved(stop: int | None) -> torch.Tensor:
        torch.manual_seed(3)
        weight = nn.Parameter(torch.randn(5, 3))
        muon = Muon([{"params": [weight], "lr": 0.05}])
        for step in range(6):
            if step == stop:
                state = muon.state_dict()
                muon = Muon([{"params": [weight], "lr": 0.05}])
                muon.load_state_dict(state)
            muon.zero_grad()
            (weight**3).sum().backward()
            muon.step()
        return weight.detach()

    torch.testing.assert_close(moved(3), moved(None), rtol=0, atol=0)
