"""Sentences are exact, disjoint spans that cover the text and stop where a reader would stop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sentences import split_sentences

NEWSLIKE = st.lists(
    st.sampled_from(
        [*"abcXYZ019 .!?…,;:'\"“”’()[]-–\n\t\u00a0•。é🦊", "Mr.", "U.S.", "\n\n", "said ", ". A"]
    ),
    max_size=120,
).map("".join)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@given(st.one_of(NEWSLIKE, st.text(max_size=200)))
def test_sentences_are_ordered_disjoint_stripped_and_cover_all_visible_text(text):
    places = split_sentences(text)
    previous = 0
    for start, end in places:
        assert previous <= start < end <= len(text)
        assert text[start:end] == text[start:end].strip()
        assert not text[previous:start].strip()
        previous = end
    assert not text[previous:].strip()


@given(st.lists(NEWSLIKE, max_size=4))
def test_no_sentence_crosses_a_paragraph(paragraphs):
    text = "\n\n".join(paragraphs)
    assert all("\n\n" not in sentence for sentence in sentences(text))


@pytest.mark.parametrize(
    "expected",
    [
        ["Mr. Smith met Dr. J. K. Jones in the U.S. Senate on Tuesday.", "They spoke."],
        ["The U.S. Army left.", "It flew from the U.S.", "The crew rested."],
        ["“We will win,” Ms. Ode said.", "“It is time.”", "She left."],
        ["Prices rose 3.5 percent to $4.20.", "Analysts expected 2 percent."],
        ["He waited... and waited.", "Then he left."],
        ["“Why now?” Ana Bell asked.", "Nobody answered."],
        ["It opens at 9 a.m. Monday.", "It closes at 5 p.m.", "The pool stays open."],
        ["Acme Inc. Chairman Bo Li resigned.", "The board met on Jan. 5 in St. Paul."],
        ["(He was 91.)", "The town mourns."],
        ["No. 1 seed Orla Finn won.", "She is 19."],
        ["This is the end!", "Is it?", "Yes."],
        ["新闻来了。", "再见！"],
        ["Sen. Jo Day, D-Conn., voted no.", "Rep. Al Roe, R-Fla., voted yes."],
        ["Plan B. Wells told George W. Bush about it."],
    ],
)
def test_known_sentences(expected):
    assert sentences(" ".join(expected)) == expected


def test_bullets_begin_sentences():
    text = "The plan:\n• Build a road\n• Close the bridge"
    assert sentences(text) == ["The plan:", "• Build a road", "• Close the bridge"]


@pytest.mark.parametrize("piece", [".", " ", "\n", "。", "“", ". ", "\t\n", "a", "A. ", "?”"])
def test_long_runs_of_one_thing_do_not_hang(piece):
    text = f"Begin {piece * 60_000} end"
    places = split_sentences(text)
    assert places[0][0] == 0
    assert places[-1][1] == len(text)
