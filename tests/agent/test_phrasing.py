"""Answers in a sentence or two: what is shown, and what is dropped without a trace in the reply."""

import logging
from datetime import UTC, datetime

import pytest

from agent.phrasing import fault, first_sentences, phrase_answer, prompt_for
from kb import Answer, Article, Evidence, Fact, Match, NoAnswer, Scores

PETRA = (
    "Storm Petra left 17,000 homes without power on 3 March, the district office in Marram said."
)
KELLER = "Mayor Anna Keller may close the harbour, and Ben Moor said 41% of the boats had left."
QUESTION = "How many homes did Storm Petra leave without power?"


def match(quote, publisher="The Lantern", published_at=datetime(2025, 3, 11, tzinfo=UTC)):
    article = Article(
        id="a",
        url="https://a.example/1",
        title="",
        text=quote,
        publisher=publisher,
        language="en",
        published_at=published_at,
        date_source="feed",
        fetched_at=datetime(2025, 3, 12, tzinfo=UTC),
        feed_url="https://a.example/feed",
        text_source="page",
    )
    evidence = Evidence("a", 0, len(quote), quote)
    recorded_at = datetime(2025, 3, 12, tzinfo=UTC)
    fact = Fact("f", evidence, article, published_at, recorded_at, None, None, (publisher,), 0)
    return Match(fact, Scores(1, 1, 1, 1, 1, 1, 0.8), None, None, None)


def reply(*quotes, answer="17,000", question=QUESTION):
    return Answer(question, 0.8, answer, tuple(match(quote) for quote in quotes))


TWO = reply(PETRA, KELLER)


@pytest.mark.parametrize(
    "phrase",
    [
        "Storm Petra left 17,000 homes without power [1].",
        "17,000 homes in Marram were left without power by Storm Petra [1].",
        "On March 3 Storm Petra left 17,000 homes without power. [1]",
        "Homes without power: 17,000 [1].",
        "In March, 17,000 homes were left without power [1]",
        "The district office said it: 17,000 homes were without power [1].",
        "Storm Petra left 17,000 homes without power [1]. Mayor Keller may close the harbour [2].",
        "Storm Petra left 17,000 homes without power [1]. Anna Keller may close the harbour as"
        " 41 per cent of the boats left [1][2].",
    ],
)
def test_a_phrase_in_the_words_of_its_facts_is_fine(phrase):
    assert fault(first_sentences(phrase), TWO) is None


@pytest.mark.parametrize(
    ("phrase", "reason"),
    [
        ("", "nothing written"),
        ("Storm Petra left 17,000 homes without power.", "no mark"),
        ("Storm Petra left 17,000 homes without power [3].", "no fact [3]"),
        ("Storm Petra left 17,000 homes without power [0].", "no fact [0]"),
        ("Storm Petra left 17,000 homes without power [1, 2] [1].", "not in the facts: ["),
        ("Storm Petra left homes without power [1].", "without the short answer"),
        ("Storm Petra left 17,000 homes without power [1] and", "unfinished"),
        ("17,000 [1].", "nothing but the short answer"),
        # numbers and dates
        ("Storm Petra left 17,000 of 20,000 homes without power [1].", "not in the facts: 20,000"),
        ("Storm Petra left 17,000 homes in two without power [1].", "not in the facts: two"),
        ("Storm Petra left 17,000 homes without power, 41% [1].", "not in the facts: %"),
        ("Without power: 17,000 homes; 41 boats may close [1][2].", "not in the facts: 41"),
        ("17,000 homes were without power, said Ben Moor, may be [2].", "not in the facts: 17,000"),
        ("About 17,000 homes were without power [1].", "not in the facts: 17,000"),
        ("Without power, on 4 March: 17,000 homes [1].", "not in the facts: 4 march"),
        ("Without power: 17,000-3 homes [1].", "not in the facts: 000-3"),
        ("Without power, at 17:03: 17,000 homes [1].", "not in the facts: 17:03"),
        ("Without power: $17,000 [1].", "not in the facts: $"),
        # names
        ("In Oslo, Storm Petra left 17,000 homes without power [1].", "not in the facts: Oslo"),
        ("Anna Moor may: 17,000 homes without power [1][2].", "not in the facts: Anna Moor"),
        ("17,000 homes without power, Anna Moor may [1][2].", "not in the facts: Anna Moor"),
        ("Storm Petra left 17,000 Homes without power [1].", "not in the facts: Homes"),
        ("Mayor Moor may: 17,000 homes without power [1][2].", "not in the facts: Mayor Moor"),
        ("Keller: 17,000 homes without power [1].", "not in the facts: keller"),
        # words, and what turns a meaning
        ("Storm Petra left 17,000 wooden homes without power [1].", "not in the facts: wooden"),
        ("Storm Petra left 17,000 homes without power after all [1].", "not in the facts: after"),
        ("Storm Petra left 17,000 homes with power [1].", "added or left out: without"),
        ("Storm Petra did not leave 17,000 homes without power [1].", "not in the facts: not"),
        ("Storm Petra didn't leave 17,000 homes without power [1].", "not in the facts: not"),
        ("17,000 homes are without power, Keller will close [1][2].", "not in the facts: will"),
        ("17,000 homes are without power, Keller had to close [1][2].", "added or left out: may"),
        ("Storm Petra left 17,000 homes without power \u202e[1].", "not in the facts: \u202e"),
    ],
)
def test_a_phrase_that_says_more_or_less_is_refused(phrase, reason):
    assert fault(first_sentences(phrase), TWO) == reason


