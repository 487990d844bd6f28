"""Variants of sentences: each changes one thing, and the same thing every time."""

from __future__ import annotations

import pytest

from model.variants import (
    MAX_WORDS,
    _negated,
    _without_phrase,
    variants,
)

SENTENCES = [
    "A man is playing a guitar in the park.",
    "A man is riding a horse near the river.",
    "A woman is playing a flute.",
    "The boy was not running after the dog.",
    "Two dogs jump over a fence while children watch.",
    "Two cats jump over a wall.",
]


def words_changed(text: str, variant: str) -> tuple[list[str], list[str]]:
    """The words of both between the first and the last that differ."""
    ours, theirs = text.split(), variant.split()
    while ours and theirs and ours[0] == theirs[0]:
        del ours[0], theirs[0]
    while ours and theirs and ours[-1] == theirs[-1]:
        del ours[-1], theirs[-1]
    return ours, theirs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Rain is falling on the roof.", "Rain is not falling on the roof."),
        ("The boy was not running.", "The boy was running."),
        ("A dog barks loudly outside.", "There is no dog barks loudly outside."),
        ("Dogs bark loudly outside.", ""),
    ],
)
def test_the_contrary(text: str, expected: str) -> None:
    assert _negated(text.split(), 1) == expected


def test_with_a_phrase_less() -> None:
    text = "A man is playing a guitar in the park."
    assert _without_phrase(text.split(), 0) == "A man is playing a guitar."
    assert _without_phrase(["In", "the", "park."], 0) == ""


def test_other_words_and_ends_are_those_of_other_sentences() -> None:
    known = {word for text in SENTENCES for word in text.split()} | {"not", "There", "no"}
    found = variants(SENTENCES, per_sentence=5)
    assert len(found) >= 2 * len(SENTENCES)
    for variant in found:
        assert {word.rstrip(".") for word in variant.split()} <= {w.rstrip(".") for w in known}
        assert variant not in SENTENCES or len(variant.split()) >= 4


def test_a_word_gives_way_to_one_with_the_same_neighbours() -> None:
    texts = ["Two red dogs jump here today", "Two red cats jump here today"]
    changes = {
        tuple(map(tuple, words_changed(text, variant)))
        for text in texts
        for variant in variants([text, *texts], per_sentence=5)
        if len(variant.split()) == 6
    }
    assert (("dogs",), ("cats",)) in changes
    assert (("cats",), ("dogs",)) in changes


def test_the_same_sentences_give_the_same_variants_and_no_more_than_asked_for() -> None:
    assert variants(SENTENCES, per_sentence=3) == variants(SENTENCES, per_sentence=3)
    assert len(variants(SENTENCES, per_sentence=1)) <= len(SENTENCES)


def test_long_short_and_no_sentences_stay_as_they_are() -> None:
    assert variants([], per_sentence=3) == []
    assert variants(["It is so.", " ".join(["is"] * (MAX_WORDS + 1))], per_sentence=3) == []
