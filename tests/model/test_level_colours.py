"""Colours of larger units: what they say, that they know nothing of what comes, and when they are learned."""

from __future__ import annotations

import pytest
import torch

from model.level_colours import MEMORY, ColouredLevels, MisplacedColours, StillColours
from model.level_config import LevelConfig

CONFIG = LevelConfig(12, (16, 32), (1, 1), (8, 8), head_width=16, reach=2, rows=64)


def network(kind: type[ColouredLevels] = ColouredLevels) -> ColouredLevels:
    torch.manual_seed(1)
    return kind(CONFIG).eval()


def text(seed: int = 1, *, rows: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 12, (rows, 20), generator=generator)
    return ids, torch.randint(0, 32, (rows, 20, 4), generator=generator)


def test_a_colour_is_the_mean_direction_of_what_followed() -> None:
    model = network()
    ids = torch.tensor([[3, 5, 3, 7, 3, 5]])
    units = torch.tensor([[[1], [2], [1], [2], [1], [2]]]).expand(-1, -1, 4)
    model._pass(ids[:, 1:], units[:, :-1])
    directions, colours = model.get_buffer("directions"), model.get_buffer("colours")
    torch.testing.assert_close(colours[1], (2 * directions[5] + directions[7]) / 3)
    torch.testing.assert_close(colours[2], directions[3])
    assert not colours[0].any()


def test_colours_stay_within_the_unit_ball_and_forget() -> None:
    model = network()
    for seed in range(40):
        model(*text(seed))
    colours = model.get_buffer("colours")
    assert colours.norm(dim=1).max() <= 1 + 1e-5
    assert model.get_buffer("passed").max() == MEMORY
    always = torch.full((1, 200), 4), torch.full((1, 200, 4), 9)
    model(*always)
    torch.testing.assert_close(colours[9], model.get_buffer("directions")[4])


def test_no_later_character_is_heard() -> None:
    ids, units = text()
    changed = ids.clone()
    changed[:, 11:] = (changed[:, 11:] + 1) % 12
    first, second = network()(ids, units)[0], network()(changed, units)[0]
    torch.testing.assert_close(first[:, :11], second[:, :11])
    assert (first[:, 11:] - second[:, 11:]).abs().max() > 1e-3


@pytest.mark.parametrize(("kind", "changes"), [(ColouredLevels, True), (StillColours, False)])
def test_what_is_read_after_training_is_learned_or_not(
    kind: type[ColouredLevels], changes: bool
) -> None:
    model = network(kind)
    model.train()(*text())
    model.eval()
    before = model.get_buffer("colours").clone()
    assert before.any()
    model(*text(seed=2))
    assert torch.equal(before, model.get_buffer("colours")) is not changes


def test_the_control_colours_as_many_other_rows() -> None:
    usual, control = network(), network(MisplacedColours)
    for model in (usual, control):
        model(*text())
    rows = [
        set(each.get_buffer("passed").nonzero().flatten().tolist()) for each in (usual, control)
    ]
    assert len(rows[0]) == len(rows[1])
    assert rows[0] != rows[1]