def test_a_negation_of_the_question_is_none_of_the_facts():
    asked = reply(PETRA, question="How many homes did Storm Petra not leave without power?")
    phrase = "Storm Petra did not leave 17,000 homes without power [1]."
    assert fault(phrase, asked) == "added or left out: not"


def test_a_rough_number_stays_rough():
    rough = reply("About 17,000 homes are dark.")
    assert fault("17,000 homes are dark [1].", rough) == "not in the facts: 17,000"
    assert fault("The dark homes: about 17,000 [1].", rough) is None


def test_a_whole_quote_is_a_short_answer_too():
    whole = reply(PETRA, answer=PETRA)
    assert fault(first_sentences(f"{PETRA} [1]"), whole) == "nothing but the short answer"
    longer = f"How many homes? {PETRA} [1]"
    assert fault(first_sentences(longer), whole) is None


def test_words_of_a_fact_that_is_not_cited_do_not_count():
    phrase = "17,000 homes without power, Ben Moor said it [1]."
    assert fault(phrase, TWO) == "not in the facts: Ben Moor"


def test_two_sentences_are_kept_with_their_marks_inside():
    written = ' "It rained." [1]\n\nMr. Moor won [2]. He left again. [1] [2] So it goes.'
    assert first_sentences(written) == '"It rained [1]." Mr. Moor won [2].'
    assert first_sentences("Mr. Moor won [2]. He left again and") == "Mr. Moor won [2]."
    assert first_sentences(" \n") == ""


def test_the_prompt_numbers_the_quotes_and_names_source_and_date():
    asked = Answer(
        QUESTION,
        0.8,
        "17,000",
        (match("Petra left\n17,000  homes."), match("No date.", "The Owl", None)),
    )
    first, *lines = prompt_for(asked).split("\n")
    assert "[1]" in first
    assert lines == [
        "",
        "Facts:",
        "[1] Petra left 17,000 homes. (The Lantern, 2025-03-11)",
        "[2] No date. (The Owl, undated)",
        "",
        f"Question: {QUESTION}",
        "Short answer: 17,000",
        "Answer in full:",
    ]


def test_nothing_is_phrased_where_nothing_is_known():
    def write(prompt):
        raise AssertionError("asked in vain")

    assert phrase_answer(NoAnswer(QUESTION, 0.1, (match(PETRA),)), write) is None


def test_a_refusal_is_logged_with_its_reason(caplog):
    caplog.set_level(logging.DEBUG, "agent.phrasing")
    assert phrase_answer(TWO, lambda prompt: "Storm Petra left 12 [1].") is None
    (record,) = caplog.records
    assert (record.message, record.reason) == ("phrase refused", "without the short answer")
