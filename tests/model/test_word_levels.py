"""Levels of words in training: what a word is, what its state knows, and what it predicts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.alphabet import Alphabet
from model.codes import Codes, fit_codes
from model.level_config import LevelConfig, LevelsOf
from model.level_loss import CODE_SIZE
from model.level_network import LevelNetwork
from model.unit_hash import letters_of
from model.word_levels import WordLevels, WordLoss, Words, loss_maker, network_maker

TEXT = (
    "The king, my lord. He said 'no more' and so they went to bed at ten; all was well in the end. "
)
ALPHABET = Alphabet.of([TEXT])
IS_LETTER = letters_of(ALPHABET)
LETTERS = torch.from_numpy(IS_LETTER)
CONFIG = LevelConfig(
    ALPHABET.size,
    (16, 32, 32),
    (1, 1, 2),
    (20, 24, 24),
    head_width=16,
    reach=2,
    levels_of=LevelsOf.WORDS,
)
STRIDES = replace(CONFIG, levels_of=LevelsOf.CHARACTERS)


def some_ids(rows: int = 2) -> torch.Tensor:
    whole = torch.from_numpy(ALPHABET.ids(TEXT * 2).astype(np.int64))
    return torch.stack([whole[at : at + 72] for at in range(0, 9 * rows, 9)])


@pytest.fixture
def network() -> WordLevels:
    torch.manual_seed(1)
    return WordLevels(CONFIG, is_letter=IS_LETTER)


@pytest.fixture(scope="module")
def codes() -> list[Codes]:
    text = np.tile(ALPHABET.ids(TEXT).astype(np.int64), 4)
    single = fit_codes(text, alphabet=ALPHABET.size, chars=1, width=20, seed=1)
    longer = [
        fit_codes(text, alphabet=ALPHABET.size, chars=chars, width=24, seed=1, single=single)
        for chars in (2, 4)
    ]
    return [single, *longer]


def test_a_word_is_complete_with_the_mark_behind_it() -> None:
    ids = torch.from_numpy(ALPHABET.ids("he said 'no', all")[None].astype(np.int64))
    words = Words.of(ids, LETTERS, step=2)
    firsts, lasts = words.first[0, :3].tolist(), words.last[0, :3].tolist()
    assert list(zip(firsts, lasts, strict=True)) == [(0, 2), (3, 7), (8, 12)]
    assert words.last.shape[1] == 4
    assert words.complete[0].tolist() == [0, 0, *[1] * 5, *[2] * 5, *[3] * 5]
    ends, is_there = words.ends(2)
    assert ends[0, 0] == 7
    assert is_there.tolist() == [[True, False]]


def test_a_row_without_a_word_is_read(network: WordLevels) -> None:
    said = network(torch.from_numpy(ALPHABET.ids("aaaaaaaa")[None].astype(np.int64)))
    assert [tuple(each.shape) for each in said] == [(1, 8, 20), (1, 2, 24), (1, 1, 24)]
    assert all(bool(each.isfinite().all()) for each in said)


@pytest.mark.parametrize("char", ["a", " "])
@pytest.mark.parametrize("at", [0, 3, 8, 40, 71])
def test_words_know_nothing_of_later_characters(network: WordLevels, at: int, char: str) -> None:
    """Not even whether a word ends there."""
    ids = some_ids()
    other = ids.clone()
    other[:, at] = int(ALPHABET.ids(char)[0])
    with torch.no_grad():
        pairs = list(zip(network(ids), network(other), strict=True))
    low, low_after = pairs[0]
    torch.testing.assert_close(low[:, :at], low_after[:, :at], atol=1e-6, rtol=0)
    for level in (1, 2):
        ends, _ = Words.of(ids, LETTERS, step=2).ends(level)
        before, after = pairs[level]
        for row in range(len(ids)):
            done = int((ends[row] < at).sum())
            torch.testing.assert_close(before[row, :done], after[row, :done], atol=1e-6, rtol=0)


def test_the_lowest_level_hears_of_words_far_away(network: WordLevels) -> None:
    ids = some_ids(1)
    other = ids.clone()
    other[:, 1] = int(ALPHABET.ids("a")[0])
    with torch.no_grad():
        change = (network(ids)[0] - network(other)[0]).abs().amax(dim=(0, 2))
    assert change[40:].min() > 1e-6


def test_words_have_as_many_weights_as_strides(network: WordLevels) -> None:
    usual = LevelNetwork(STRIDES).state_dict()
    assert {k: v.shape for k, v in network.state_dict().items()} == {
        k: v.shape for k, v in usual.items()
    }


def test_words_predict_the_characters_after_them(codes: list[Codes]) -> None:
    """At their codes there is nothing to lose."""
    loss = WordLoss(codes, ALPHABET.size, is_letter=IS_LETTER)
    ids = some_ids()
    words = Words.of(ids, LETTERS, step=2)
    predicted = [
        CODE_SIZE
        * torch.from_numpy(codes[0].encode(ids.reshape(-1, 1).numpy())).view(2, 72, -1).roll(-1, 1)
    ]
    for level in (1, 2):
        ends, _ = words.ends(level)
        chars = 2**level
        places = (ends[..., None] + torch.arange(1, chars + 1)).clamp(max=71)
        blocks = torch.stack([row[at] for row, at in zip(ids, places, strict=True)])
        table = codes[level].encode(blocks.reshape(-1, chars).numpy())
        predicted.append(CODE_SIZE * torch.from_numpy(table).view(2, ends.shape[1], -1))
    found = loss(predicted, ids)
    assert all(float(each.distance.detach()) == pytest.approx(0, abs=1e-8) for each in found)


def test_words_learn(network: WordLevels, codes: list[Codes]) -> None:
    loss = WordLoss(codes, ALPHABET.size, is_letter=IS_LETTER)
    optimizer = torch.optim.AdamW([*network.parameters(), *loss.parameters()], lr=5e-3)
    ids, history = some_ids(4), []
    for _ in range(25):
        losses = loss(network(ids), ids)
        total = torch.stack([each.distance + each.contrast for each in losses]).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append([float(each.contrast.detach()) for each in losses])
    assert (np.array(history[-1]) < 0.8 * np.array(history[0])).all()


def test_without_a_word_only_the_lowest_level_learns(
    network: WordLevels, codes: list[Codes]
) -> None:
    loss = WordLoss(codes, ALPHABET.size, is_letter=IS_LETTER)
    ids = torch.from_numpy(ALPHABET.ids("aaaaaaaa")[None].astype(np.int64))
    found = loss(network(ids), ids)
    assert float(found[0].contrast.detach()) > 0
    assert all(float((each.contrast + each.distance).detach()) == 0 for each in found[1:])
    torch.stack([each.contrast + each.distance for each in found]).sum().backward()
    assert all(
        bool(each.grad.isfinite().all()) for each in loss.parameters() if each.grad is not None
    )


def test_levels_are_of_what_the_settings_say(codes: list[Codes]) -> None:
    assert isinstance(network_maker(CONFIG, ALPHABET)(CONFIG), WordLevels)
    assert type(network_maker(STRIDES, ALPHABET)(STRIDES)) is LevelNetwork
    for levels, is_of_words in ((CONFIG, True), (STRIDES, False)):
        made = loss_maker(levels, ALPHABET)(codes, ALPHABET.size)
        assert isinstance(made, WordLoss) is is_of_words
    with pytest.raises(ValueError, match="levels of words are not levels of characters"):
        LevelNetwork(CONFIG)
    with pytest.raises(ValueError, match="levels of characters are not levels of words"):
        WordLevels(STRIDES, is_letter=IS_LETTER)


def test_one_level_alone_cannot_be_of_words() -> None:
    with pytest.raises(ValueError, match="no level to have states of words"):
        replace(CONFIG, widths=(16,), layers=(1,), code_widths=(20,))
