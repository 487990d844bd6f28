"""What only looks like another answer is no conflict: quoted words, another's, other counts, a count like a year."""

import pytest

from kb import AnswerKind
from kb.dates import dates

WHO, HOW_MANY = AnswerKind.WHO, AnswerKind.HOW_MANY


def teach(kb, newsroom, said, question, answer, kind, *, names=(), publisher="Alpha Post"):
    article = newsroom.article([said], publisher=publisher)
    draft = newsroom.draft(article, said, (question, kind, answer), names=names)
    return newsroom.teach(kb, article, [draft])


def test_a_word_inside_a_quotation_is_not_claimed_of_its_speaker(kb, newsroom):
    older = (
        "“If they,” meaning people like Ana Costa, “break the long rules, we will be back in court"
        " and we will win.”"
    )
    question = "If they, meaning people like whom break the long rules, we will be back in court and we will win?"
    teach(kb, newsroom, older, question, "Ana Costa", WHO, names=["Ana Costa"])
    report = teach(
        kb,
        newsroom,
        "“If people break the long rules, we will be back in court and we will win,” Rui Lopes said on Friday.",
        "Who said, “If people break the long rules, we will be back in court and we will win”?",
        "Rui Lopes",
        WHO,
        names=["Rui Lopes"],
        publisher="Beta Times",
    )
    assert (report.added, report.conflicting) == (1, 0)


def test_counts_of_which_other_things_are_said_are_no_conflict(kb, newsroom):
    older = "The virus has infected 110,000 people, leading to bans of all large gatherings by governors."
    question = "The virus has infected how many people?"
    teach(kb, newsroom, older, question, "110,000", HOW_MANY)
    newer = "The governor has banned gatherings of 500 people."
    question = "The governor has banned gatherings of how many people?"
    report = teach(kb, newsroom, newer, question, "500", HOW_MANY, publisher="Beta Times")
    assert (report.added, report.conflicting) == (1, 0)


def test_what_he_did_is_not_what_another_did(kb, newsroom):
    older = "The crowd cheered for the 700,000 jobs created for young workers under Rui Lopes."
    question = "How many jobs were created for young workers under Rui Lopes?"
    teach(kb, newsroom, older, question, "700,000", HOW_MANY, names=["Rui Lopes"])
    newer = "When Ana Costa left the office, she had created 195,000 jobs for young workers."
    question = "How many jobs had she created for young workers?"
    report = teach(
        kb,
        newsroom,
        newer,
        question,
        "195,000",
        HOW_MANY,
        names=["Ana Costa"],
        publisher="Beta Times",
    )
    assert (report.added, report.conflicting) == (1, 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The court heard 1500 witnesses.", []),
        ("More than 2000 people fled.", []),
        ("In 2020 people stayed at home.", ["2020"]),
        ("The 2024 voters were younger.", ["2024"]),
        ("They met in 2019 and 1998 workers left.", ["2019"]),
        ("Sales of 2023 cars fell.", ["2023"]),
        ("It opened in 1998.", ["1998"]),
    ],
)
def test_a_count_is_no_year(text, found):
    assert [day.words for day in dates(text, None)] == found
