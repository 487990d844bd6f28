"""Characters and their ids: nothing of Unicode is without one."""

from __future__ import annotations

import math
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.alphabet import MOST, OTHER_MARK, Alphabet

LATIN = Alphabet.of(["aabbbc \n"])


def test_characters_stand_in_the_order_of_their_code_points() -> None:
    assert LATIN.characters == "\n abc"
    assert LATIN.size == 6
    assert Alphabet.of(["aabbbc"], least=2).characters == "ab"
    assert len(Alphabet.of(["".join(map(chr, range(300, 800)))]).characters) == MOST


def test_text_is_read_back_but_for_what_is_not_in_it() -> None:
    assert LATIN.text(LATIN.ids("cab \nb")) == "cab \nb"
    ids = LATIN.ids("aЖb")
    assert ids.tolist() == [2, LATIN.other, 3]
    assert LATIN.text(ids) == f"a{OTHER_MARK}b"


@given(st.text())
def test_any_text_has_ids(text: str) -> None:
    ids = LATIN.ids(text)
    assert ids.dtype == np.uint8
    assert len(ids) == len(unicodedata.normalize("NFC", text))
    assert (ids <= LATIN.other).all()


def test_another_character_costs_the_choice_among_all_that_are_left() -> None:
    assert LATIN.other_bits == pytest.approx(math.log2(0x110000 - 0x800 - 5))


@pytest.mark.parametrize("characters", ["", "aa", "".join(map(chr, range(256)))])
def test_what_has_no_id_of_a_byte_is_refused(characters: str) -> None:
    with pytest.raises(ValueError, match="no alphabet"):
        Alphabet(characters)
