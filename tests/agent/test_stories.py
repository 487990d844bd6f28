"""Articles about one event join one story, whatever the order of the candidates; others open their own."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.stories import (
    MAX_TERMS,
    THRESHOLD,
    article_profile,
    assign_story,
    closeness,
    mean_cosine,
    merge,
)
from kb import Entity, Placement, StoryProfile, Topics
from tests.agent.articles_for_tests import NOON, article
from tests.embedders import HashEmbedder

BRIDGE = (
    "Maria Lindqvist reopened the Karlsund Bridge in Stockholm after a storm surge broke its steel cables. "
    "Lindqvist said a crew from Norway replaced the cables in nine weeks."
)
BRIDGE_AGAIN = (
    "The Karlsund Bridge in Stockholm carries cars again: engineer Maria Lindqvist declared the steel cables safe. "
    "The storm surge had broken the cables; a Norwegian crew replaced them."
)
ELECTION = (
    "Voters in Portugal chose a new parliament on Sunday. The Orange Party won 112 seats, and its leader Rui Tavares "
    "promised lower taxes and a new hospital in Porto."
)
BRIDGE_TOPICS = Topics(
    (
        Entity("Maria Lindqvist", "person", 2),
        Entity("Karlsund Bridge", "misc", 1),
        Entity("Stockholm", "location", 1),
    ),
    ("steel cables", "storm surge"),
)
ELECTION_TOPICS = Topics(
    (Entity("Rui Tavares", "person", 1), Entity("Portugal", "location", 1)), ("orange party",)
)


def told(text, topics, *, article_id, title, at=NOON, candidates=()):
    source = article(text, title=title, article_id=article_id, at=at)
    vector = HashEmbedder(64).embed([text])[0]
    return assign_story(source, topics, vector, candidates)


def bridge(candidates=(), at=NOON):
    return told(
        BRIDGE,
        BRIDGE_TOPICS,
        article_id="b1",
        title="Karlsund Bridge reopens",
        at=at,
        candidates=candidates,
    )


def bridge_again(candidates, at=NOON + timedelta(hours=5)):
    title = "Cars return to Karlsund Bridge"
    return told(
        BRIDGE_AGAIN, BRIDGE_TOPICS, article_id="b2", title=title, at=at, candidates=candidates
    )


def election(candidates=()):
    return told(
        ELECTION, ELECTION_TOPICS, article_id="e1", title="Portugal votes", candidates=candidates
    )


def test_first_article_opens_a_story_with_its_title():
    choice = bridge()
    assert choice.is_new
    assert (choice.decision.nearest_id, choice.decision.probability) == (None, 0.0)
    assert choice.story.label == "Karlsund Bridge reopens"
    assert choice.story.profile.article_count == 1


def test_the_same_event_joins_its_story():
    first, other = bridge().story, election().story
    choice = bridge_again([other, first])
    assert not choice.is_new
    assert choice.story.id == first.id
    assert choice.story.label == first.label
    assert choice.story.profile.article_count == 2
    assert choice.story.profile.first_at == NOON
    assert choice.story.profile.last_at == NOON + timedelta(hours=5)


def test_another_event_opens_its_own():
    choice = election([bridge().story])
    assert choice.is_new
    assert (choice.decision.nearest_id, choice.decision.candidates) == (None, 1)


def test_another_event_in_the_same_town_opens_its_own_too():
    text = f"{ELECTION} Observers from Stockholm watched."
    choice = told(text, ELECTION_TOPICS, article_id="e2", title="Vote", candidates=[bridge().story])
    assert choice.is_new
    assert choice.decision.nearest_id == bridge().story.id
    assert 0 < choice.decision.probability < THRESHOLD


def test_the_order_of_candidates_does_not_matter():
    stories = [bridge().story, election().story]
    assert bridge_again(stories) == bridge_again(stories[::-1])


def test_an_article_without_date_can_join():
    choice = bridge_again([bridge().story], at=None)
    assert not choice.is_new
    assert choice.story.profile.last_at == NOON


def test_nearness_in_time_fades():
    profile = bridge().story.profile
    nearness = [closeness(NOON + timedelta(days=days), profile) for days in (0, 1, 3, 9)]
    assert nearness == sorted(nearness, reverse=True)
    assert nearness[0] == 1.0
    assert nearness[-1] < 0.05
    assert closeness(None, profile) == 1.0


def test_a_story_without_title_is_labelled_by_its_names():
    choice = told(BRIDGE, BRIDGE_TOPICS, article_id="b3", title="")
    assert choice.story.label.startswith("Maria Lindqvist, Karlsund Bridge")


def test_a_long_title_is_cut_at_a_word():
    label = told(BRIDGE, BRIDGE_TOPICS, article_id="b4", title="bridge " * 40).story.label
    assert len(label) <= 90
    assert label.endswith("bridge…")


PROFILES = st.builds(
    StoryProfile,
    terms=st.dictionaries(
        st.text("abcdef", min_size=1, max_size=4), st.floats(0.1, 9), max_size=300
    ),
    vector=st.just((1.0, 0.0)),
    first_at=st.sampled_from([None, NOON]),
    last_at=st.sampled_from([None, NOON + timedelta(days=1)]),
    article_count=st.integers(1, 9),
)


@settings(max_examples=40)
@given(PROFILES, PROFILES)
def test_merged_profiles_are_sums_and_bounded(a, b):
    merged = merge(a, b)
    assert len(merged.terms) <= MAX_TERMS
    assert merged.article_count == a.article_count + b.article_count
    assert merged.vector == (2.0, 0.0)
    for term, weight in merged.terms.items():
        assert weight == a.terms.get(term, 0.0) + b.terms.get(term, 0.0)
    assert merge(b, a).article_count == merged.article_count


def test_profile_depends_on_the_article_and_on_what_is_open():
    vector = np.full(4, 0.5, np.float32)
    source = article(BRIDGE)
    later = replace(source, fetched_at=NOON + timedelta(days=9))
    stories = [bridge().story, election().story]
    profile = article_profile(source, vector, stories)
    assert profile == article_profile(later, vector, stories[::-1])
    assert np.isclose(np.linalg.norm(list(profile.terms.values())), 1.0)


def test_what_many_open_stories_say_weighs_less():
    everywhere = [replace(election().story, id=f"s{n}") for n in range(30)]
    vector = np.ones(4, np.float32)
    source = article(f"{ELECTION} The ferry sank.", title="Ferry")
    alone = article_profile(source, vector, []).terms
    among = article_profile(source, vector, everywhere).terms
    assert alone["parliament"] == alone["sank"]
    assert among["parliament"] < 0.1 * among["sank"]


def test_a_story_is_compared_by_the_mean_of_its_articles():
    vector = np.ones(4, np.float32)
    one, other = (article_profile(article(text), vector, []) for text in (BRIDGE, ELECTION))
    both = merge(one, other)
    assert np.isclose(mean_cosine(one.terms, one), 1.0)
    expected = (1.0 + mean_cosine(one.terms, other)) / 2
    assert np.isclose(mean_cosine(one.terms, both), expected)


def test_the_log_says_why():
    opened, joined = bridge(), bridge_again([bridge().story])
    assert opened.decision.placement is Placement.OPENED
    assert opened.decision.story_id == opened.story.id
    assert joined.decision.placement is Placement.JOINED
    assert joined.decision.nearest_id == joined.decision.story_id == opened.story.id
    assert joined.decision.probability >= joined.decision.threshold == THRESHOLD
    assert (opened.decision.candidates, joined.decision.candidates) == (0, 1)
