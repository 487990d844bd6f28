"""AdamW with its moments in a file: the steps of torch's, going on where it was stopped, and what is refused."""

from __future__ import annotations

import json
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


def saved_run(folder: Path) -> tuple[list[Tensor], list[Tensor]]:
    """Weights of a run after half of its steps, when it was saved, and at the end of all of them."""
    parameters, optimizer = make_run(folder)
    take_steps(optimizer, parameters, range(STEPS // 2))
    optimizer.save()
    half = copies(parameters)
    take_steps(optimizer, parameters, range(STEPS // 2, STEPS))
    return half, copies(parameters)


def go_on(folder: Path, weights: list[Tensor]) -> list[Tensor]:
    """Weights at the end of a run that is opened anew after half of its steps."""
    parameters, optimizer = make_run(folder)
    with torch.no_grad():
        for value, weight in zip(parameters, weights, strict=True):
            value.copy_(weight)
    optimizer.restore(STEPS // 2)
    take_steps(optimizer, parameters, range(STEPS // 2, STEPS))
    return copies(parameters)


def are_equal(left: list[Tensor], right: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


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
    optimizer.save()
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


# ---------------------------------------------------------------------------------------- going on
def test_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path):
    half, end = saved_run(tmp_path)
    assert not are_equal(half, end)
    assert are_equal(go_on(tmp_path, half), end)


def test_weights_differ_when_moments_are_lost(tmp_path):
    half, end = saved_run(tmp_path / "a")
    _, optimizer = make_run(tmp_path / "b")
    optimizer.step_count = STEPS // 2
    optimizer.save()
    assert not are_equal(go_on(tmp_path / "b", half), end)


def test_run_killed_after_it_saved_again_goes_on_from_either(tmp_path):
    parameters, optimizer = make_run(tmp_path)
    take_steps(optimizer, parameters, range(2))
    optimizer.save()
    take_steps(optimizer, parameters, range(2, STEPS // 2))
    optimizer.save()
    half = copies(parameters)
    take_steps(optimizer, parameters, range(STEPS // 2, STEPS))
    end = copies(parameters)
    optimizer.save()
    assert sorted(path.name for path in tmp_path.glob("*.bin")) == [
        "moments-12.bin",
        "moments-6.bin",
    ]
    assert sorted(path.name for path in tmp_path.glob("*.json")) == [
        "moments-12.json",
        "moments-6.json",
    ]
    assert are_equal(go_on(tmp_path, half), end)


def test_saving_twice_keeps_the_one_before(tmp_path):
    parameters, optimizer = make_run(tmp_path)
    for step in range(3):
        take_steps(optimizer, parameters, range(step, step + 1))
        optimizer.save()
        optimizer.save()
    assert sorted(path.stem for path in tmp_path.glob("*.bin")) == ["moments-2", "moments-3"]


def test_live_file_of_a_killed_run_is_not_taken_up(tmp_path):
    half, end = saved_run(tmp_path)
    (tmp_path / LIVE).write_bytes(b"\x07" * 5)
    assert are_equal(go_on(tmp_path, half), end)


# ----------------------------------------------------------------------------------------- refused
def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def turn_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def change_a_step(path: Path) -> None:
    record = json.loads(path.read_text())
    record["steps"][0] += 1
    path.write_text(json.dumps(record))


def lose_the_steps(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "steps": 3}))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("moments-6.bin", cut),
        ("moments-6.bin", lengthen),
        ("moments-6.bin", turn_a_bit),
        ("moments-6.bin", empty),
        ("moments-6.bin", Path.unlink),
        ("moments-6.json", cut),
        ("moments-6.json", empty),
        ("moments-6.json", Path.unlink),
        ("moments-6.json", change_a_step),
        ("moments-6.json", lambda path: path.write_text("[]")),
        ("moments-6.json", lambda path: path.write_text("{}")),
        ("moments-6.json", lose_the_steps),
    ],
)
def test_damaged_file_is_named_and_changes_nothing(tmp_path, name, damage):
    saved_run(tmp_path)
    _, optimizer = make_run(tmp_path)
    damage(tmp_path / name)
    with pytest.raises(ModelError, match=name) as caught:
        optimizer.restore(6)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert optimizer.step_count == 0
    assert not np.fromfile(tmp_path / LIVE, np.float32).any()


def test_moments_of_another_step_are_missing(tmp_path):
    saved_run(tmp_path)
    with pytest.raises(ModelError, match=r"moments-7\.json"):
        make_run(tmp_path)[1].restore(7)


def test_moments_of_other_parameters_are_refused(tmp_path):
    saved_run(tmp_path)
    other = MappedAdam([{"params": make_parameters()[::-1]}], tmp_path)
    with pytest.raises(ModelError, match=r"moments-6\.json are of other parameters"):
        other.restore(6)


def test_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ModelError, match="taken"):
        make_run(tmp_path / "taken")


def test_failed_save_leaves_what_was_saved_before(tmp_path):
    half, end = saved_run(tmp_path)
    parameters, optimizer = make_run(tmp_path)
    optimizer.restore(6)
    take_steps(optimizer, parameters, range(6, 8))
    (tmp_path / "moments-8.draft").mkdir()
    with pytest.raises(ModelError, match=r"moments-8\.bin"):
        optimizer.save()
    assert are_equal(go_on(tmp_path, half), end)


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
