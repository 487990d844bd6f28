"""Hard negatives resemble the anchor and are never its positive."""

from __future__ import annotations

from model.hard_negatives import find_hard_negatives
from model.texts import letters_and_digits

PLACES = ("Lima", "Oslo", "Bern", "Rome", "Cairo", "Delhi")
THINGS = ("bridge", "harbour", "school", "museum", "airport")
PAIRS = [
    (f"{thing} in {place}", f"The {thing} in {place} was opened in spring, said the mayor.")
    for place in PLACES
    for thing in THINGS
]


def test_a_negative_is_another_text_that_shares_words_with_the_anchor() -> None:
    negatives = find_hard_negatives(PAIRS)
    assert sum(negative != "" for negative in negatives) > len(PAIRS) // 2
    for (anchor, positive), negative in zip(PAIRS, negatives, strict=True):
        if not negative:
            continue
        thing, _, place = anchor.partition(" in ")
        assert letters_and_digits(negative) != letters_and_digits(positive)
        assert thing in negative or place in negative


def test_a_text_that_differs_in_marks_alone_is_no_negative() -> None:
    twins = [(anchor + "?", positive.upper()) for anchor, positive in PAIRS]
    negatives = find_hard_negatives([*PAIRS, *twins])
    for (_, positive), negative in zip([*PAIRS, *twins], negatives, strict=True):
        assert letters_and_digits(negative) != letters_and_digits(positive)


def test_the_same_pairs_give_the_same_negatives() -> None:
    assert find_hard_negatives(PAIRS) == find_hard_negatives(PAIRS)


def test_too_few_texts_have_no_negatives() -> None:
    assert find_hard_negatives(PAIRS[:3]) == [""] * 3
    assert find_hard_negatives([]) == []
