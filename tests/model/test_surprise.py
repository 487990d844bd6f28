"""What the parts of a text cost: as the language model says, wherever they stand, whatever was read before."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import CheckpointError
from model.experience import Experience
from model.predict import LanguageModel
from model.surprise import costs_of, dearest_word, lay_out, learn, mean_bits
from tests.model.language_models import checkpoint, gated_checkpoint, invented_text

TITLE = "Bridge sold"


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(gated_checkpoint())


def test_parts_are_found_again_where_paragraphs_were_joined():
    text = "First here.\n \nThe cafe\u0301 closed.  \n\nLast."
    places = [(text.index(part), text.index(part) + len(part)) for part in ("cafe\u0301", "Last.")]
    laid = lay_out(" A  title ", text, [*places, (places[0][0] + 1, places[1][1])])
    assert laid.text == "A title\nFirst here.\nThe caf\u00e9 closed.\nLast."
    parts = [laid.text[begin:end] for begin, end in laid.places]
    assert parts == ["caf\u00e9", "Last.", "af\u00e9 closed.\nLast."]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("ab \n\u00e9", min_size=1, max_size=6), min_size=1, max_size=6))
def test_words_keep_their_letters(parts):
    text = " ".join(parts)
    words = [word for word in text.split() if word]
    places, at = [], 0
    for word in words:
        at = text.index(word, at)
        places.append((at, at + len(word)))
        at += len(word)
    laid = lay_out("", text, places)
    assert [laid.text[begin:end] for begin, end in laid.places] == [
        unicodedata.normalize("NFC", word) for word in words
    ]


def test_costs_are_the_models_own_bits(model):
    text, earlier = invented_text(4, seed=7), invented_text(20, seed=8)
    experience = Experience()
    learn(model, [earlier], experience)
    (costs,) = costs_of(model, [text], experience)
    np.testing.assert_allclose(costs.alone[1:], model.bits(text))
    np.testing.assert_allclose(costs.own[1:], model.bits(text, Experience()))
    np.testing.assert_allclose(costs.read[1:], model.bits(text, experience))
    assert costs.alone[0] == costs.read[0] == 0


def test_texts_looked_up_at_once_cost_what_they_cost_one_after_the_other(model):
    texts = [invented_text(3, seed=seed) for seed in (4, 5, 6)]
    at_once, experience = costs_of(model, texts, Experience()), Experience()
    for text, costs in zip(texts, at_once, strict=True):
        (alone,) = costs_of(model, [text], experience)
        np.testing.assert_allclose(costs.read, alone.read)
        learn(model, [text], experience)


def test_what_was_read_before_surprises_less(model):
    text = invented_text(6, seed=9)
    experience = Experience()
    learn(model, [text], experience)
    (costs,) = costs_of(model, [text], experience)
    everything = (1, len(text))
    assert mean_bits(costs.read, everything) < 0.9 * mean_bits(costs.own, everything)
    (first,) = costs_of(model, [text])
    np.testing.assert_array_equal(first.read, first.own)


def test_no_texts_cost_nothing(model):
    assert costs_of(model, [], Experience()) == []


def test_a_strange_word_is_the_dearest(model):
    text = "Anna Keller announced that taxes would rise by 39 percent."
    laid = lay_out(TITLE, text, [(0, len(text)), (0, 11), (11, 12)])
    (costs,) = costs_of(model, [laid.text])
    begin = laid.text.index("39")
    whole, name, blank = (dearest_word(costs.own, laid, place) for place in laid.places)
    assert whole >= float(costs.own[begin : begin + 2].sum())
    assert whole >= name > blank == 0


def test_a_model_without_a_gate_is_refused():
    with pytest.raises(CheckpointError, match="it has no gate"):
        costs_of(LanguageModel(checkpoint()), ["text"])
