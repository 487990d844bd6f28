"""Characters: nothing is lost, nothing is missing."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.characters import (
    MAP_SIZE,
    TEXT_END,
    character_ids,
    decode,
    encode,
    is_blank,
    is_word_character,
    join_base_letters,
    join_points,
)

any_text = st.text(alphabet=st.characters())


@given(any_text)
def test_decode_undoes_encode(text: str) -> None:
    assert decode(encode(text)) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("NATO", "nato"),
        ("Ärger", "ärger"),
        ("ÇA", "ça"),
        ("Ωmega", "ωmega"),
        ("İ", "İ"),
        ("ß", "ß"),
    ],
)
def test_case_is_split_off(text: str, folded: str) -> None:
    assert "".join(map(chr, encode(text).points)) == folded


@given(any_text)
def test_every_character_has_an_id(text: str) -> None:
    ids = character_ids(encode(text).points)
    assert all(0 <= number < MAP_SIZE for number in ids)


def test_latin_characters_share_no_id() -> None:
    assert len(set(character_ids(np.arange(256, dtype=np.uint32)))) == 256


def test_joined_texts_drop_accents_and_keep_their_places() -> None:
    points, starts = join_base_letters(["São", "", "e\u0301a"])
    assert "".join(map(chr, points)) == "sao\n\nea\n"
    assert starts.tolist() == [0, 4, 5, 8]
    assert all(points[starts[1:] - 1] == TEXT_END)


@given(st.lists(any_text, max_size=5))
def test_joined_texts_keep_every_character_in_its_place(texts: list[str]) -> None:
    points, starts = join_points(texts)
    base, base_starts = join_base_letters(texts)
    assert starts.tolist() == base_starts.tolist()
    assert len(points) == len(base) == starts[-1]
    for at, text in enumerate(texts):
        place = slice(starts[at], starts[at + 1])
        normal = unicodedata.normalize("NFC", text) + chr(TEXT_END)
        assert "".join(map(chr, points[place])) == normal
        assert base[place].tolist() == join_base_letters([text])[0].tolist()


def test_classes_of_characters() -> None:
    points = np.array([ord(char) for char in "a7é北 \n\u200b-…😀"], dtype=np.uint32)
    assert is_word_character(points).tolist() == [True] * 4 + [False] * 6
    assert is_blank(points).tolist() == [False] * 4 + [True] * 3 + [False] * 3
