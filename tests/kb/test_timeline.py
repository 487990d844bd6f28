"""How a story unfolded: each day's news, once, with what was said again and what was said otherwise."""

from datetime import timedelta

import pytest

from kb import AnswerKind
from tests.kb.newsroom import NOW
from tests.kb.test_stories import story


@pytest.fixture
def tell(kb, newsroom):
    def tell_one(*sentences, day=0, publisher="Alpha Post", about="flood"):
        article = newsroom.article(sentences, publisher=publisher, day=day)
        drafts = []
        for sentence in sentences:
            number = next(word for word in sentence.split() if word.isdigit())
            asked = (f"{sentence.rstrip('.')} how many?".replace(number, ""),)
            drafts.append(newsroom.draft(article, sentence, (*asked, AnswerKind.HOW_MANY, number)))
        return newsroom.teach(kb, article, drafts, story=story(about))

    return tell_one


def test_every_day_has_its_articles_and_what_was_new(kb, tell):
    tell("The flood in Porto Verde took 12 houses.", "Rain fell on Cape Luso for 9 hours.")
    tell("Soldiers brought 40 boats to the harbour.", day=2, publisher="Beta Times")
    tell("The barn fire in Alta killed 7 cows.", day=1, about="fire")
    first, second = kb.story_timeline("story-flood")
    assert (first.day, second.day) == (NOW.date(), NOW.date() + timedelta(days=2))
    assert [fact.evidence.quote for fact in first.facts] == [
        "The flood in Porto Verde took 12 houses.",
        "Rain fell on Cape Luso for 9 hours.",
    ]
    assert (first.added, second.added) == (2, 1)
    assert [article.publisher for article in second.articles] == ["Beta Times"]
    assert kb.story_timeline("story-none") == []


def test_a_limit_shows_what_stands_first_and_counts_the_rest(kb, tell):
    tell("The flood in Porto Verde took 12 houses.", "Rain fell on Cape Luso for 9 hours.")
    [day] = kb.story_timeline("story-flood", facts_each=1)
    assert [fact.evidence.quote for fact in day.facts] == [
        "The flood in Porto Verde took 12 houses."
    ]
    assert day.added == 2


def test_what_is_said_again_and_otherwise_stands_on_its_day(kb, tell):
    tell("The flood in Porto Verde took 12 houses on Monday.")
    tell("The flood in Porto Verde took 12 houses on Monday.", publisher="Beta Times", day=1)
    tell("The flood in Porto Verde took 30 houses on Monday.", publisher="Gamma News", day=2)
    days = kb.story_timeline("story-flood")
    assert [(day.added, day.corroborated) for day in days] == [(1, 0), (0, 1), (1, 0)]
    assert days[0].facts[0].copies == 1
    [conflict] = days[2].conflicts
    assert days[0].conflicts == days[1].conflicts == ()
    assert "12 houses" in conflict.older.evidence.quote
    assert "30 houses" in conflict.newer.evidence.quote


def test_as_of_hides_what_came_later(kb, tell):
    tell("The flood in Porto Verde took 12 houses on Monday.")
    tell("The flood in Porto Verde took 30 houses on Monday.", publisher="Gamma News", day=2)
    [day] = kb.story_timeline("story-flood", as_of=NOW + timedelta(days=1))
    assert (day.day, day.added, day.conflicts) == (NOW.date(), 1, ())


def test_as_of_orders_facts_by_who_had_told_them_by_then(kb, tell):
    tell(
        "The flood in Porto Verde took 12 houses on Monday.", "Rain fell on Cape Luso for 9 hours."
    )
    tell("At Cape Luso the rain fell for 9 hours.", publisher="Beta Times", day=2)
    first = [
        kb.story_timeline("story-flood", as_of=as_of)[0].facts[0].evidence.quote
        for as_of in (NOW + timedelta(days=1), None)
    ]
    assert first == [
        "The flood in Porto Verde took 12 houses on Monday.",
        "Rain fell on Cape Luso for 9 hours.",
    ]


def test_undated_articles_come_last(kb, tell):
    tell("The flood in Porto Verde took 12 houses.", day=None)
    tell("Soldiers brought 40 boats to the harbour.", day=2)
    dated, undated = kb.story_timeline("story-flood")
    assert dated.day is not None
    assert undated.day is None
    assert undated.added == 1
