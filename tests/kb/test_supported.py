"""Whether a text says only what passages say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import Passage, changed_qualifier, holds_words, unsupported

DAY = datetime(2025, 3, 11, tzinfo=UTC)
PIECES = st.sampled_from(
    [
        "The",
        "Anna",
        "Keller",
        "of",
        "did",
        "not",
        "n't",
        "can't",
        "May",
        "may",
        "3",
        "March,",
        "2025-03-11",
        "1,200",
        "$1.2bn",
        "5%",
        "-4",
        "3-2",
        "10:30",
        "twelve",
        "people.",
        "on",
        "Tuesday;",
        "́",
        "\u202e",
        "[1]",
        "Homes",
        "homes",
        "U.S.",
        "_",
    ]
)


@given(st.lists(PIECES, max_size=12).map(" ".join) | st.text(max_size=40))
def test_a_text_says_nothing_new_of_itself(text):
    passages = [Passage("Other words.", DAY), Passage(text, DAY)]
    assert unsupported(text, passages) is None
    assert changed_qualifier(text, passages) is None


@pytest.mark.parametrize(
    ("text", "said", "part"),
    [
        ("$1.2 billion was paid", "They paid $1.2bn", None),
        ("1.2 billion was paid", "They paid $1.2bn", "1.2 billion"),
        ("Twelve people died", "12 people died", None),
        ("12 dogs ran", "12 people and a dozen cats died; dogs ran", "12"),
        ("5 died", "It fell to -5; five? No, -5 died", None),
        ("It fell to 5", "It fell to -5", "5"),
        ("It fell to -5", "It fell to 5", "-5"),
        ("They won 3–2", "They won 3-2", None),
        ("They won 2-3", "They won 3-2", "2-3"),
        ("It closed in March 2025", "It closed on 3 March", None),
        ("It closed on 3 March 2024", "It closed on 3 March", "3 march 2024"),
        ("It closed on March 3", "It closed in March with 3 others", "march 3"),
        ("Bill passed", "The bill passed", None),
        ("So Bill passed", "So the bill passed", "So Bill"),
        ("The United Moor paid", "The United States paid, Ben Moor said", "United Moor"),
        ("Keller was killed", "They kill Keller", None),
        ("Keller won against Moor", "Keller won, Moor lost", "against"),
    ],
)
def test_forms_are_compared_not_letters(text, said, part):
    assert unsupported(text, [Passage(said, DAY)]) == part


@pytest.mark.parametrize(
    ("text", "said", "word"),
    [
        ("She can't go", "She cannot go", None),
        ("She didn't go", "She did not go", None),
        ("She won’t go", "She will not go", None),
        ("She went", "She did not go", "not"),
        ("She goes in May", "She may go", "may"),
        ("In May she goes", "She goes", None),
        ("Only she goes", "She goes", "only"),
    ],
)
def test_what_turns_a_meaning_neither_comes_nor_goes(text, said, word):
    assert changed_qualifier(text, [Passage(said)]) == word


def test_words_are_held_whole_and_in_a_row():
    assert holds_words("It left “17,000 Homes”.", "17,000 homes")
    assert not holds_words("It left 17,000 of the homes.", "17,000 homes")
    assert not holds_words("It left 117,000 homes.", "17,000 homes")
    assert not holds_words("It left.", "...")
