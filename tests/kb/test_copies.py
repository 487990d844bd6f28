"""Copies of articles."""

from hypothesis import given
from hypothesis import strategies as st

from kb.copies import bands, copied, resemblance

WORDS = [f"word{n}" for n in range(400)]
TEXT = " ".join(WORDS)


def test_a_lightly_edited_text_is_a_copy_and_shares_a_band():
    edited = " ".join(["editor's", "note", *WORDS[:200], "inserted", *WORDS[200:390]])
    assert set(bands(TEXT)) & set(bands(edited))
    assert copied(edited, [("a" * 16, TEXT)]) == "a" * 16


def test_another_text_on_the_same_words_is_no_copy():
    other = " ".join(WORDS[::-1])
    assert resemblance(TEXT, other) == 0.0
    assert copied(other, [("a" * 16, TEXT)]) is None


def test_the_closest_original_is_named():
    near = " ".join(WORDS[:395])
    assert (
        copied(near, [("b" * 16, TEXT + " " + " ".join(WORDS[:40])), ("a" * 16, TEXT)]) == "a" * 16
    )


def test_texts_without_words_are_copies_of_nothing():
    assert bands("") == bands("… — !") == ()
    assert copied("", [("a" * 16, "")]) is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_resemblance_is_symmetric_and_case_blind(a, b):
    assert resemblance(a, b) == resemblance(b, a)
    assert resemblance(a, a.upper().lower()) in (0.0, 1.0) or not a.isascii()
    assert bands(a) == bands(f"  {a}\n")
