"""The reader: spans quote their passage, whatever the texts and whatever stands beside them."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model import CheckpointError, Encoder, Tagger, load_encoder, load_tagger
from model.checkpoint import load_checkpoint, save_checkpoint
from model.quantize import SCALES
from model.read import LARGEST, Reader, best_span, load_reader, trimmed
from model.read_config import tiny
from model.read_forward import NumpyReadNetwork, stored_arrays
from model.read_layout import MAX_PASSAGE_WORDS, lay_out_pairs, row_length, windows
from model.read_network import ReadNetwork, RowTensors
from model.read_train import train_read
from model.read_words import WordBook, stem
from model.tag import Stored
from model.tag_data import PARTS
from tests.model.test_read_data import write_training_data

PASSAGES = (
    "In 1984 Anna Keller bought the old bridge in Oslo. The mayor was not amused.",
    "Paul Moreau (born 1950) sells a small bakery in Porto.",
    "Nothing of the kind is told here.",
)
QUESTION = "Who bought the old bridge in Oslo?"
STRANGE_QUESTIONS = (
    "",
    " \n\t ",
    "?",
    "who " * 30_000,
    "a" * 100_000,
    "\x00\x01\x1b[31m\u202e\ufeff",
    "Кто купил старый мост в Осло?",
    "誰が橋を買いましたか",
    "\U0001f600" * 50,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_training_data(tmp_path_factory.mktemp("read"))


@pytest.fixture(scope="module")
def encoder(tiny_folder: Path) -> Encoder:
    return load_encoder(tiny_folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data: Path, encoder: Encoder) -> Path:
    out = tmp_path_factory.mktemp("reader") / "read"
    train_read(tiny(), data, out, encoder=encoder)
    return out


@pytest.fixture(scope="module")
def reader(folder: Path, encoder: Encoder) -> Reader:
    return load_reader(folder, encoder=encoder)


def check_spans(reader: Reader, question: str, passages: list[str]) -> None:
    spans = reader.read(question, passages)
    assert len(spans) == len(passages)
    for span, passage in zip(spans, passages, strict=True):
        assert 0 <= span.start <= span.end <= len(passage)
        assert math.isfinite(span.score)
        assert math.isfinite(span.no_answer)
        answer = passage[span.start : span.end]
        assert answer == answer.strip()
        if not passage:
            assert (span.start, span.end) == (0, 0)


def test_a_span_is_some_words_of_its_passage(reader: Reader) -> None:
    check_spans(reader, QUESTION, list(PASSAGES))
    for span, passage in zip(reader.read(QUESTION, PASSAGES), PASSAGES, strict=True):
        assert span.end > span.start
        assert not passage[span.start - 1 : span.start].isalnum()
        assert not passage[span.end : span.end + 1].isalnum()


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(question=st.text(max_size=60), passages=st.lists(st.text(max_size=120), max_size=4))
def test_any_texts_are_read(reader: Reader, question: str, passages: list[str]) -> None:
    check_spans(reader, question, passages)


@pytest.mark.parametrize("question", STRANGE_QUESTIONS, ids=range(len(STRANGE_QUESTIONS)))
def test_strange_questions_are_read(reader: Reader, question: str) -> None:
    check_spans(reader, question, [*PASSAGES, "", " ", "...", question[:5000]])


def test_nothing_to_read_is_no_answer(reader: Reader) -> None:
    for span in (reader.read(QUESTION, [""])[0], reader.read("", [PASSAGES[0]])[0]):
        assert (span.start, span.end) == (0, 0)
        assert span.no_answer == LARGEST
    assert reader.read(QUESTION, []) == []


def test_many_and_long_passages_are_read(reader: Reader) -> None:
    check_spans(reader, QUESTION, [f"{PASSAGES[at % 3]} {at}" for at in range(500)])
    check_spans(reader, QUESTION, ["word " * 20_000, "x" * 100_000])


def test_a_passage_is_read_alike_alone_and_among_others(reader: Reader) -> None:
    passages = [*PASSAGES, PASSAGES[0] * 3, PASSAGES[1] * 40, "", PASSAGES[0]]
    together = reader.read(QUESTION, passages)
    for passage, span in zip(passages, together, strict=True):
        alone = reader.read(QUESTION, [passage])[0]
        assert (alone.start, alone.end) == (span.start, span.end)
        assert alone.score == pytest.approx(span.score, abs=1e-5, rel=1e-5)
        assert alone.no_answer == pytest.approx(span.no_answer, abs=1e-5, rel=1e-5)


def test_a_fresh_reader_reads_the_same(folder: Path, encoder: Encoder, reader: Reader) -> None:
    other = load_reader(folder, encoder=encoder)
    assert other.read(QUESTION, PASSAGES) == reader.read(QUESTION, PASSAGES)
    assert other.name == reader.name
    assert reader.name.endswith(reader.hash[:8])


def test_numpy_gives_what_torch_gives(encoder: Encoder) -> None:
    config = tiny().reader
    torch.manual_seed(3)
    network = ReadNetwork(config, dim=encoder.dim, parts=len(PARTS) + 1, dropout=(0.1, 0.1)).eval()
    weights = {name: np.asarray(value.numpy()) for name, value in network.state_dict().items()}
    arrays = stored_arrays(weights)
    restored = {
        name: torch.from_numpy(arrays[name].astype(np.float32) * arrays[name + SCALES][:, None])
        for name in arrays
        if name + SCALES in arrays
    }
    network.load_state_dict({**network.state_dict(), **restored})
    ours = NumpyReadNetwork(config, arrays, dim=encoder.dim, parts=len(PARTS) + 1)
    book = WordBook(encoder, load_tagger(), PARTS)
    question, *passages = book.read([QUESTION, *PASSAGES])
    pairs = [(question, passage) for passage in passages]
    rows = lay_out_pairs(book, pairs, max(row_length(pair) for pair in pairs))
    with torch.no_grad():
        spans, none = network(RowTensors.of(rows), torch.from_numpy(book.vectors))
    found, absent = ours.score(rows, book.vectors)
    possible = found > -1e6
    assert (possible == (spans.numpy() > -1e6)).all()
    np.testing.assert_allclose(found[possible], spans.numpy()[possible], atol=1e-4)
    np.testing.assert_allclose(absent, none.numpy(), atol=1e-4)


def test_long_passages_are_cut_into_windows_that_overlap() -> None:
    assert windows(10) == [(0, 10)]
    assert windows(MAX_PASSAGE_WORDS) == [(0, MAX_PASSAGE_WORDS)]
    cut = windows(2000)
    assert cut[0][0] == 0
    assert cut[-1][1] == 2000
    assert all(end - first <= MAX_PASSAGE_WORDS for first, end in cut)
    assert all(after[0] < before[1] for before, after in itertools.pairwise(cut))


@pytest.mark.parametrize("span", [") sells a bakery", "sells a bakery ("])
def test_a_lone_bracket_is_no_part_of_an_answer(span: str) -> None:
    passage = f"Paul (born 1950{span} in Porto)."
    start, end = trimmed(passage, passage.index(span), passage.index(span) + len(span))
    assert passage[start:end] == "sells a bakery"


def test_log_odds_by_hand() -> None:
    spans = np.array([[0.0, 1.0], [-1e9, -1e9]], np.float32)
    first, last, lead, score, absent = best_span(spans, none=2.0)
    assert (first, last, lead) == (0, 1, -1.0)
    assert score == pytest.approx(math.log(math.e / (1 + math.e**2)))
    assert absent == pytest.approx(math.log(math.e**2 / (1 + math.e)))


@pytest.mark.parametrize(
    ("marked", "answer"),
    [
        ("[, Oslo. ]", "Oslo"),
        ("[“Oslo”]", "Oslo"),
        ("[(Oslo]", "Oslo"),
        ("[Oslo (Norway)]", "Oslo (Norway)"),
        ("[$12 million]", "$12 million"),
        ("[...]", "..."),
    ],
)
def test_marks_at_the_ends_are_taken_off(marked: str, answer: str) -> None:
    passage = f"x {marked[1:-1]} y"
    start, end = trimmed(passage, 2, 2 + len(marked) - 2)
    assert passage[start:end] == answer


def test_forms_of_a_word_share_a_stem() -> None:
    assert stem("buying") == stem("buys") == stem("buy")
    assert stem("Founded") == stem("founder")
    assert stem("1984") == "1984"


# ------------------------------------------------------------------------------------ damaged weights
def broken_copy(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def test_missing_weights_are_said(tmp_path: Path, encoder: Encoder) -> None:
    with pytest.raises(CheckpointError, match="is missing") as caught:
        load_reader(tmp_path, encoder=encoder)
    assert "\n" not in str(caught.value)


def test_changed_weights_are_said(folder: Path, tmp_path: Path, encoder: Encoder) -> None:
    copy = broken_copy(folder, tmp_path / "read")
    path = copy / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(CheckpointError, match="damaged"):
        load_reader(copy, encoder=encoder)


@pytest.mark.parametrize("change", ["drop", "shape", "nan", "config"])
def test_weights_that_do_not_fit_are_said(
    folder: Path, tmp_path: Path, encoder: Encoder, change: str
) -> None:
    checkpoint = load_checkpoint(folder)
    if change == "drop":
        del checkpoint.arrays["length"]
    elif change == "shape":
        checkpoint.arrays["length"] = checkpoint.arrays["length"][:-1]
    elif change == "nan":
        checkpoint.arrays["length"] = checkpoint.arrays["length"] * np.float32(np.nan)
    else:
        checkpoint.config["n_embd"] = 7
    save_checkpoint(checkpoint, tmp_path / "read")
    with pytest.raises(CheckpointError, match="no reader") as caught:
        load_reader(tmp_path / "read", encoder=encoder)
    assert "\n" not in str(caught.value)


def test_another_encoder_is_refused(folder: Path, tmp_path: Path, encoder: Encoder) -> None:
    checkpoint = load_checkpoint(folder)
    checkpoint.config["encoder"] = "another"
    save_checkpoint(checkpoint, tmp_path / "read")
    with pytest.raises(CheckpointError, match="another encoder"):
        load_reader(tmp_path / "read", encoder=encoder)


def test_a_rounded_tagger_stands_for_the_one_that_it_was_rounded_from(
    folder: Path, encoder: Encoder, reader: Reader
) -> None:
    own = load_tagger()

    def tagger(rounded_from: str) -> Tagger:
        names, parts = own.heads
        stored = Stored(rounded_from=rounded_from)
        return Tagger("rounded", names=names, parts=parts, vocabulary=own.vocabulary, stored=stored)

    found = load_reader(folder, encoder=encoder, tagger=tagger(own.name))
    assert found.read("Who?", ["Ana met Bo."]) == reader.read("Who?", ["Ana met Bo."])
    with pytest.raises(CheckpointError, match="another encoder or tagger"):
        load_reader(folder, encoder=encoder, tagger=tagger("another"))


def test_weights_say_where_they_came_from(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text(encoding="utf8"))
    assert meta["command"] == "train read --preset tiny --seed 1"
    assert meta["seed"] == 1
    assert len(meta["data_digest"]) == 16


def test_the_packaged_reader_finds_plain_answers() -> None:
    packaged = load_reader(encoder=load_encoder())
    assert packaged.bytes < 1_500_000
    questions = ("Who bought the old bridge in Oslo?", "How many people were killed in Peru?")
    passages = [
        "In 1984 Anna Keller bought the old bridge in Oslo.",
        "At least 12 people were killed when a bus plunged into a ravine in northern Peru.",
    ]
    for right, (question, answer) in enumerate(zip(questions, ("Anna Keller", "12"), strict=True)):
        spans = packaged.read(question, passages)
        assert passages[right][spans[right].start : spans[right].end] == answer
        assert spans[right].no_answer < spans[1 - right].no_answer
        assert spans[right].score > spans[1 - right].score
