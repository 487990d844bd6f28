"""Stories, what is in them, and what is new."""

from datetime import timedelta

import pytest

from kb import AnswerKind, Entity, Story, StoryProfile, Topics
from tests.kb.newsroom import NOW


def story(name: str, *, last_day: int | None = 0, articles: int = 1) -> Story:
    last_at = None if last_day is None else NOW + timedelta(days=last_day)
    profile = StoryProfile(
        {"flood": 0.1 + 0.2, "ünïcode": 1 / 3}, (0.1, -1 / 3, 2.0), last_at, last_at, articles
    )
    return Story(f"story-{name}", name.title(), profile)


@pytest.fixture
def teach(kb, newsroom):
    def teach_one(sentence, about, *, publisher="Alpha Post", day=0, now=NOW, names=()):
        article = newsroom.article([sentence], publisher=publisher, day=day)
        number = next(word for word in sentence.split() if word.isdigit())
        asked = (
            f"{sentence.rstrip('.')} how many?".replace(number, ""),
            AnswerKind.HOW_MANY,
            number,
        )
        topics = Topics(tuple(Entity(name, "location", 1) for name in names), ())
        drafts = [newsroom.draft(article, sentence, asked, names=names)]
        return newsroom.teach(kb, article, drafts, topics=topics, story=about, now=now)

    return teach_one


def test_stories_come_back_exactly(open_kb, newsroom, teach, kb):
    teach("The flood took 12 houses.", story("flood"))
    teach("The flood took 40 cars.", story("flood", last_day=2, articles=2), day=2)
    assert kb.open_stories(None) == [story("flood", last_day=2, articles=2)]
    kb._shelf.forget()
    assert kb.open_stories(None) == [story("flood", last_day=2, articles=2)]


def test_only_stories_active_since_then_are_open(kb, teach):
    teach("The flood took 12 houses.", story("flood", last_day=0))
    teach("The fire took 40 cars.", story("fire", last_day=5), day=5)
    teach("The strike cost 9 days.", story("undated", last_day=None), day=None)
    assert [s.id for s in kb.open_stories(NOW + timedelta(days=1))] == [
        "story-fire",
        "story-undated",
    ]
    assert len(kb.open_stories(None)) == 3


def test_summaries_count_what_was_out_by_then(kb, teach):
    teach("The flood took 12 houses.", story("flood"), names=["Porto Verde"])
    teach(
        "The flood swept away 40 cars.", story("flood", last_day=3), publisher="Beta Times", day=3
    )
    teach("The fire burned 7 barns.", story("fire", last_day=1), day=1)
    flood, fire = kb.stories(limit=9)
    assert (flood.label, flood.article_count, flood.fact_count) == ("Flood", 2, 2)
    assert (flood.first_at, flood.last_at) == (NOW, NOW + timedelta(days=3))
    assert (flood.publishers, flood.entities) == (("Alpha Post", "Beta Times"), ("Porto Verde",))
    assert fire.id == "story-fire"
    then = kb.stories(as_of=NOW + timedelta(days=1), limit=9)
    assert [(s.id, s.fact_count) for s in then] == [("story-fire", 1), ("story-flood", 1)]
    assert [s.id for s in kb.stories(since=NOW + timedelta(days=2), limit=9)] == ["story-flood"]
    assert len(kb.story_articles("story-flood")) == 2
    assert len(kb.story_facts("story-flood", as_of=NOW)) == 1


def test_whats_new_tells_added_confirmed_and_contradicted(kb, teach):
    later = NOW + timedelta(hours=5)
    teach(
        "The flood in Porto Verde took 12 houses on Monday.", story("flood"), names=["Porto Verde"]
    )
    teach(
        "The flood in Porto Verde took 12 houses on Monday.",
        story("flood", articles=2),
        publisher="Beta Times",
        now=later,
    )
    teach(
        "The flood in Porto Verde took 30 houses on Monday.",
        story("flood", articles=3),
        publisher="Gamma News",
        day=1,
        now=later,
    )
    [news] = kb.whats_new(later)
    assert news.story is not None
    assert (news.story.id, news.added, news.corroborated, news.conflicting) == (
        "story-flood",
        1,
        1,
        1,
    )
    assert [fact.evidence.quote for fact in news.facts] == [
        "The flood in Porto Verde took 30 houses on Monday."
    ]
    assert kb.whats_new(later + timedelta(seconds=1)) == []
    assert kb.whats_new(NOW, limit=1, facts_each=1)[0].added == 2
