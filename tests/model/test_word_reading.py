"""Levels of words at run time: read as they were trained, however the text is cut, and written from."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model import CheckpointError
from model.adapt import adapt, with_new_sureness
from model.adapt_text import AdaptText
from model.alphabet import Alphabet
from model.checkpoint import save_checkpoint
from model.experience import Experience
from model.generate import Climb, Writing, write_on
from model.input_moments import language_moments
from model.level_config import LevelConfig, LevelsOf
from model.level_forward import LevelForward
from model.level_network import LevelNetwork
from model.pack import packed
from model.predict import LanguageModel, load_language_model
from model.predict_stored import weight_shapes
from model.predict_sureness import block_outcomes
from model.read_metrics import area_under_curve
from model.unit_hash import letters_of
from model.word_levels import WordLevels, Words
from tests.model.adapt_texts import CONFIG as ADAPTED
from tests.model.adapt_texts import new_reports, older_reports
from tests.model.language_models import (
    checkpoint,
    gated_checkpoint,
    invented_text,
    predict_text,
    read_piecemeal,
    trained,
)

ALPHABET = Alphabet.of(["abcd '.,\n"])
LETTERS = letters_of(ALPHABET)
CONFIG = LevelConfig(
    ALPHABET.size,
    (16, 32, 32, 48),
    (1, 1, 2, 1),
    (20, 24, 24, 24),
    16,
    2,
    rows=50,
    levels_of=LevelsOf.WORDS,
)
MOST = 60
UNITS = np.random.default_rng(2).integers(0, 50, (MOST, 4))
TEXTS = st.text("abcd '.,\n", min_size=1, max_size=MOST)
"""A letter alone is a word with the blank behind it: some of them have a word for every two characters."""
WINDOW = 6 * MOST


@pytest.fixture(scope="module")
def network() -> WordLevels:
    torch.manual_seed(1)
    network = WordLevels(CONFIG, is_letter=LETTERS)
    assert network.units is not None
    torch.nn.init.normal_(network.units.weight)
    return network


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(checkpoint(LevelsOf.WORDS))


def forward(network: LevelNetwork, *, window: int = WINDOW) -> LevelForward:
    arrays = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    return LevelForward.of(arrays, CONFIG, window=window, is_letter=LETTERS)


def said_in_training(network: WordLevels, text: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """By level: what is said of words that are complete, and how many characters were read by then."""
    ids = torch.from_numpy(ALPHABET.ids(text)[None].astype(np.int64))
    with torch.no_grad():
        said = network(ids, torch.from_numpy(UNITS[None, : len(text)]))
    words = Words.of(ids, torch.from_numpy(LETTERS), step=4)
    places = [torch.arange(len(text))]
    for level in (1, 2, 3):
        last, is_there = words.ends(level)
        places.append(last[is_there])
    found = [each[0, : len(at)].numpy() for each, at in zip(said, places, strict=True)]
    return found, [at.numpy() + 1 for at in places]


def cut(length: int, lengths: list[int]) -> list[slice]:
    ends = [end for end in np.cumsum(lengths).tolist() if end < length]
    return [slice(a, b) for a, b in zip([0, *ends], [*ends, length], strict=True)]


# --------------------------------------------------------------------------------------------------- read alike
def test_shapes_are_those_of_the_trained_network(network: WordLevels) -> None:
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert weight_shapes(CONFIG) == shapes


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.lists(st.integers(1, 17), min_size=1, max_size=40))
@example("a" * MOST, [1] * MOST)
@example(" .,\n" * 15, [7] * 9)
@example("a " * 30, [1] * MOST)
@example("a", [1])
def test_however_it_is_cut_a_text_is_read_as_in_training(
    network: WordLevels, text: str, lengths: list[int]
) -> None:
    known, places = said_in_training(network, text)
    reader, ids = forward(network), ALPHABET.ids(text)
    found: list[list[np.ndarray]] = [[] for _ in CONFIG.widths]
    ends: list[list[np.ndarray]] = [[] for _ in CONFIG.widths]
    for part in cut(len(text), lengths):
        for level, each in enumerate(reader.read(ids[part], UNITS[part])):
            found[level].append(each)
            ends[level].append(reader.ends.of(level))
    for level in range(CONFIG.levels):
        np.testing.assert_array_equal(np.concatenate(ends[level]), places[level])
        np.testing.assert_allclose(np.concatenate(found[level]), known[level], atol=2e-5)


@settings(deadline=None, max_examples=60)
@given(TEXTS, TEXTS, st.lists(st.integers(1, 17), max_size=4), st.integers(0, MOST))
def test_what_is_taken_back_was_never_read(
    network: WordLevels, text: str, tried: str, lengths: list[int], kept: int
) -> None:
    """Read a part, then something else that begins as the text goes on, and take all of it back that differs."""
    known, places = said_in_training(network, text)
    reader, ids = forward(network), ALPHABET.ids(text)
    for part in cut(len(text), lengths)[:-1]:
        reader.read(ids[part], UNITS[part])
    before = reader.length
    kept = min(kept, len(text) - before)
    stretch = np.concatenate((ids[before : before + kept], ALPHABET.ids(tried)))[: MOST - before]
    if len(stretch):
        reader.read(stretch, UNITS[before : before + len(stretch)])
        surplus = len(stretch) - kept
        first = surplus // 2
        reader.take_back(first)
        reader.take_back(surplus - first)
    at = reader.length
    assert at == before + kept
    if at == len(text):
        return
    found = reader.read(ids[at:], UNITS[at : len(text)])
    for level in range(CONFIG.levels):
        later = places[level] > at
        np.testing.assert_array_equal(reader.ends.of(level), places[level][later])
        np.testing.assert_allclose(found[level], known[level][later], atol=2e-5)


@settings(deadline=None, max_examples=30)
@given(TEXTS, st.sampled_from("ab ."), st.integers(0, MOST - 1))
def test_a_later_character_changes_nothing_earlier(
    network: WordLevels, text: str, char: str, at: int
) -> None:
    at = min(at, len(text) - 1)
    other = text[:at] + char + text[at + 1 :]
    before, after = (forward(network), forward(network))
    pairs = zip(
        before.read(ALPHABET.ids(text), UNITS[: len(text)]),
        after.read(ALPHABET.ids(other), UNITS[: len(text)]),
        strict=True,
    )
    for level, (said, changed) in enumerate(pairs):
        done = int((before.ends.of(level) <= at).sum())
        assert int((after.ends.of(level) <= at).sum()) == done
        np.testing.assert_allclose(said[:done], changed[:done], atol=1e-5)


def test_only_the_last_stretch_can_be_taken_back(network: WordLevels) -> None:
    reader, ids = forward(network), ALPHABET.ids("ab cd, a")
    reader.read(ids[:6], UNITS[:6])
    reader.read(ids[6:], UNITS[6:8])
    with pytest.raises(ValueError, match="3 characters were not read last, but 2"):
        reader.take_back(3)


def test_levels_of_words_must_know_letters(network: WordLevels) -> None:
    arrays = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match="must be told what words consist of"):
        LevelForward.of(arrays, CONFIG, window=512)


# ------------------------------------------------------------------------------------------------------- window
def test_words_reach_as_far_as_characters() -> None:
    strides = dataclasses.replace(CONFIG, levels_of=LevelsOf.CHARACTERS)
    assert [CONFIG.window_of(level, 512) for level in range(4)] == [512, 85, 42, 21]
    assert [strides.window_of(level, 512) for level in range(4)] == [512, 256, 128, 64]
    assert [CONFIG.window_of(level, 8) for level in range(4)] == [8, 1, 1, 1]


def test_memory_is_bounded_and_the_window_is_what_counts(network: WordLevels) -> None:
    rng = np.random.default_rng(3)
    ids, units = rng.integers(0, ALPHABET.size, 4000), rng.integers(0, 50, (4000, 4))
    whole, parts = forward(network, window=96), forward(network, window=96)
    at_once = whole.read(ids, units)[0][-1]
    in_parts, held = read_piecemeal(parts, ids, units)
    np.testing.assert_allclose(in_parts, at_once, atol=2e-5)
    assert held <= 4 * 16
    farther = forward(network, window=960).read(ids, units)[0][-1]
    assert np.abs(farther - at_once).max() > 1e-4


# ------------------------------------------------------------------------------------------------ probabilities
@pytest.mark.parametrize("text", ["Anna Keller said on M", "A" * 40, ", . ' -- !\n" * 3, "a"])
def test_characters_have_a_distribution(model: LanguageModel, text: str) -> None:
    logs = model.log_shares(model.reading().read(model.alphabet.ids(text))[0])
    assert logs.shape == (len(text), model.alphabet.size)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, atol=1e-9)


def test_bits_are_those_of_training(model: LanguageModel) -> None:
    """Eight-bit weights, four-bit rows: a little more than the trained ones."""
    text = predict_text()
    known = trained(LevelsOf.WORDS).evaluate(text.development)[0]["bits"]
    bits = model.bits(text.alphabet.text(text.development))
    assert float(bits.mean()) == pytest.approx(known, abs=0.15)
    assert float(bits.mean()) < 1.5


def test_the_past_decides(model: LanguageModel) -> None:
    alone = model.bits("the harbour was closed until May.").sum()
    told = model.bits("Lena Vogt announced that the harbour was closed until May.")[-32:].sum()
    assert told < alone
    assert len(model.bits("")) == len(model.bits("a")) == 0


def test_experience_is_heard_beside_words() -> None:
    found = LanguageModel(gated_checkpoint(LevelsOf.WORDS))
    text = invented_text(30, seed=8)
    alone, heard = found.costs(text, Experience())
    np.testing.assert_array_equal(alone, LanguageModel(checkpoint(LevelsOf.WORDS)).bits(text))
    assert heard.mean() < alone.mean()


# ------------------------------------------------------------------------------------------------------ writing
@pytest.mark.parametrize(
    "prompt", ["", "Anna", "Mr. Osei told the court that", "Ж\x00 ?", "....", "a" * 90]
)
@pytest.mark.parametrize("least_share", [0.0, 0.3, 1.0])
def test_checked_text_is_the_one_the_lowest_level_writes_alone(
    model: LanguageModel, prompt: str, least_share: float
) -> None:
    plain = write_on(model, prompt, Writing(150, Climb.PLAIN))
    for recalls in (True, False):
        writing = Writing(150, least_share=least_share, recalls=recalls)
        assert write_on(model, prompt, writing).text == plain.text
    assert len(plain.text) == plain.steps == 150


def test_sure_words_save_steps(model: LanguageModel) -> None:
    written = write_on(model, invented_text(4), Writing(200, recalls=False))
    assert written.steps < 195
    assert any(source.startswith("level") for source in written.kept)
    assert all(count <= 8 * written.heard[source] for source, count in written.kept.items())


def test_trusted_levels_are_kept_as_they_are(model: LanguageModel) -> None:
    free = write_on(model, invented_text(4), Writing(200, Climb.FREE))
    chars = {"next": 1, "level 1": 2, "level 2": 4, "level 3": 8}
    assert set(free.heard) > {"next"}
    assert all(free.kept[source] == chars[source] * free.heard[source] for source in free.heard)


def test_blocks_are_judged_where_words_end(model: LanguageModel) -> None:
    text = "Lena Vogt announced that the old bridge was denied in a letter.\nThe c"
    ids = model.alphabet.ids(text)
    outcomes = block_outcomes(model, ids)
    ends = [at + 1 for at in range(1, len(text)) if text[at] in " .\n" and text[at - 1].isalpha()]
    for level, (signs, right) in enumerate(outcomes):
        known = (
            np.arange(1, len(text) + 1)
            if not level
            else ends[2 ** (level - 1) - 1 :: 2 ** (level - 1)]
        )
        assert len(signs) == len(right) == sum(end + 2**level <= len(text) for end in known)
    reading = model.reading()
    said = reading.read(ids)[1]
    block = model.stored.blocks[0].read(said[0])
    came = (block == ids[ends[0] : ends[0] + 2]).all()
    assert came == outcomes[1][1][0]


def test_a_text_of_no_words_says_nothing_of_blocks(model: LanguageModel) -> None:
    outcomes = block_outcomes(model, model.alphabet.ids("...  .."))
    assert [len(right) for _, right in outcomes] == [6, 0, 0, 0]


def test_levels_are_judged_on_text_that_was_kept_out(model: LanguageModel) -> None:
    assert len(model.sureness) == 4
    outcomes = block_outcomes(model, predict_text().development)
    counts = [len(right) for _, right in outcomes]
    assert all(3 * above > below > above > 0 for below, above in itertools.pairwise(counts[1:]))
    signs, right = outcomes[1]
    assert right.mean() > 0.3
    assert area_under_curve(signs, right) > 0.55


# ------------------------------------------------------------------------------------------------------ weights
def test_a_stored_model_knows_what_its_levels_are_of(tmp_path: Path, model: LanguageModel) -> None:
    save_checkpoint(checkpoint(LevelsOf.WORDS), tmp_path / "words")
    loaded = load_language_model(tmp_path / "words")
    assert loaded.stored.levels.levels_of is LevelsOf.WORDS
    text = invented_text(3)
    np.testing.assert_array_equal(loaded.bits(text), model.bits(text))


def test_where_nothing_is_said_levels_are_of_characters() -> None:
    """As in models from before there were levels of words; the weights are of the same shapes."""
    known = checkpoint(LevelsOf.WORDS)
    levels = {k: v for k, v in known.config["levels"].items() if k != "levels_of"}
    older = dataclasses.replace(known, config={**known.config, "levels": levels})
    assert LanguageModel(older).stored.levels.levels_of is LevelsOf.CHARACTERS


def test_levels_of_something_else_are_refused() -> None:
    known = checkpoint(LevelsOf.WORDS)
    levels = {**known.config["levels"], "levels_of": "sentences"}
    with pytest.raises(CheckpointError, match="sentences"):
        LanguageModel(dataclasses.replace(known, config={**known.config, "levels": levels}))


def test_a_packed_model_says_nearly_the_same(model: LanguageModel) -> None:
    text = invented_text(60, seed=9)
    moments = language_moments(model, text)
    small = LanguageModel(packed(checkpoint(LevelsOf.WORDS), moments, bits=4))
    assert small.bytes < model.bytes
    assert small.bits(text).mean() == pytest.approx(model.bits(text).mean(), abs=0.1)


def test_new_articles_are_learned(tmp_path: Path, model: LanguageModel) -> None:
    texts = AdaptText.of(new_reports(), older_reports())
    found = adapt(checkpoint(LevelsOf.WORDS), texts, ADAPTED, tmp_path / "work").checkpoint
    adapted = LanguageModel(with_new_sureness(found, texts))
    article = texts.held_out[0]
    assert adapted.bits(article).mean() < 0.9 * model.bits(article).mean()
    assert (
        write_on(adapted, "", Writing(60)).text
        == write_on(adapted, "", Writing(60, Climb.PLAIN)).text
    )
