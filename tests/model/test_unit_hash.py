"""Rows of what ends at a character: the same for the same stretch, whatever comes before or later."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.alphabet import Alphabet
from model.unit_hash import LONGEST_WORD, LOOK_BACK, UnitHash

ALPHABET = Alphabet.of(["abcdefgh .'"])
HASH = UnitHash.of(ALPHABET, rows=1 << 20, grams=(3, 5))
GRAM3, GRAM5, WORD, WORDS = range(4)
TEXTS = st.text(alphabet="abcdefgh .'Ж", min_size=1, max_size=150)


def rows(text: str) -> np.ndarray:
    return np.asarray(HASH(ALPHABET.ids(text)[None])[0])


def at_end(text: str) -> list[int]:
    return [int(row) for row in rows(text)[-1]]


def test_equal_stretches_have_equal_rows() -> None:
    assert at_end("ab cde")[GRAM3] == at_end("hhh cde")[GRAM3]
    assert at_end("ab cde")[GRAM3] != at_end("ab cdd")[GRAM3]
    assert at_end("a bcab")[WORD] == at_end("h.bcab")[WORD]
    assert at_end("a bcab")[WORD] != at_end("aabcab")[WORD]
    assert at_end("fa gab bc")[WORDS] == at_end("h gab bc")[WORDS]
    assert at_end("fa gab bc")[WORDS] != at_end("fa gac bc")[WORDS]
    assert at_end("gab.bc")[WORDS] != at_end("gab bc")[WORDS]


def test_an_apostrophe_is_of_a_word_and_a_mark_is_its_own() -> None:
    assert at_end("h a'b")[WORD] == at_end("c a'b")[WORD]
    assert at_end("a'b")[WORD] != at_end("c'b")[WORD]
    assert at_end("ab.")[WORD] == at_end("cd.")[WORD]


@settings(deadline=None)
@given(TEXTS, st.text(alphabet="abcdefgh .", max_size=20))
def test_no_row_knows_what_comes_later(text: str, later: str) -> None:
    np.testing.assert_array_equal(rows(text + later)[: len(text)], rows(text))


@settings(deadline=None)
@given(st.text(alphabet="abcdefgh .'", min_size=120, max_size=200), st.integers(LOOK_BACK, 110))
def test_the_last_characters_are_enough(text: str, kept: int) -> None:
    ids = ALPHABET.ids(text)
    np.testing.assert_array_equal(HASH(ids[None, -kept:])[0, -1], rows(text)[-1])


def test_of_a_long_word_the_last_characters_count() -> None:
    assert at_end("b" + "a" * LONGEST_WORD)[WORD] == at_end("c" + "a" * LONGEST_WORD)[WORD]


def test_texts_side_by_side_know_nothing_of_each_other() -> None:
    both = np.stack([ALPHABET.ids("abc defg"), ALPHABET.ids("hgf. abc")])
    np.testing.assert_array_equal(HASH(both)[1], rows("hgf. abc"))


@pytest.mark.parametrize(("words", "count"), [(0, 2), (1, 3), (2, 4)])
def test_stretches_are_counted(words: int, count: int) -> None:
    some = UnitHash.of(ALPHABET, rows=7, grams=(2, 4), words=words)
    found = some(ALPHABET.ids("abc def")[None])
    assert found.shape == (1, 7, count)
    assert some.count == count
    assert (found >= 0).all()
    assert (found < 7).all()
