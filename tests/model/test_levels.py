"""Levels of a language model: nothing is known of what comes later, and what is predicted are codes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.codes import CodeKind, Codes, fit_codes
from model.level_config import LevelConfig
from model.level_loss import CODE_SIZE, FrozenCodes, LevelLoss, bits_per_character
from model.level_network import LevelNetwork
from tests.model.test_codes import ALPHABET, TEXT

CONFIG = LevelConfig(ALPHABET, (16, 32, 32), (1, 1, 2), (20, 24, 24), head_width=16, reach=2)


@pytest.fixture(scope="module")
def codes() -> list[Codes]:
    single = fit_codes(TEXT, alphabet=ALPHABET, chars=1, width=20, seed=1)
    longer = [
        fit_codes(TEXT, alphabet=ALPHABET, chars=chars, width=24, seed=1, single=single)
        for chars in (2, 4)
    ]
    return [single, *longer]


@pytest.fixture
def network() -> LevelNetwork:
    torch.manual_seed(1)
    return LevelNetwork(CONFIG)


def some_ids(rows: int = 2, length: int = 24) -> torch.Tensor:
    return torch.from_numpy(TEXT[: rows * length].reshape(rows, length))


def test_every_level_says_what_comes_after_each_of_its_blocks(network: LevelNetwork) -> None:
    shapes = [tuple(each.shape) for each in network(some_ids())]
    assert shapes == [(2, 24, 20), (2, 12, 24), (2, 6, 24)]
    with pytest.raises(ValueError, match="multiple of 4"):
        network(some_ids(length=22))


@pytest.mark.parametrize("at", [0, 1, 5, 10, 23])
def test_nothing_is_known_of_later_characters(network: LevelNetwork, at: int) -> None:
    ids = some_ids()
    other = ids.clone()
    other[:, at] = (ids[:, at] + 1) % ALPHABET
    with torch.no_grad():
        pairs = list(zip(network(ids), network(other), strict=True))
    for level, (before, after) in enumerate(pairs):
        done = at // 2**level  # blocks that end before the character
        torch.testing.assert_close(before[:, :done], after[:, :done], atol=1e-6, rtol=0)
        assert (before[:, done] - after[:, done]).abs().max() > 1e-4


def test_the_lowest_level_hears_from_far_away(network: LevelNetwork) -> None:
    """Farther than its convolutions reach: through the levels above."""
    ids = some_ids(1, 64)
    other = ids.clone()
    other[:, 0] = (ids[:, 0] + 1) % ALPHABET
    with torch.no_grad():
        change = (network(ids)[0] - network(other)[0]).abs().amax(dim=(0, 2))
    assert change[40:].min() > 1e-6


def test_larger_units_are_left_out_in_training_alone() -> None:
    network = LevelNetwork(replace(CONFIG, rows=50), unit_dropout=0.5)
    assert network.units is not None
    torch.nn.init.normal_(network.units.weight)
    ids = some_ids()
    units = torch.randint(50, (*ids.shape, 4))
    with torch.no_grad():
        drawn = [network(ids, units)[0] for _ in range(2)]
        network.eval()
        whole = [network(ids, units)[0] for _ in range(2)]
    assert (drawn[0] - drawn[1]).abs().max() > 1e-3
    torch.testing.assert_close(*whole, atol=0, rtol=0)


@pytest.mark.parametrize("kind", list(CodeKind))
def test_codes_on_a_device_are_the_same(kind: CodeKind) -> None:
    width = ALPHABET if kind is CodeKind.ORTHONORMAL else 20
    single = fit_codes(TEXT, alphabet=ALPHABET, chars=1, width=width, seed=1, kind=kind)
    given = [single]
    if kind is not CodeKind.ORTHONORMAL:
        given.append(
            fit_codes(TEXT, alphabet=ALPHABET, chars=4, width=24, seed=1, kind=kind, single=single)
        )
    for each in given:
        blocks = TEXT[: 40 * each.chars].reshape(-1, each.chars)
        found = FrozenCodes(each)(torch.from_numpy(blocks)).numpy()
        np.testing.assert_allclose(found, each.encode(blocks), atol=1e-5)
    assert not list(FrozenCodes(single).parameters())


def test_scores_are_a_distribution_over_all_characters(
    network: LevelNetwork, codes: list[Codes]
) -> None:
    loss = LevelLoss(codes, ALPHABET)
    ids = some_ids()
    predicted = network(ids)
    shares = loss.scores(predicted[0]).softmax(dim=-1)
    assert shares.shape == (2, 24, ALPHABET)
    torch.testing.assert_close(shares.sum(dim=-1), torch.ones(2, 24))
    by_hand = -shares[:, :-1].gather(2, ids[:, 1:, None]).log2().mean()
    assert bits_per_character(loss(predicted, ids)) == pytest.approx(
        float(by_hand.detach()), abs=1e-5
    )


def test_there_is_nothing_to_lose_at_the_codes_themselves(codes: list[Codes]) -> None:
    loss = LevelLoss(codes, ALPHABET)
    ids = some_ids()
    predicted = []
    for level, each in enumerate(codes):
        blocks = ids.view(2, -1, 2**level)
        table = torch.from_numpy(each.encode(blocks.reshape(-1, 2**level).numpy()))
        following = table.view(2, blocks.shape[1], -1).roll(-1, dims=1)
        predicted.append(CODE_SIZE * following)
    with torch.no_grad():
        found = loss(predicted, ids)
        nothing = loss([torch.zeros_like(each) for each in predicted], ids)
    assert all(float(each.distance) == pytest.approx(0, abs=1e-8) for each in found)
    assert all(float(each.distance) == pytest.approx(1, abs=1e-5) for each in nothing)
    assert bits_per_character(nothing) == pytest.approx(math.log2(ALPHABET), abs=1e-5)
    for right, empty in zip(found, nothing, strict=True):
        assert float(right.contrast) < 0.2 * float(empty.contrast)


def test_it_learns_the_text_on_every_level(network: LevelNetwork, codes: list[Codes]) -> None:
    loss = LevelLoss(codes, ALPHABET)
    optimizer = torch.optim.AdamW([*network.parameters(), *loss.parameters()], lr=5e-3)
    rng = np.random.default_rng(1)
    history = []
    for _ in range(120):
        starts = rng.integers(0, len(TEXT) - 64, 8)
        ids = torch.from_numpy(TEXT[starts[:, None] + np.arange(64)])
        losses = loss(network(ids), ids)
        total = torch.stack([each.distance + each.contrast for each in losses]).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append([float(each.contrast.detach()) for each in losses])
    counts = np.bincount(TEXT, minlength=ALPHABET) / len(TEXT)
    unigram = -sum(share * math.log(share) for share in counts if share)
    last = np.mean(history[-10:], axis=0)
    assert last[0] < 0.85 * unigram
    assert (last < 0.9 * np.mean(history[:3], axis=0)).all()


@pytest.mark.parametrize(
    "change",
    [{"widths": (16, 30, 32)}, {"layers": (1, 1)}, {"code_widths": (20, 0, 24)}, {"head_width": 7}],
)
def test_sizes_that_do_not_go_together_are_refused(change: dict[str, tuple[int, ...]]) -> None:
    sizes: dict[str, object] = {"widths": (16, 32, 32), "layers": (1, 1, 2)}
    sizes |= {"code_widths": (20, 24, 24), "head_width": 16} | change
    with pytest.raises(ValueError, match=r"go together|heads"):
        LevelConfig(ALPHABET, **sizes)  # type: ignore[arg-type]  # refused on purpose
