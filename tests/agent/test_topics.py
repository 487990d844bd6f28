"""Entities are resolved within an article, key phrases say what it is about, and both repeat exactly."""

import pytest

from agent.topics import clean_name, find_topics, resolve_names
from model import load_tagger
from tests.agent.articles_for_tests import article

TEXT = (
    "Engineer Maria Lindqvist reopened the Karlsund Bridge in Stockholm on Monday after "
    "a storm surge damaged its steel cables.\n\n"
    "Lindqvist said the steel cables were replaced by a crew from Norway. Lindqvist's crew worked for nine weeks.\n\n"
    "Traffic in Stockholm had been diverted since the storm surge, the Swedish Transport Agency said."
)


@pytest.fixture(scope="module")
def tagger():
    return load_tagger()


def test_surname_and_possessive_join_the_full_name(tagger):
    entities = {
        entity.name: entity for entity in find_topics(article(TEXT), tagger).topics.entities
    }
    assert entities["Maria Lindqvist"].count == 3
    assert entities["Maria Lindqvist"].kind == "person"
    assert "Lindqvist" not in entities
    assert entities["Stockholm"].count == 2


def test_key_phrases_hold_what_recurs(tagger):
    phrases = find_topics(article(TEXT), tagger).topics.key_phrases
    assert "storm surge" in phrases
    assert "steel cables" in phrases
    assert all(phrase == phrase.lower() for phrase in phrases)


def test_mentions_stand_where_they_say(tagger):
    mentions = find_topics(article(TEXT), tagger)
    quoted = [TEXT[span.start_char : span.end_char] for span in mentions.spans]
    assert quoted.count("Lindqvist") + quoted.count("Lindqvist's") == 2
    starts = [span.start_char for span in mentions.spans]
    assert starts == sorted(starts)


def test_reading_twice_gives_the_same_topics(tagger):
    assert find_topics(article(TEXT), tagger) == find_topics(article(TEXT), load_tagger())


@pytest.mark.parametrize("text", ["", " \n", "\ud800", "🦊" * 50, "1234 5678"])
def test_odd_articles_have_topics_too(tagger, text):
    assert find_topics(article(text, title=""), tagger).topics.entities == ()


def test_a_shared_surname_goes_to_the_last_bearer_named():
    mentions = [
        ("Ana Bell", "person"),
        ("Bo Bell", "person"),
        ("Bell", "person"),
        ("Oslo", "location"),
    ]
    assert resolve_names(mentions) == {
        "Ana Bell": "Ana Bell",
        "Bo Bell": "Bo Bell",
        "Bell": "Bo Bell",
        "Oslo": "Oslo",
    }


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Sen. Ana Bell's", "Ana Bell"),
        ("the Orl  Council", "the Orl Council"),
        ("Mr. Li", "Li"),
        ("“Oslo”", "Oslo"),
        ("U.S.", "U.S."),
        ("7", ""),
        ("'s", ""),
    ],
)
def test_clean_name(raw, clean):
    assert clean_name(raw) == clean
