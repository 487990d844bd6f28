"""Spans that can answer: exact, disjoint, of the right kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spans import find_spans
from kb import AnswerKind
from model import Span


def found(text, entities=()):
    return {(span.text, span.sort) for span in find_spans(text, entities)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It fell on Jan. 5, 2019, in the rain.", {("Jan. 5, 2019", "date")}),
        ("It opened on 3 March 1998.", {("3 March 1998", "date")}),
        (
            "They met last week and on Tuesday night.",
            {("last week", "date"), ("Tuesday night", "date")},
        ),
        ("Two weeks ago it rained.".replace("Two", "two"), {("two weeks ago", "date")}),
        (
            "It began in July and in the early 1990s.",
            {("July", "date"), ("the early 1990s", "date")},
        ),
        ("At 9:30 p.m. ET the vote closed.", {("9:30 p.m. ET", "time")}),
        (
            "It cost $3.9 billion, not 2 million dollars.",
            {("$3.9 billion", "money"), ("2 million dollars", "money")},
        ),
        ("Prices rose 5.5 percent, then 7%.", {("5.5 percent", "percent"), ("7%", "percent")}),
        ("Some 1,200 officers and three dogs came.", {("1,200", "count"), ("three", "count")}),
        ("Dozens of people left.", {("Dozens", "count")}),
        (
            "The clerk, 61, read “The Long Quiet Road” aloud.",
            {("61", "age"), ("The Long Quiet Road", "title")},
        ),
        ("One of the men may say so, and 24/7 at that.", set()),
    ],
)
def test_rules_find(text, expected):
    assert found(text) == expected


def test_entities_take_the_kind_of_their_question():
    text = "The Orl Council told Sen. Ana Bell about Oslo's German allies."

    def entity(name, kind):
        start = text.index(name)
        return Span(start, start + len(name), kind)

    entities = [
        entity("Orl Council", "organization"),
        entity("Sen. Ana Bell", "person"),
        entity("Oslo's", "location"),
        entity("German", "misc"),
    ]
    spans = {span.text: span.kind for span in find_spans(text, entities)}
    assert spans == {
        "Orl Council": AnswerKind.WHO,
        "Ana Bell": AnswerKind.WHO,
        "Oslo": AnswerKind.WHERE,
    }


@given(
    st.lists(
        st.sampled_from(
            [
                "$5",
                "million",
                "May",
                "2019",
                "three",
                " dogs",
                "“A B”",
                "%",
                "-",
                " ",
                "is",
                "'s",
                "é",
                "\n",
            ]
        ),
        max_size=25,
    ).map("".join),
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 10), st.sampled_from(["person", "misc"])),
        max_size=4,
    ),
)
def test_spans_are_exact_ordered_and_disjoint(text, entities):
    spans = [
        Span(start, start + size, kind)
        for start, size, kind in entities
        if start + size <= len(text)
    ]
    previous = 0
    for span in find_spans(text, spans):
        assert text[span.start : span.end] == span.text
        assert previous <= span.start < span.end
        previous = span.end
