"""Sentences that are one but for a word: what differs, and what becomes of it."""

from datetime import UTC, datetime

import pytest

from kb import AnswerKind, Verdict
from kb.dates import dates
from kb.names import name_spans
from kb.quantities import quantities
from kb.twins import Spoken, find_twin

SAID = "Mayor Ana Costa told reporters in Porto Verde that 12 fishermen were lost in the storm."
DAY = datetime(2024, 5, 6, tzinfo=UTC)


def spoken(text: str) -> Spoken:
    return Spoken(text, quantities(text), dates(text, DAY), name_spans(text))


@pytest.mark.parametrize(
    "other",
    [
        SAID,
        SAID.upper().replace("MAYOR", "Mayor"),
        "PORTO VERDE (Agency) - " + SAID,
        SAID.replace("12", "twelve"),
        SAID.replace("were lost", "had been lost"),
    ],
)
def test_same_words_say_the_same(other):
    twin = find_twin(spoken(SAID), spoken(other))
    assert twin is not None
    assert (twin.place, twin.rival) == (None, "")


def test_many_small_words_say_the_same_only_where_none_is_another():
    said = "“We have to do it, we have to be serious,” Costa said."
    assert find_twin(spoken(said), spoken(said.replace("“", '"').replace("”", '"'))) is not None
    assert find_twin(spoken(said), spoken(said.replace("we have", "they have"))) is None
    assert find_twin(spoken("“No,” Costa said."), spoken("“No,” Costa said.")) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "rival"),
    [
        ("12", "30", "30"),
        ("Ana Costa", "Rui Lopes", "Rui Lopes"),
        ("Porto Verde", "Santa Lucia", "Santa Lucia"),
    ],
)
def test_one_number_or_name_differs(ours, theirs, rival):
    twin = find_twin(spoken(SAID), spoken(SAID.replace(ours, theirs)))
    assert twin is not None
    assert twin.rival == rival
    assert twin.place is not None
    assert SAID[slice(*twin.place)] == ours


@pytest.mark.parametrize(
    "other",
    [
        SAID.replace("lost", "saved"),  # another word
        SAID.replace("were lost", "were not lost"),
        SAID.replace("12", "30").replace("Ana Costa", "Rui Lopes"),  # two differences
        SAID.replace("12 fishermen", "the fishermen"),
        SAID.replace("Mayor Ana Costa", "The mayor"),
        SAID.replace("told reporters", "told reporters on Monday"),
        SAID.replace("in Porto Verde that", "from Porto Verde that"),
        SAID.replace("12", "30").replace("fishermen", "houses"),
        "Mayor Ana Costa told reporters in Porto Verde that she would not resign.",
        "",
    ],
)
def test_another_statement_is_no_twin(other):
    assert find_twin(spoken(SAID), spoken(other)) is None
    assert find_twin(spoken(other), spoken(SAID)) is None


def test_days_are_not_told_apart_here():
    """Two papers date one thing by two weekdays; dates are compared where questions ask for them."""
    said = "The long trial of Rui Lopes in Porto Verde begins before three judges on Monday."
    assert find_twin(spoken(said), spoken(said.replace("Monday", "Tuesday"))) is None


@pytest.mark.parametrize(
    ("ours", "theirs"),
    # At the beginning of a sentence every word has a capital.
    [("Police", "Officials"), ("German", "French"), ("12 fishermen", "About 12 fishermen")],
)
def test_words_with_capitals_are_not_all_names(ours, theirs):
    said = f"{ours} in the harbour of Porto Verde said that the boats were lost in the storm."
    twin = find_twin(
        Spoken(said, quantities(said), (), ()),
        Spoken(said.replace(ours, theirs), quantities(said.replace(ours, theirs)), (), ()),
    )
    assert twin is None or not twin.rival


def teach(kb, newsroom, said, asked, answer, kind, publisher):
    article = newsroom.article([said], publisher=publisher)
    draft = newsroom.draft(article, said, (asked, kind, answer), names=["Ana Costa", "Rui Lopes"])
    report = newsroom.teach(kb, article, [draft])
    return report, [d for d in kb.export_decisions() if d.article_id == article.id]


def test_copied_sentence_is_known_however_little_its_question_says(kb, newsroom):
    said = "“They want me on the street,” Ana Costa said in the harbour."
    asked = ("Who said it?", "Ana Costa", AnswerKind.WHO)
    assert teach(kb, newsroom, said, *asked, "Alpha Post")[0].added == 1
    report, [decision] = teach(kb, newsroom, said, *asked, "Beta Times")
    assert (report.added, report.corroborated) == (0, 1)
    assert decision.reason == "same words"


def test_another_name_in_a_repeated_sentence_is_a_conflict(kb, newsroom):
    asked = "Who told reporters in Porto Verde about the fishermen?"
    teach(kb, newsroom, SAID, asked, "Ana Costa", AnswerKind.WHO, "Alpha Post")
    said = SAID.replace("Ana Costa", "Rui Lopes")
    report, [decision] = teach(kb, newsroom, said, asked, "Rui Lopes", AnswerKind.WHO, "Beta Times")
    assert report.conflicting == 1
    assert (decision.verdict, decision.reason) == (
        Verdict.CONFLICTING,
        "another answer: Ana Costa",
    )


def test_difference_that_no_question_asks_for_is_told_all_the_same(kb, newsroom):
    """Or the changed sentence would pass for a confirmation of the old one."""
    asked = ("How many fishermen were lost in the storm?", "12", AnswerKind.HOW_MANY)
    teach(kb, newsroom, SAID, *asked, "Alpha Post")
    said = SAID.replace("Ana Costa", "Rui Lopes")
    report, _ = teach(kb, newsroom, said, *asked, "Beta Times")
    assert (report.corroborated, report.conflicting) == (0, 1)


def test_reprint_of_the_next_day_still_means_the_first_day(kb, newsroom):
    said = "Ana Costa asked voters in Porto Verde to join her campaign for the harbour today."
    asked = "When did Ana Costa ask voters in Porto Verde to join her campaign for the harbour?"
    reports = []
    for publisher, day in (("Alpha Post", 0), ("Beta Times", 1), ("Gamma News", 5)):
        article = newsroom.article([said], publisher=publisher, day=day)
        draft = newsroom.draft(article, said, (asked, AnswerKind.WHEN, "today"))
        reports.append(newsroom.teach(kb, article, [draft]))
    assert [report.corroborated for report in reports] == [0, 1, 0]
