"""The asker: what it writes hides its answer, names nobody unknown, and is the same for every batch."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model import (
    Asker,
    CheckpointError,
    Encoder,
    Reader,
    load_asker,
    load_encoder,
    load_reader,
    load_tagger,
)
from model.ask import asker_settings, is_found, same_words, tells
from model.ask_config import AskConfig, tiny
from model.ask_decode import LONGEST_WRITTEN, Written
from model.ask_form import is_question, is_told, is_well_formed
from model.ask_forward import NumpyAskNetwork, stored_arrays
from model.ask_names import NameGuard
from model.ask_network import AskNetwork
from model.ask_text import (
    ALPHABET,
    KINDS,
    PEOPLE,
    QUESTION_END,
    SIZE,
    UNKNOWN,
    prompt_ids,
    question_ids,
    read_characters,
    write_characters,
)
from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.read import Span
from model.read_config import tiny as tiny_reader
from model.read_train import train_read
from tests.model.test_read_data import write_training_data

SENTENCE = "In 1984 Anna Keller bought the old bridge in Oslo for 2,400 crowns."
SPANS = (
    (SENTENCE, 3, 7),
    (SENTENCE, 8, 19),
    ("Nobody knows Žilina, said the mayor.", 13, 19),
    ("A" * 400, 0, 3),
)


def network_of(config: AskConfig) -> AskNetwork:
    torch.manual_seed(1)
    return AskNetwork(config, dropout=0.0).eval()


@pytest.fixture(scope="module")
def config() -> AskConfig:
    return replace(tiny().asker, alphabet=SIZE)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Reader:
    encoder: Encoder = load_encoder(tiny_folder)
    data = write_training_data(tmp_path_factory.mktemp("ask"))
    out = tmp_path_factory.mktemp("reader") / "read"
    train_read(tiny_reader(), data, out, encoder=encoder)
    return load_reader(out, encoder=encoder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, config: AskConfig) -> Path:
    """An asker that was never trained."""
    weights = {name: value.numpy() for name, value in network_of(config).state_dict().items()}
    out = tmp_path_factory.mktemp("asker") / "ask"
    save_checkpoint(Checkpoint(stored_arrays(weights), asker_settings(config), {}), out)
    return out


@pytest.fixture(scope="module")
def asker(folder: Path, reader: Reader) -> Asker:
    return load_asker(folder, reader=reader)


# ------------------------------------------------------------------------------------- characters
@given(text=st.text(alphabet=ALPHABET, max_size=60))
def test_characters_of_the_alphabet_come_back(text: str) -> None:
    assert write_characters(read_characters(text)) == text


@given(text=st.text(max_size=60))
def test_any_text_is_read_a_character_at_a_time(text: str) -> None:
    ids = read_characters(text)
    assert len(ids) == len(text)
    assert (ids < SIZE).all()
    assert (ids >= UNKNOWN).all()


def test_an_alphabet_has_every_character_once() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET)
    assert all(char.isprintable() for char in ALPHABET)


def test_a_prompt_marks_its_span() -> None:
    ids = prompt_ids(SENTENCE, 3, 7, PEOPLE)
    assert len(ids) == len(SENTENCE) + 3
    assert write_characters(ids) == SENTENCE
    assert len(prompt_ids(SENTENCE, 0, 0, PEOPLE)) == len(SENTENCE) + 1
    assert question_ids("Who?")[-1] == QUESTION_END


# ---------------------------------------------------------------------------------------- network
def test_numpy_reads_on_as_torch_does(config: AskConfig) -> None:
    network = network_of(config)
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    ids = np.random.default_rng(0).integers(UNKNOWN, SIZE, (3, 20))
    with torch.no_grad():
        wanted = network(torch.from_numpy(ids)).numpy()  # (B, T, V)
    ours = NumpyAskNetwork(config, arrays)
    told, found = ours.read(ids[:, :12], np.ones((3, 12), np.bool_))
    np.testing.assert_allclose(found, wanted[:, 11], atol=1e-4)
    told.fan_out(2)
    for at in range(12, 20):
        if at == 15:
            told.keep(np.array([2, 0]), np.array([5, 4, 0, 1]))
            ids, wanted = ids[[2, 0]], wanted[[2, 0]]
        found = ours.write(ids[:, at].repeat(2), told)
        np.testing.assert_allclose(found, wanted[:, at].repeat(2, axis=0), atol=1e-4)


def test_what_fills_a_row_up_changes_nothing(config: AskConfig) -> None:
    arrays = {name: value.numpy() for name, value in network_of(config).state_dict().items()}
    ours = NumpyAskNetwork(config, arrays)
    ids = np.random.default_rng(0).integers(UNKNOWN, SIZE, (2, 9))
    padded = np.concatenate((np.zeros((2, 7), np.int64), ids), axis=1)
    alone, filled = ours.read(ids, ids > 0), ours.read(padded, padded > 0)
    np.testing.assert_allclose(filled[1], alone[1], atol=1e-4)
    signs = np.array([40, 50])
    found = [ours.write(signs, told) for told, _ in (alone, filled)]
    np.testing.assert_allclose(found[1], found[0], atol=1e-4)


def test_a_later_character_tells_an_earlier_one_nothing(config: AskConfig) -> None:
    network = network_of(config)
    ids = torch.from_numpy(np.random.default_rng(0).integers(UNKNOWN, SIZE, (1, 12)))
    other = ids.clone()
    other[:, 8:] = UNKNOWN
    with torch.no_grad():
        torch.testing.assert_close(network(ids)[:, :8], network(other)[:, :8])


# ------------------------------------------------------------------------------------------ names
def spelled(guard: NameGuard, text: str) -> bool:
    for sign in question_ids(text):
        if not guard.allowed()[sign]:
            return False
        guard.write(int(sign))
    return True


@pytest.mark.parametrize(
    ("question", "is_allowed"),
    [
        ("Who bought the bridge in Oslo?", True),
        ("Who bought the bridge in Paris?", False),
        ("Who bought the bridge in Osl?", False),
        ("Who bought Oslo's old bridge?", True),
        ("When did Anna Keller buy the bridge?", True),
        ("Who bought it in 1984 for 2,400 crowns?", True),
        ("Who bought it in 1985?", False),
        ("Who bought it in 19845?", False),
        ("Whose bridge is it — the mayor’s?", True),
        ("Who met macDonald?", False),
    ],
)
def test_names_and_numbers_are_copied(question: str, is_allowed: bool) -> None:
    assert spelled(NameGuard(SENTENCE, 0, 0), question) is is_allowed


def test_the_answers_own_name_may_not_be_written() -> None:
    assert not spelled(NameGuard(SENTENCE, 45, 49), "Who bought the bridge in Oslo?")


def test_what_is_no_character_is_never_allowed() -> None:
    allowed = NameGuard(SENTENCE, 0, 0).allowed()
    assert not allowed[UNKNOWN]
    assert not any(allowed[kind] for kind in KINDS)


# -------------------------------------------------------------------------------------- questions
@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Who bought the old bridge?", True),
        ("In which year was it sold?", True),
        ("Who bought the old bridge", False),
        ("who bought the old bridge?", False),
        ("The old bridge was bought?", False),
        ("The mayor sold the old bridge when?", False),
        ('Who said "buy the bridge?', False),
        ("", False),
        ("?", False),
    ],
)
def test_the_form_of_a_question(text: str, is_one: bool) -> None:
    assert is_question(text) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("When did the mayor buy the bridge?", True),
        ("Who has said that the bridge is old?", True),
        ("In what year was the bridge sold?", True),
        ("How many people will have crossed the bridge?", True),
        ("Who was the man who had bought it?", True),
        ("How many people were hurt as it fell and was sold?", True),
        ("When was the bridge is sold?", False),
        ("When did the mayor bought the bridge?", False),
        ("What have the town will have from the bridge?", False),
        ("In which country has the bridge isn't old?", False),
        ("How many people of the old town?", False),
        ("When did the old bridge of the town?", False),
        ("Who bought a new the bridge?", False),
        ("Who sold the bridge to?", True),
        ("Who sold the?", False),
        ("Not one.", False),
    ],
)
def test_the_main_clause_has_no_verb_too_many(text: str, is_one: bool) -> None:
    assert is_well_formed(load_tagger().read_batch([text])[0].words) is is_one


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("Who bought the old bridge in Oslo?", True),
        ("Which company bought the bridge?", True),
        ("Who bought the the bridge?", False),
        ("Who bought the bridge of the bridge?", False),
        ("Who repaired the ancient harbour?", False),
    ],
)
def test_a_question_is_made_of_its_sentence(text: str, is_one: bool) -> None:
    assert is_told(text, SENTENCE) is is_one


def test_a_question_that_holds_its_answer_tells_it() -> None:
    assert tells("Who is Anna Keller of Oslo?", "Anna Keller")
    assert tells("In what city of Oslo is it?", "the Oslo")
    assert not tells("Who bought the bridge?", "Anna Keller")


def test_answers_are_the_same_when_most_of_their_words_are() -> None:
    assert same_words("Anna Keller", "the engineer Anna Keller")
    assert not same_words("Anna Keller", "Paul Moreau")
    assert same_words("…", "…")
    assert not same_words("", "Oslo")
    assert is_found(Span(8, 19, 0.0, 0.0), SENTENCE, 8, 19)
    assert not is_found(Span(3, 7, 0.0, 0.0), SENTENCE, 8, 19)


def test_a_question_is_judged_by_what_the_reader_finds(asker: Asker) -> None:
    assert asker.tried(*SPANS[1], Written("", -np.inf)).fault == "unsure"
    assert asker.tried(*SPANS[1], Written("No question.", 0.0)).fault == "malformed"
    assert asker.tried(*SPANS[1], Written("Who is is Oslo?", 0.0)).fault == "clumsy"
    assert asker.tried(*SPANS[1], Written("Who is Anna Keller?", 0.0)).fault == "tells"
    assert asker.tried(*SPANS[1], Written("Who bought the bridge?", -9.0)).fault == "unsure"
    fault = asker.tried(*SPANS[1], Written("Who bought the old bridge in Oslo?", 0.0)).fault
    assert fault in {None, "lost", "leaks"}


def test_what_is_written_does_not_depend_on_its_company(asker: Asker) -> None:
    together = asker.propose(SPANS)
    assert together == asker.propose(SPANS)
    alone = [asker.propose([span])[0] for span in SPANS]
    assert [one.question for one in together] == [one.question for one in alone]
    for one in together:
        assert len(one.question) <= LONGEST_WRITTEN


def test_nothing_is_asked_about_nothing(asker: Asker) -> None:
    assert asker.propose([]) == []
    strange = [("", 0, 0), (SENTENCE, 5, 5), (SENTENCE, 9, 400), ("b" * 100_000, 1, 3)]
    assert {one.fault for one in asker.propose(strange)} == {"unsure"}


@settings(
    deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sentence=st.text(min_size=1, max_size=40), data=st.data())
def test_any_sentence_is_asked_about(asker: Asker, sentence: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(sentence) - 1))
    end = data.draw(st.integers(start + 1, len(sentence)))
    one = asker.propose([(sentence, start, end)])[0]
    assert not (read_characters(one.question) == UNKNOWN).any()


# ---------------------------------------------------------------------------------------- weights
def test_an_asker_knows_its_name_and_size(asker: Asker, folder: Path) -> None:
    assert asker.name.startswith("tidings-ask-tiny-")
    assert asker.bytes == sum(a.nbytes for a in load_checkpoint(folder).arrays.values())


def test_other_weights_are_refused(tmp_path: Path, folder: Path, reader: Reader) -> None:
    checkpoint = load_checkpoint(folder)
    for config, arrays in (
        ({**checkpoint.config, "characters": "abc"}, checkpoint.arrays),
        ({**checkpoint.config, "n_layer": 9}, checkpoint.arrays),
        ({**checkpoint.config, "n_head": 0}, checkpoint.arrays),
        ({}, checkpoint.arrays),
        (
            checkpoint.config,
            {**checkpoint.arrays, "out_norm.weight": np.full(32, np.nan, np.float32)},
        ),
    ):
        with pytest.raises(CheckpointError):
            Asker(replace(checkpoint, config=config, arrays=arrays), reader, load_tagger())
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "config.json").write_text(json.dumps({}), encoding="utf8")
    with pytest.raises(CheckpointError):
        load_asker(broken, reader=reader)


def test_sizes_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="do not go together"):
        AskConfig("odd", n_embd=30, n_head=4)


# ---------------------------------------------------------------------------------------- shipped
TOLD = (
    ("Anna Keller said the town would build a new bridge over the river.", "Anna Keller"),
    ("About 400 people were hurt when the old bridge fell on Tuesday.", "400"),
    ("The town council voted on Monday to close the harbour for two years.", "The town council"),
    ("Maria Silva won the race in Porto on Sunday.", "Maria Silva"),
    ("Storm Petra left 17,000 homes without power.", "17,000"),
)


def test_the_shipped_asker_words_what_it_is_sure_of() -> None:
    asker = load_asker(reader=load_reader(encoder=load_encoder()))
    spans = [(text, text.index(it), text.index(it) + len(it)) for text, it in TOLD]
    passed = [
        (span, one.question)
        for span, one in zip(spans, asker.propose(spans), strict=True)
        if one.fault is None
    ]
    assert len(passed) >= 3
    for (sentence, start, end), question in passed:
        assert is_question(question)
        assert not tells(question, sentence[start:end])
        assert spelled(NameGuard(sentence, start, end), question)
