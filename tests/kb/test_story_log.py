"""The story log says why each article stands in its story, and replays to the same stories."""

from dataclasses import replace

import pytest

from kb import Placement, StoryDecision, Topics
from tests.kb.newsroom import NOW
from tests.kb.test_stories import story


def opened(article, story_id, *, nearest=None, probability=0.0):
    return StoryDecision(article.id, story_id, Placement.OPENED, nearest, probability, 0.5, 3)


def joined(article, story_id, probability=0.75):
    return StoryDecision(article.id, story_id, Placement.JOINED, story_id, probability, 0.5, 3)


@pytest.fixture
def place(kb, newsroom):
    def place_one(sentence, about, decide, **how):
        article = newsroom.article([sentence])
        decision = decide(article, about.id, **how)
        kb.learn(article, [], topics=Topics((), ()), story=about, placed=decision, now=NOW)
        return decision

    return place_one


def replayed(decisions):
    """Article id -> story id, as the log alone has it."""
    found: dict[str, str] = {}
    for decision in decisions:
        if decision.placement is Placement.JOINED:
            assert decision.story_id in found.values()
        else:
            assert decision.story_id not in found.values()
        found[decision.article_id] = decision.story_id
    return found


def test_decisions_come_back_as_they_were_taken(kb, place):
    flood, fire = story("flood"), story("fire")
    taken = [
        place("The flood took 12 houses.", flood, opened),
        place("The fire took 40 cars.", fire, opened, nearest=flood.id, probability=0.125),
        place("The flood took 9 cars.", flood, joined),
    ]
    assert kb.export_story_decisions() == taken
    assert kb.story_decisions(flood.id) == [taken[0], taken[2]]
    assert kb.article_placement(taken[1].article_id) == taken[1]


def test_the_log_replays_to_the_stories_of_the_store(kb, place):
    flood, fire = story("flood"), story("fire")
    place("The flood took 12 houses.", flood, opened)
    place("The fire took 40 cars.", fire, opened)
    place("The flood took 9 cars.", flood, joined)
    found = replayed(kb.export_story_decisions())
    for story_id in (flood.id, fire.id):
        stored = {article.id for article in kb.story_articles(story_id)}
        assert stored == {it for it, where in found.items() if where == story_id}


def test_an_article_is_logged_once(kb, newsroom, place):
    first = place("The flood took 12 houses.", story("flood"), opened)
    article = kb.article(first.article_id)
    again = replace(first, story_id="story-other", probability=0.9)
    kb.learn(article, [], topics=Topics((), ()), story=story("other"), placed=again, now=NOW)
    assert kb.export_story_decisions() == [first]


def test_what_was_learned_without_a_decision_has_none(kb, newsroom):
    article = newsroom.article(["The flood took 12 houses."])
    newsroom.teach(kb, article, [], story=story("flood"))
    assert kb.story("story-flood").id == "story-flood"
    assert kb.story("story-fire") is None
    assert kb.story_decisions("story-flood") == []
    assert kb.article_placement(article.id) is None


def test_when_the_opener_is_forgotten_the_next_article_has_opened_the_story(kb, place) -> None:
    flood, fire = story("flood"), story("fire")
    first = place("The flood took 12 houses.", flood, opened)
    near = place("The fire took 40 cars.", fire, opened, nearest=flood.id, probability=0.125)
    place("The flood took 9 cars.", flood, joined)
    kb.forget(kb.article(first.article_id), lambda _: replace(flood, id="of what is left"), now=NOW)
    left = kb.export_story_decisions()
    assert left[0].article_id == near.article_id
    assert left[0].nearest_id == "of what is left"
    assert replayed(left) == {
        decision.article_id: kb.article_placement(decision.article_id).story_id for decision in left
    }
    kb.forget(kb.article(left[1].article_id), lambda _: pytest.fail("no article is left"), now=NOW)
    assert [decision.nearest_id for decision in kb.export_story_decisions()] == [None]
