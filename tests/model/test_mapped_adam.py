"""AdamW with its moments in a file: the steps of torch's, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.errors import ModelError
from model.mapped_adam import LIVE, SLICE, MappedAdam

STEPS = 12


def make_parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    shapes = ((7, 5), (11,), (), (3, 2, 4))
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def groups_of(parameters: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [
        {"params": parameters[:2], "lr": 0.02, "weight_decay": 0.1, "betas": (0.9, 0.98)},
        {"params": parameters[2:], "lr": 0.005},
    ]


def set_gradients(parameters: list[nn.Parameter], step: int) -> None:
    """Gradients of very different sizes; one parameter has none in every third step."""
    generator = torch.Generator().manual_seed(100 + step)
    for at, value in enumerate(parameters):
        noise = torch.randn(value.shape, generator=generator)
        value.grad = (
            None if at == 1 and step % 3 == 1 else noise * 10.0 ** (at - 2) + value.detach()
        )


def take_steps(
    optimizer: MappedAdam | torch.optim.Optimizer,
    parameters: list[nn.Parameter],
    steps: range,
) -> None:
    for step in steps:
        set_gradients(parameters, step)
        optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / STEPS)
        optimizer.step()


def copies(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [value.detach().clone() for value in parameters]


def make_run(folder: Path) -> tuple[list[nn.Parameter], MappedAdam]:
    parameters = make_parameters()
    return parameters, MappedAdam(groups_of(parameters), folder)


# ------------------------------------------------------------------------------------------- steps
def test_steps_are_those_of_torch(tmp_path):
    ours, optimizer = make_run(tmp_path)
    theirs = make_parameters()
    begin = copies(theirs)
    take_steps(optimizer, ours, range(STEPS))
    take_steps(torch.optim.AdamW(groups_of(theirs)), theirs, range(STEPS))
    for value, reference, start in zip(ours, theirs, begin, strict=True):
        assert (reference - start).abs().max() > 5e-4
        assert torch.allclose(value, reference, rtol=0, atol=1e-6)


def test_parameter_of_more_than_a_slice_is_updated_whole(tmp_path):
    ours, theirs = (nn.Parameter(torch.ones(SLICE + 5)) for _ in range(2))
    optimizers = MappedAdam([{"params": [ours]}], tmp_path), torch.optim.AdamW([theirs])
    generator = torch.Generator().manual_seed(3)
    for _ in range(2):
        ours.grad = theirs.grad = torch.randn(SLICE + 5, generator=generator)
        for optimizer in optimizers:
            optimizer.step()
    assert (theirs != 1).all()
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-6)


def test_moments_are_in_the_file_and_not_beside_it(tmp_path):
    parameters, optimizer = make_run(tmp_path)
    theirs = make_parameters()
    reference = torch.optim.AdamW(groups_of(theirs))
    take_steps(optimizer, parameters, range(STEPS))
    take_steps(reference, theirs, range(STEPS))
    moments = np.fromfile(tmp_path / LIVE, np.float32).reshape(2, -1)
    for row, name in zip(moments, ("exp_avg", "exp_avg_sq"), strict=True):
        expected = torch.cat([reference.state[value][name].flatten() for value in theirs])
        assert row == pytest.approx(expected.numpy(), rel=1e-4, abs=1e-6)
    assert not [it for it in vars(optimizer).values() if isinstance(it, Tensor)]


def test_gradients_that_do_not_lie_in_one_piece_are_taken(tmp_path):
    values = [nn.Parameter(torch.ones(4, 6)) for _ in range(2)]
    gradient = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    values[0].grad, values[1].grad = gradient.T, gradient.T.contiguous()
    for at, value in enumerate(values):
        MappedAdam([{"params": [value]}], tmp_path / str(at)).step()
    assert torch.equal(values[0], values[1])


def test_gradients_are_forgotten(tmp_path):
    parameters, optimizer = make_run(tmp_path)
    set_gradients(parameters, 0)
    optimizer.zero_grad()
    assert [value.grad for value in parameters] == [None] * len(parameters)


def test_what_a_killed_run_left_is_not_taken_up(tmp_path):
    weights = []
    for left in (b"", b"\x07" * 5, b"\x07" * 10_000):
        (tmp_path / LIVE).write_bytes(left)
        parameters, optimizer = make_run(tmp_path)
        take_steps(optimizer, parameters, range(STEPS))
        weights.append(copies(parameters))
    for found in weights[1:]:
        assert all(torch.equal(*pair) for pair in zip(found, weights[0], strict=True))


# ----------------------------------------------------------------------------------------- refused
def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ModelError, match="taken"):
        make_run(tmp_path / "taken")


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ([], "no parameter"),
        ([torch.zeros(2)] * 2, "given twice"),
        ([torch.zeros(2, dtype=torch.float64)], "float64"),
        ([torch.zeros(2, device="meta")], "meta"),
        ([torch.zeros(2, 3).T], "one piece"),
    ],
)
def test_parameters_that_cannot_be_trained_are_refused(tmp_path, parameters, complaint):
    with pytest.raises(ValueError, match=complaint):
        MappedAdam([{"params": parameters}], tmp_path)
    assert list(tmp_path.iterdir()) == []
