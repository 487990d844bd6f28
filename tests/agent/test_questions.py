"""Every sentence gets one draft; kept ones carry questions that keep their answer to themselves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.questions import draft_facts, parse_question
from agent.sentences import split_sentences
from agent.topics import find_topics
from kb import AnswerKind
from model import load_tagger
from tests.agent.articles_for_tests import article

TAGGER = load_tagger()
NEWS = (
    "HARBOUR CITY (HP) - Maria Lindqvist opened the Karlsund Bridge in Stockholm on Tuesday.\n\n"
    "The repair cost $4.2 million and employed 310 workers, officials said.\n\n"
    "“The cables will last for decades,” Lindqvist told reporters.\n\n"
    "About 45 percent of the cables were replaced by a crew from Norway in March 2031."
)
PIECES = st.lists(
    st.sampled_from(
        [
            *NEWS.split(),
            "“",
            "”",
            ".",
            "\n\n",
            "said",
            "He",
            "who",
            "?",
            "…",
            "-",
            "é",
            "🦊",
            "it",
            "'s",
            "3",
            "(",
            "of the",
            "did",
        ]
    ),
    max_size=60,
).map(" ".join)


def drafts_of(text):
    source = article(text)
    return draft_facts(source, find_topics(source, TAGGER))


def asked(text):
    return {
        question.text: question.answer for draft in drafts_of(text) for question in draft.questions
    }


@settings(max_examples=80, deadline=None)
@given(st.one_of(PIECES, st.text(max_size=300)))
def test_drafts_are_spans_of_their_article_and_questions_hide_their_answers(text):
    drafts = drafts_of(text)
    assert [(d.evidence.start_char, d.evidence.end_char) for d in drafts] == split_sentences(text)
    for draft in drafts:
        assert draft.evidence.quote == text[draft.evidence.start_char : draft.evidence.end_char]
        assert bool(draft.questions) == (draft.skip_reason is None)
        assert len(draft.questions) <= 4
        for question in draft.questions:
            assert question.answer
            assert question.answer.casefold() not in question.text.casefold()
            assert text[question.answer_start_char : question.answer_end_char] == question.answer
            assert draft.evidence.start_char <= question.answer_start_char
            assert question.answer_end_char <= draft.evidence.end_char
            assert question.text.endswith("?")


def test_questions_are_raised_about_names_places_dates_and_amounts():
    questions = asked(NEWS)
    assert questions["Who opened the Karlsund Bridge in Stockholm on Tuesday?"] == "Maria Lindqvist"
    assert questions["When did Maria Lindqvist open the Karlsund Bridge in Stockholm?"] == "Tuesday"
    assert (
        questions["Where did Maria Lindqvist open the Karlsund Bridge on Tuesday?"] == "Stockholm"
    )
    assert questions["Who told reporters, “The cables will last for decades”?"] == "Lindqvist"
    assert "$4.2 million" in questions.values()
    assert "45 percent" in questions.values()


def test_drafting_twice_gives_the_same_drafts():
    assert drafts_of(NEWS) == drafts_of(NEWS)


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("Too short to keep.", "too short"),
        ("The council of Oslo met on Monday, " * 20 + "it said.", "too long"),
        ("Sign up here for the daily newsletter of the Harbour Post in Oslo.", "boilerplate"),
        ("This article first appeared in the Harbour Post on Monday.", "boilerplate"),
        ("Copyright 2031 The Harbour Post, which keeps all rights reserved.", "boilerplate"),
        ("Maria Lindqvist stands on the bridge in Oslo in 2031 (Photo: Bo Li)", "caption"),
        ("By Maria Lindqvist and Bo Li for the Harbour Post in Oslo", "byline"),
        ("Did Maria Lindqvist open the old bridge in Stockholm on Tuesday?", "question"),
        ("I believe that Maria Lindqvist opened the bridge far too early.", "opinion"),
        (
            "“The road ahead is long and nobody in Oslo knows where it ends.”",
            "quotation without speaker",
        ),
        ("A long and winding road through the hills near Oslo and Bergen.", "no verb"),
    ],
)
def test_what_is_not_worth_keeping_says_why(sentence, reason):
    (draft,) = drafts_of(sentence)
    assert draft.skip_reason == reason
    assert draft.questions == ()


def test_the_names_of_a_sentence_go_with_its_draft():
    first = drafts_of(NEWS)[0]
    assert "Maria Lindqvist" in first.names
    assert "Stockholm" in first.names


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Who won the race?", AnswerKind.WHO),
        ("which company bought the port", AnswerKind.WHO),
        ("In which country was the treaty signed?", AnswerKind.WHERE),
        ("Where is Oslo?", AnswerKind.WHERE),
        ("What year did the bridge open?", AnswerKind.WHEN),
        ("When did she say who would pay?", AnswerKind.WHEN),
        ("How many people who live there were hurt?", AnswerKind.HOW_MANY),
        ("How much did the repair cost?", AnswerKind.HOW_MANY),
        ("By what percentage did prices rise?", AnswerKind.HOW_MANY),
        ("How old is Bo Li?", AnswerKind.HOW_MANY),
        ("What did the council decide?", AnswerKind.WHAT),
        ("tell me about the bridge", AnswerKind.WHAT),
        ("", AnswerKind.WHAT),
    ],
)
def test_a_users_question_asks_for_a_kind(text, kind):
    question = parse_question(text)
    assert question.kind is kind
    assert question.answer is None


@given(st.text(max_size=80))
def test_any_text_is_a_question(text):
    assert parse_question(text).kind in AnswerKind
