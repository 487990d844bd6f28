"""The baseline: nanoGPT's sizes, its schedule, and what any model of characters has to keep to."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from model.alphabet import Ids
from model.gpt import INIT_STD, Attention, Gpt, GptConfig, generate, text_nats
from model.gpt_train import (
    BETAS,
    LARGEST_GRADIENT,
    WEIGHT_DECAY,
    GptTrainConfig,
    learning_rate,
    stretches,
    take_steps,
)

V = 11
CONFIG = GptConfig(V, block_size=8, n_layer=2, n_head=2, n_embd=16, dropout=0.0, bias=False)
TRAIN = GptTrainConfig(steps=40, texts=8, learning_rate=1e-2, least_rate=1e-3, warm_up_steps=5)
TEXT: Ids = np.random.default_rng(3).integers(0, V, 400).astype(np.uint8)


def new_gpt(config: GptConfig = CONFIG, *, spread: float = 1.0, seed: int = 1) -> Gpt:
    """With random weights, larger ones where what it says must depend clearly on what it read."""
    torch.manual_seed(seed)
    gpt = Gpt(config)
    with torch.no_grad():
        for value in gpt.parameters():
            value.mul_(spread if value.ndim == 2 else 1.0)
    return gpt.eval()


@pytest.fixture
def gpt() -> Gpt:
    return new_gpt(spread=10.0)


def some_ids(rows: int, length: int) -> torch.Tensor:
    return torch.from_numpy(TEXT[: rows * length].reshape(rows, length).astype(np.int64))


# ------------------------------------------------------------------------------------------- sizes
@pytest.mark.parametrize(
    ("config", "millions"),
    [(GptConfig.cpu(65), 0.80), (GptConfig.gpu(65), 10.65)],
    ids=["cpu", "gpu"],
)
def test_published_sizes_have_as_many_weights_as_nanogpt_prints(
    config: GptConfig, millions: float
) -> None:
    """It prints them without positions; the table of characters counts once."""
    n = config.n_embd
    attention, mlp, norms = n * 3 * n + n * n, 2 * n * 4 * n, 2 * n
    by_hand = 65 * n + config.n_layer * (attention + mlp + norms) + n
    assert round(by_hand / 1e6, 2) == millions
    found = sum(each.numel() for each in Gpt(config).parameters())
    assert found == by_hand + config.block_size * n


def test_biases_are_left_out_or_everywhere() -> None:
    n = CONFIG.n_embd
    without, with_bias = (
        sum(each.numel() for each in Gpt(replace(CONFIG, bias=bias)).parameters())
        for bias in (False, True)
    )
    assert with_bias - without == CONFIG.n_layer * (3 * n + n + 4 * n + n + 2 * n) + n


def test_first_weights_are_small_and_those_of_sums_smaller() -> None:
    gpt = new_gpt(GptConfig.cpu(65))
    for name, value in gpt.named_parameters():
        expected = INIT_STD * (8**-0.5 if name.endswith(".proj.weight") else 1.0)
        if value.ndim == 2:
            assert float(value.detach().std()) == pytest.approx(expected, rel=0.05), name


def test_at_first_all_characters_are_as_likely() -> None:
    gpt = new_gpt(GptConfig.cpu(65))
    ids = np.random.default_rng(1).integers(0, 65, 2000).astype(np.uint8)
    assert text_nats(gpt, ids, window=gpt.config.block_size) == pytest.approx(math.log(65), abs=0.1)


@pytest.mark.parametrize(
    "change",
    [{"alphabet": 0}, {"n_layer": 0}, {"n_head": 3}, {"dropout": 1.0}, {"block_size": 0}],
)
def test_sizes_that_do_not_go_together_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"go together|heads"):
        replace(CONFIG, **change)


# ----------------------------------------------------------------------------------------- network
@pytest.mark.parametrize("at", [0, 3, 7])
def test_nothing_is_known_of_later_characters(gpt: Gpt, at: int) -> None:
    ids = some_ids(2, 8)
    other = ids.clone()
    other[:, at] = (ids[:, at] + 1) % V
    with torch.no_grad():
        before, after = gpt(ids), gpt(other)
    torch.testing.assert_close(before[:, :at], after[:, :at], atol=1e-5, rtol=0)
    assert (before[:, at:] - after[:, at:]).abs().amax(dim=2).min() > 1e-3


def test_characters_are_told_by_their_place(gpt: Gpt) -> None:
    same = torch.zeros(1, 8, dtype=torch.int64)
    with torch.no_grad():
        scores = gpt(same)[0]
    assert torch.pdist(scores).min() > 1e-2


def test_the_table_of_characters_is_the_head(gpt: Gpt) -> None:
    ids = some_ids(1, 8)
    assert gpt.head.weight is gpt.characters.weight
    with torch.no_grad():
        torch.testing.assert_close(gpt(ids), gpt.states(ids) @ gpt.characters.weight.T)


def test_attention_is_that_of_the_papers(gpt: Gpt) -> None:
    attention = gpt.blocks[0].attention
    assert isinstance(attention, Attention)
    x = torch.randn(1, 8, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        q, k, v = (part[0].view(8, 2, 8) for part in attention.qkv(x).chunk(3, dim=2))
        found = torch.zeros(8, 2, 8)
        for at in range(8):
            for head in range(2):
                likeness = k[: at + 1, head] @ q[at, head] / 8**0.5
                found[at, head] = likeness.softmax(dim=0) @ v[: at + 1, head]
        by_hand = found.reshape(1, 8, 16) @ attention.proj.weight.T
        torch.testing.assert_close(attention(x), by_hand, atol=1e-5, rtol=1e-4)


def test_something_is_left_out_in_training_alone() -> None:
    gpt = new_gpt(replace(CONFIG, dropout=0.5), spread=10.0)
    ids = some_ids(1, 8)
    with torch.no_grad():
        torch.testing.assert_close(gpt(ids), gpt(ids), atol=0, rtol=0)
        gpt.train()
        assert (gpt(ids) - gpt(ids)).abs().max() > 1e-2


def test_more_than_the_context_cannot_be_read(gpt: Gpt) -> None:
    with pytest.raises(ValueError, match="9 characters are more than a context of 8"):
        gpt(some_ids(1, 9))


# ----------------------------------------------------------------------------------------- writing
def test_what_is_written_depends_on_the_seed_alone(gpt: Gpt) -> None:
    def written(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        return generate(gpt, some_ids(2, 3), 30, generator=generator).tolist()

    assert written(1) == written(1)
    assert written(1) != written(2)
    assert [len(row) for row in written(1)] == [33, 33]


def test_without_chance_the_likeliest_character_is_written(gpt: Gpt) -> None:
    """Also behind the end of the context, of which only the last characters are read then."""
    by_hand = some_ids(1, 3)[0].tolist()
    for _ in range(20):
        with torch.no_grad():
            scores = gpt(torch.tensor([by_hand[-CONFIG.block_size :]]))[0, -1]
        by_hand.append(int(scores.argmax()))
    assert generate(gpt, some_ids(1, 3), 20, temperature=0)[0].tolist() == by_hand
    assert len(set(by_hand)) > 1


def test_draws_follow_the_distribution(gpt: Gpt) -> None:
    ids = some_ids(1, 8).expand(4000, 8)
    with torch.no_grad():
        shares = (gpt(ids[:1])[0, -1] / 2).softmax(dim=0)
    generator = torch.Generator().manual_seed(1)
    drawn = generate(gpt, ids, 1, temperature=2.0, generator=generator)[:, -1]
    found = torch.bincount(drawn, minlength=V) / len(drawn)
    torch.testing.assert_close(found, shares, atol=0.03, rtol=0)


# ------------------------------------------------------------------------------------ loss of texts
@pytest.mark.parametrize("stride", [8, 4, 3, 1])
@pytest.mark.parametrize("length", [2, 8, 9, 10, 13, 40, 41])
def test_every_character_of_a_text_counts_once(gpt: Gpt, stride: int, length: int) -> None:
    ids = TEXT[:length]
    costs = []
    for at in range(1, length):
        first = max(math.ceil((at - 8) / stride), 0) * stride
        with torch.no_grad():
            scores = gpt(torch.from_numpy(ids[None, first:at].astype(np.int64)))[0, -1]
        costs.append(-float(scores.log_softmax(dim=0)[ids[at]]))
        assert first == 0 or at - first > 8 - stride
    found = text_nats(gpt, ids, window=8, stride=stride)
    assert found == pytest.approx(np.mean(costs), abs=1e-5)


@pytest.mark.parametrize(("length", "stride"), [(1, 8), (40, 9), (40, 0)])
def test_texts_and_strides_that_leave_something_out_are_refused(
    gpt: Gpt, length: int, stride: int
) -> None:
    with pytest.raises(ValueError, match="no strides"):
        text_nats(gpt, TEXT[:length], window=8, stride=stride)


# ---------------------------------------------------------------------------------------- training
@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 1e-3 / 101),
        (49, 1e-3 * 50 / 101),
        (99, 1e-3 * 100 / 101),
        (100, 1e-3),
        (575, 1e-4 + 9e-4 * (2 + 2**0.5) / 4),
        (1050, 5.5e-4),
        (2000, 1e-4),
    ],
)
def test_the_rate_rises_and_falls_as_published(step: int, rate: float) -> None:
    assert learning_rate(step, GptTrainConfig.cpu()) == pytest.approx(rate, rel=1e-9)


def test_published_settings() -> None:
    cpu, gpu = GptTrainConfig.cpu(), GptTrainConfig.gpu()
    assert (cpu.steps, cpu.texts, gpu.steps, gpu.texts) == (2000, 12, 5000, 64)
    assert (WEIGHT_DECAY, BETAS, LARGEST_GRADIENT) == (0.1, (0.9, 0.99), 1.0)


def test_a_step_is_adamw_with_decay_on_matrices_alone() -> None:
    gpt = new_gpt(replace(CONFIG, bias=True), spread=10.0)
    other = copy.deepcopy(gpt)
    named = dict(other.named_parameters())
    kept = [name for name in named if name.endswith("bias") or "norm" in name or "before" in name]
    groups = [
        {"params": [named[name] for name in kept], "weight_decay": 0.0},
        {"params": [named[name] for name in named if name not in kept], "weight_decay": 0.1},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate(0, TRAIN), betas=(0.9, 0.99))
    rows = torch.from_numpy(stretches(other, TRAIN, TEXT, 0))
    loss = functional.cross_entropy(other(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    loss.backward()
    nn.utils.clip_grad_norm_(other.parameters(), 1.0)
    optimizer.step()
    taken = next(take_steps(gpt, TRAIN, TEXT))
    assert taken.step == 1
    assert taken.loss_nats == pytest.approx(float(loss.detach()))
    for (name, value), expected in zip(gpt.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(value, expected, msg=name, atol=1e-6, rtol=0)


def test_stretches_are_of_the_text_and_of_the_step() -> None:
    gpt = new_gpt()
    text = np.arange(200, dtype=np.uint8)
    rows = np.concatenate([stretches(gpt, TRAIN, text, step) for step in range(200)])
    assert rows.shape == (200 * TRAIN.texts, 9)
    assert (np.diff(rows, axis=1) == 1).all()
    assert (rows.min(), rows.max()) == (0, 199)
    first = stretches(gpt, TRAIN, text, 0)
    assert (first == stretches(gpt, TRAIN, text, 0)).all()
    assert (first != stretches(gpt, TRAIN, text, 1)).any()
    assert (first != stretches(gpt, replace(TRAIN, seed=2), text, 0)).any()


def test_a_training_repeats_and_can_be_stopped() -> None:
    config = replace(CONFIG, dropout=0.2)
    losses = [
        [taken.loss_nats for taken in take_steps(new_gpt(config), TRAIN, TEXT)] for _ in range(2)
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == TRAIN.steps
    steps = take_steps(new_gpt(config), TRAIN, TEXT)
    seen = [next(steps) for _ in range(3)]
    assert [taken.loss_nats for taken in seen] == losses[0][:3]
    assert 0 < seen[0].seconds < seen[1].seconds < seen[2].seconds


def test_it_learns_a_text_that_repeats_itself() -> None:
    text = np.tile(np.array([1, 4, 2, 8, 5, 7, 3], np.uint8), 60)
    gpt = new_gpt()
    losses = [taken.loss_nats for taken in take_steps(gpt, replace(TRAIN, steps=120), text)]
    assert losses[0] == pytest.approx(math.log(V), abs=0.2)
    assert text_nats(gpt.eval(), text, window=gpt.config.block_size) < 0.1
    written = generate(gpt, torch.tensor([[1, 4]]), 12, temperature=0)[0]
    assert written.tolist() == text[:14].tolist()


def test_a_text_shorter_than_a_stretch_is_refused() -> None:
    with pytest.raises(ValueError, match="no 9 characters in a text of 8"):
        next(take_steps(new_gpt(), TRAIN, TEXT[:8]))
    assert next(take_steps(new_gpt(), TRAIN, TEXT[:9])).step == 1


@pytest.mark.parametrize(
    "change", [{"steps": 0}, {"texts": 0}, {"least_rate": 1.0}, {"warm_up_steps": 40}]
)
def test_schedules_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"go together|warm-up"):
        replace(TRAIN, **change)
