"""What the tagger remembers of words is what it would reckon anew, and is bounded."""

import numpy as np
import pytest

from model import tag_scores
from model.tag import load_tagger
from model.tag_scores import WordBook, slot_hashes
from model.tag_words import word_features

WORDS = ["the", "Geneva", "co-operate", "U.S.", "1,200", "it's", "zzyzx", "\n", "é" * 60]
TEXT = "Mayor Ana Bellweather met officials of the United Nations in Geneva on Monday."


@pytest.fixture(scope="module")
def tagger():
    return load_tagger()


def test_words_scored_together_have_the_scores_they_have_alone(tagger):
    book = WordBook(tagger.heads, tagger.vocabulary)
    numbers = book.numbers(WORDS)
    for word in WORDS:
        features = word_features(word, tagger.vocabulary)
        at = np.array([numbers[word]])
        assert book.traits(at).tolist() == [list(features.traits)]
        for n, head in enumerate(tagger.heads):
            for slot, hashes in enumerate(slot_hashes(features.unit, features.near)):
                assert (book.scores(n, slot, at)[0] == head.score(hashes)).all()


def test_the_book_grows_and_keeps_its_numbers(tagger, monkeypatch):
    monkeypatch.setattr(tag_scores, "FIRST_ROOM", 2)
    book = WordBook(tagger.heads, tagger.vocabulary)
    first = book.numbers(WORDS[:2])
    before = book.scores(0, 0, np.array(list(first.values())))
    everything = book.numbers(WORDS)
    assert {word: everything[word] for word in first} == first
    assert (book.scores(0, 0, np.array(list(first.values()))) == before).all()


def test_what_is_forgotten_changes_no_reading(tagger, monkeypatch):
    monkeypatch.setattr(tag_scores, "MAX_REMEMBERED_WORDS", 3)
    fresh = load_tagger()
    for _ in range(3):
        assert fresh.read(TEXT) == tagger.read(TEXT)
    assert len(fresh._book._numbers) <= len(TEXT.split()) + 3
