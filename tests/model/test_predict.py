"""The language model at run time: it says what the trained network says, and writes what it would write alone."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import CheckpointError
from model.checkpoint import Arrays, Checkpoint, save_checkpoint
from model.experience import Experience
from model.gate_fit import GateNetwork
from model.generate import BEGINNING, Climb, Writing, write_on
from model.level_config import LevelConfig
from model.level_forward import LevelForward
from model.level_network import LevelNetwork
from model.predict import LanguageModel, Sureness, load_language_model
from model.predict_stored import weight_shapes
from model.predict_sureness import fit_sureness
from model.quantize import SCALES, quantize_rows
from model.spqr import SpqrConfig, quantize_matrix
from model.spqr_stored import pack_matrix
from model.stored import restored_arrays, without
from tests.model.language_models import (
    LEVELS,
    checkpoint,
    gated_checkpoint,
    invented_text,
    predict_text,
    read_piecemeal,
    trained,
)

CONFIG = LevelConfig(20, (16, 32, 32, 48), (1, 1, 2, 1), (20, 24, 24, 24), 16, 2, rows=50)
LENGTH = 64
Store = Callable[[str, np.ndarray], Arrays]
"""Of a matrix by its name, the arrays that it is stored as."""


@pytest.fixture(scope="module")
def network() -> LevelNetwork:
    torch.manual_seed(1)
    network = LevelNetwork(CONFIG)
    assert network.units is not None
    torch.nn.init.normal_(network.units.weight)
    return network


@pytest.fixture(scope="module")
def ids() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 20, LENGTH)


@pytest.fixture(scope="module")
def units() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 50, (LENGTH, 4))


@pytest.fixture(scope="module")
def said(network: LevelNetwork, ids: np.ndarray, units: np.ndarray) -> list[np.ndarray]:
    with torch.no_grad():
        found = network(torch.from_numpy(ids[None]), torch.from_numpy(units[None]))
    return [each[0].numpy() for each in found]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(checkpoint())


def forward(network: LevelNetwork, *, window: int = 512) -> LevelForward:
    arrays = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    return LevelForward.of(arrays, CONFIG, window=window)


def read_in_parts(
    reader: LevelForward, ids: np.ndarray, units: np.ndarray, lengths: list[int]
) -> list[np.ndarray]:
    found: list[list[np.ndarray]] = [[] for _ in CONFIG.widths]
    at = 0
    for length in lengths:
        for level, each in enumerate(reader.read(ids[at : at + length], units[at : at + length])):
            found[level].append(each)
        at += length
    return [np.concatenate(each) for each in found]


def test_shapes_are_those_of_the_trained_network(network: LevelNetwork) -> None:
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert weight_shapes(CONFIG) == shapes


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 17), min_size=1, max_size=40))
def test_however_it_is_cut_a_text_is_read_the_same(
    network: LevelNetwork,
    ids: np.ndarray,
    units: np.ndarray,
    said: list[np.ndarray],
    lengths: list[int],
) -> None:
    kept = [n for n, end in zip(lengths, np.cumsum(lengths), strict=True) if end < LENGTH]
    found = read_in_parts(forward(network), ids, units, [*kept, LENGTH - sum(kept)])
    for ours, theirs in zip(found, said, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(0, 20), st.integers(0, 20))
def test_what_is_taken_back_was_never_read(
    network: LevelNetwork,
    ids: np.ndarray,
    units: np.ndarray,
    said: list[np.ndarray],
    before: int,
    tried: int,
    kept: int,
) -> None:
    kept = min(kept, tried)
    reader = forward(network)
    reader.read(ids[:before], units[:before])
    if tried:
        wrong = np.concatenate((ids[before : before + kept], np.zeros(tried - kept, int)))
        reader.read(wrong, units[before : before + tried])
        reader.take_back(tried - kept)
    at = before + kept
    assert reader.length == at
    found = reader.read(ids[at:], units[at:])
    for level, (ours, theirs) in enumerate(zip(found, said, strict=True)):
        np.testing.assert_allclose(ours, theirs[at // 2**level :], atol=2e-5)


def test_only_the_last_stretch_can_be_taken_back(
    network: LevelNetwork, ids: np.ndarray, units: np.ndarray
) -> None:
    reader = forward(network)
    reader.read(ids[:8], units[:8])
    reader.read(ids[8:10], units[8:10])
    with pytest.raises(ValueError, match="3 characters were not read last, but 2"):
        reader.take_back(3)


def test_memory_is_bounded_and_the_window_is_what_counts(network: LevelNetwork) -> None:
    rng = np.random.default_rng(3)
    ids, units = rng.integers(0, 20, 4000), rng.integers(0, 50, (4000, 4))
    whole, parts = forward(network, window=32), forward(network, window=32)
    at_once = whole.read(ids, units)[0][-1]
    in_parts, held = read_piecemeal(parts, ids, units)
    np.testing.assert_allclose(in_parts, at_once, atol=2e-5)
    assert held <= 4 * 16


# ------------------------------------------------------------------------------------------------ probabilities
def test_characters_have_a_distribution(model: LanguageModel) -> None:
    reading = model.reading()
    logs = model.log_shares(reading.read(model.alphabet.ids("Anna Keller said on M"))[0])
    assert logs.shape == (21, model.alphabet.size)
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, atol=1e-9)
    assert model.alphabet.text(logs[-1:].argmax(axis=1)) == "o"


def test_bits_are_those_of_training(model: LanguageModel) -> None:
    """Eight-bit weights, four-bit rows: a little more than the trained ones."""
    text = predict_text()
    known = trained().evaluate(text.development)[0]["bits"]
    bits = model.bits(text.alphabet.text(text.development))
    assert len(bits) == len(text.development) - 1
    assert float(bits.mean()) == pytest.approx(known, abs=0.15)
    assert float(bits.mean()) < 1.5


def test_an_unknown_character_costs_more_than_a_choice_among_all(model: LanguageModel) -> None:
    known, unknown = model.bits("Anna b")[-1], model.bits("Anna Ж")[-1]
    assert unknown > model.alphabet.other_bits > 20
    assert known < unknown
    assert len(model.bits("")) == len(model.bits("a")) == 0


def test_the_past_decides(model: LanguageModel) -> None:
    alone = model.bits("the harbour was closed until May.").sum()
    told = model.bits("Lena Vogt announced that the harbour was closed until May.")[-32:].sum()
    assert told < alone


# ------------------------------------------------------------------------------------------------------ writing
@pytest.mark.parametrize("prompt", ["", "Anna", "Mr. Osei told the court that", "Ж\x00 ?"])
@pytest.mark.parametrize("least_share", [0.0, 0.3, 1.0])
def test_checked_text_is_the_one_the_lowest_level_writes_alone(
    model: LanguageModel, prompt: str, least_share: float
) -> None:
    plain = write_on(model, prompt, Writing(150, Climb.PLAIN))
    checked = write_on(model, prompt, Writing(150, least_share=least_share))
    assert checked.text == plain.text
    assert len(plain.text) == 150
    assert plain.steps == 150


def test_sure_levels_save_steps(model: LanguageModel) -> None:
    written = write_on(model, invented_text(4), Writing(200, recalls=False))
    assert written.steps < 195
    assert any(source.startswith("level") for source in written.kept)
    assert sum(written.kept.values()) >= 200
    assert all(count <= 8 * written.heard[source] for source, count in written.kept.items())


def test_what_stood_in_the_text_before_saves_more(model: LanguageModel) -> None:
    recalled = write_on(model, invented_text(4), Writing(200))
    without = write_on(model, invented_text(4), Writing(200, recalls=False))
    assert recalled.text == without.text
    assert recalled.steps < 0.6 * without.steps
    assert recalled.kept["recalled"] > 2 * recalled.heard["recalled"]


def test_trusted_levels_are_kept_as_they_are(model: LanguageModel) -> None:
    free = write_on(model, invented_text(4), Writing(200, Climb.FREE))
    chars = {"next": 1, "level 1": 2, "level 2": 4, "level 3": 8}
    assert set(free.heard) > {"next"}
    assert all(free.kept[source] == chars[source] * free.heard[source] for source in free.heard)
    never = write_on(model, invented_text(4), Writing(200, Climb.FREE, least_share=1.01))
    assert never.text == write_on(model, invented_text(4), Writing(200, Climb.PLAIN)).text


def test_the_same_seed_draws_the_same_text(model: LanguageModel) -> None:
    def drawn(seed: int, top_p: float = 1.0) -> str:
        writing = Writing(80, temperature=1.0, seed=seed, top_p=top_p)
        return write_on(model, "the", writing).text

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(1, top_p=1e-9) == write_on(model, "the", Writing(80, Climb.PLAIN)).text


def test_a_prompt_longer_than_the_window_is_read(model: LanguageModel) -> None:
    prompt = invented_text(60)
    assert len(prompt) > 3000
    assert (
        write_on(model, prompt, Writing(20)).text
        == write_on(model, prompt, Writing(20, Climb.PLAIN)).text
    )
    assert write_on(model, "", Writing(9)).text == write_on(model, BEGINNING, Writing(9)).text


@pytest.mark.parametrize("temperature", [5e-324, 1e-320, 1e-3])
def test_the_coldest_text_is_the_likeliest(model: LanguageModel, temperature: float) -> None:
    cold = write_on(model, "the", Writing(40, temperature=temperature))
    assert cold.text == write_on(model, "the", Writing(40, Climb.PLAIN)).text


@pytest.mark.parametrize(
    ("chars", "temperature", "top_p", "least_share"),
    [
        (-1, 0, 1, 0.3),
        (5, -0.1, 1, 0.3),
        (5, math.nan, 1, 0.3),
        (5, math.inf, 1, 0.3),
        (5, 0, 0.0, 0.3),
        (5, 0, 1.1, 0.3),
        (5, 0, math.nan, 0.3),
        (5, 0, 1, math.nan),
    ],
)
def test_what_makes_no_text_is_refused(
    chars: int, temperature: float, top_p: float, least_share: float
) -> None:
    with pytest.raises(ValueError, match="nothing can be written so"):
        Writing(chars, temperature=temperature, top_p=top_p, least_share=least_share)


# ----------------------------------------------------------------------------------------------------- sureness
def test_longer_codes_are_never_less_sure() -> None:
    rng = np.random.default_rng(4)
    lengths = rng.uniform(0, 4, 2000)
    right = rng.uniform(size=2000) < lengths / 4
    found = fit_sureness(lengths, right)
    assert found["shares"] == sorted(found["shares"])
    sure = Sureness(tuple(found["lengths"]), tuple(found["shares"]))
    for length in (0.5, 2.0, 3.5):
        assert sure.share(length) == pytest.approx(length / 4, abs=0.08)
    assert sure.share(100.0) == found["shares"][-1]


def test_a_level_that_never_spoke_is_not_heard() -> None:
    found = fit_sureness(np.zeros(0), np.zeros(0, bool))
    assert Sureness(tuple(found["lengths"]), tuple(found["shares"])).share(3.0) == 0


def test_every_level_knows_how_sure_it_is(model: LanguageModel) -> None:
    assert len(model.sureness) == 4
    assert model.sureness[1].shares[-1] > model.sureness[3].shares[0]


# ------------------------------------------------------------------------------------------------------ weights
def test_weights_are_found_again_on_disk(tmp_path, model: LanguageModel) -> None:
    save_checkpoint(checkpoint(), tmp_path / "predict")
    loaded = load_language_model(tmp_path / "predict")
    assert loaded.name.startswith("tidings-predict-invented-")
    text = invented_text(3)
    np.testing.assert_array_equal(loaded.bits(text), model.bits(text))


def as_they_are(name: str, values: np.ndarray) -> Arrays:
    return {name: values}


def in_rows(bits: int) -> Store:
    def store(name: str, values: np.ndarray) -> Arrays:
        rows, scales = quantize_rows(values, bits=bits)
        return {name: rows, name + SCALES: scales}

    return store


def by_spqr(name: str, values: np.ndarray) -> Arrays:
    moment = 2 * np.eye(values.shape[1])
    return dict(pack_matrix(name, quantize_matrix(values, moment, SpqrConfig(bits=4, tau=0.5))))


STORES: dict[str, Store] = {
    "float32": as_they_are,
    "int8": in_rows(8),
    "int4": in_rows(4),
    "spqr": by_spqr,
}
ORDERS = [f"codes.{level}.order" for level in (1, 2, 3)]


@functools.cache
def whole_arrays() -> Arrays:
    """A gated model in float32."""
    known = gated_checkpoint().arrays
    return {**restored_arrays(known), **{name: known[name] for name in ORDERS}}


def stored_as(form: str, name: str) -> Arrays:
    """One of its arrays, a matrix in this form."""
    values = whole_arrays()[name]
    return (STORES[form] if values.ndim == 2 else as_they_are)(name, values)


def with_arrays(arrays: Arrays) -> Checkpoint:
    return dataclasses.replace(gated_checkpoint(), arrays=arrays)


def names() -> list[str]:
    """Every array of such a model, as training names it."""
    network = list(LevelNetwork(LEVELS).state_dict())
    parts = [f"codes.{level}.{part}" for level in (1, 2, 3) for part in ("letters", "outward")]
    codes = [*parts, *ORDERS, *(f"codes.{level}.mean" for level in (1, 2, 3))]
    gate = [f"gate.{name}" for name in GateNetwork(1).state_dict()]
    return [*network, "codes.0", "bias", *codes, *gate]


def refused(arrays: Arrays, name: str) -> bool:
    with pytest.raises(CheckpointError) as caught:
        LanguageModel(with_arrays(arrays))
    return name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("form", STORES)
def test_a_whole_model_is_loaded_in_every_form(form: str) -> None:
    text = invented_text(3)
    arrays: Arrays = {}
    for name in names():
        arrays |= stored_as(form, name)
    known, found = (
        LanguageModel(with_arrays(each)).bits(text) for each in (whole_arrays(), arrays)
    )
    assert found.mean() == pytest.approx(known.mean(), abs=0.5)


@pytest.mark.parametrize("form", STORES)
@pytest.mark.parametrize("name", names())
def test_an_array_that_is_missing_or_cut_is_named(name: str, form: str) -> None:
    stored = stored_as(form, name)
    arrays = without(whole_arrays(), name) | stored
    for key, values in stored.items():
        assert refused({k: v for k, v in arrays.items() if k != key}, name)
        cut = values[:-3] if len(values) else np.ones(3, values.dtype)
        assert refused({**arrays, key: cut}, name)
        if values.ndim == 2:
            assert refused({**arrays, key: np.ascontiguousarray(values[:, :-3])}, name)
        if values.dtype.kind == "f" and values.size:
            assert refused({**arrays, key: np.full_like(values, np.nan)}, name)


def test_an_order_that_leaves_a_place_out_is_refused() -> None:
    arrays = gated_checkpoint().arrays
    assert refused({**arrays, "codes.2.order": np.zeros_like(arrays["codes.2.order"])}, "codes.2")


def test_an_alphabet_of_another_size_is_refused() -> None:
    config = checkpoint().config
    shorter = {**config, "alphabet": config["alphabet"][:-1]}
    size = LanguageModel(checkpoint()).alphabet.size
    complaint = rf"an alphabet of {size - 1} characters, levels of {size}$"
    with pytest.raises(CheckpointError, match=complaint):
        LanguageModel(dataclasses.replace(checkpoint(), config=shorter))
    twice = {**config, "alphabet": "\n" + config["alphabet"]}
    with pytest.raises(CheckpointError, match=r"different characters: '\\n\\n") as caught:
        LanguageModel(dataclasses.replace(checkpoint(), config=twice))
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_named(tmp_path) -> None:
    arrays = {k: v for k, v in checkpoint().arrays.items() if k != "up.1.0.norm.weight"}
    save_checkpoint(dataclasses.replace(checkpoint(), arrays=arrays), tmp_path / "predict")
    with pytest.raises(CheckpointError) as caught:
        load_language_model(tmp_path / "predict")
    place = tmp_path / "predict" / "weights.safetensors"
    complaint = "these are no weights of a language model: up.1.0.norm.weight is missing"
    assert str(caught.value) == f"cannot use {place}: {complaint}"


def test_another_kind_of_model_is_refused() -> None:
    with pytest.raises(CheckpointError, match="no weights of a language model"):
        LanguageModel(Checkpoint({}, {"preset": "small"}, {}))


def test_the_packaged_model_knows_english_and_hears_experience() -> None:
    model = load_language_model()
    assert model.bytes < 2_500_000
    text = "The president said on Monday that the government would not raise taxes next year."
    alone = model.bits(text).mean()
    assert alone < 2.2 < 4 < model.bits(text[::-1]).mean()
    read = Experience()
    read.learn(model.alphabet.ids(f"The Quorvian envoy Zintha Moll arrived. {text} "))
    new = "Zintha Moll, the Quorvian envoy, arrived in May."
    assert model.bits(new, read).mean() < 0.85 * model.bits(new).mean()
