"""The tagger's spans are exact and repeatable, and damaged weights are refused."""

import itertools
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import CheckpointError
from model.tag import Tagger, load_tagger, tag_weights_path
from model.tag_sequence import viterbi
from model.tag_words import WORD

KINDS = {"person", "organization", "location", "misc"}
PASSAGE = (
    "Mayor Ana Bellweather met officials of the United Nations in Geneva on Monday.\n\n"
    "“We agreed,” Bellweather said after the German delegation left for Berlin."
)


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return load_tagger()


def found(tagger, text):
    return {(text[s.start_char : s.end_char], s.kind) for s in tagger.tag(text)}


def test_common_names_are_found_with_their_kinds(tagger):
    names = found(tagger, PASSAGE)
    assert ("Ana Bellweather", "person") in names
    assert ("United Nations", "organization") in names
    assert ("Geneva", "location") in names
    assert ("Berlin", "location") in names


def test_parts_of_speech_tell_verbs_from_nouns(tagger):
    words = {word.text: word.pos for word in tagger.read(PASSAGE).words}
    assert words["met"] == words["said"] == "VBD"
    assert words["officials"] == "NNS"
    assert words["Geneva"] == "NNP"


@settings(max_examples=60, deadline=None)
@given(
    text=st.lists(st.sampled_from([*"ab AB19.,-'’\n\u00e9", "n't", "U.S."]), max_size=60).map(
        "".join
    )
)
def test_words_cover_all_that_is_not_blank(text):
    covered = "".join(match[0] for match in WORD.finditer(text))
    assert "".join(covered.split()) == "".join(text.split())


def test_a_batch_reads_as_its_texts_one_by_one(tagger):
    texts = [PASSAGE, "", "Paris.", PASSAGE[::-1]]
    assert tagger.tag_batch(texts) == [tagger.tag(text) for text in texts]


def test_what_was_read_before_does_not_change_the_reading(tagger):
    fresh = load_tagger()
    assert fresh.read(PASSAGE) == tagger.read(PASSAGE)
    assert fresh.name == tagger.name


def test_a_run_without_sentence_ends_is_read_all_the_same(tagger):
    text = "Oslo and Rome " * 400
    assert len(tagger.read(text).words) == 1200


@given(seed=st.integers(0, 1000))
def test_viterbi_finds_the_best_of_all_sequences(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 5, size=3).tolist()
    scores = rng.normal(size=(sum(lengths), 3)).astype(np.float32)
    moves = rng.normal(size=(4, 3)).astype(np.float32)
    expected: list[int] = []
    start = 0
    for length in lengths:
        own, start = scores[start : start + length], start + length

        def worth(path, own=own):
            steps = sum(moves[a, b] for a, b in itertools.pairwise(path))
            return moves[-1, path[0]] + sum(own[i, tag] for i, tag in enumerate(path)) + steps

        expected += max(itertools.product(range(3), repeat=length), key=worth)
    assert viterbi(scores, lengths, moves) == expected


def test_missing_weights_are_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match="cannot load the tagger"):
        load_tagger(tmp_path)


def test_damaged_weights_are_a_checkpoint_error(tmp_path):
    copy = tmp_path / "tag"
    shutil.copytree(tag_weights_path(), copy)
    packed = (copy / "weights.safetensors").read_bytes()
    (copy / "weights.safetensors").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(CheckpointError):
        load_tagger(copy)


def test_weights_of_another_format_are_refused(tmp_path):
    copy = tmp_path / "tag"
    shutil.copytree(tag_weights_path(), copy)
    config = json.loads((copy / "config.json").read_text("utf-8"))
    (copy / "config.json").write_text(json.dumps({**config, "format": 999}), "utf-8")
    with pytest.raises(CheckpointError, match="format 999"):
        load_tagger(copy)
