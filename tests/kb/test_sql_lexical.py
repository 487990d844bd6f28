"""The lexical index: what is found, and in what order."""

from collections import Counter

import pytest

from kb import sql_lexical
from kb.migrations import migrate
from kb.sql import open_engine, reading, writing
from kb.words import Rarity, terms

FACTS = [
    "The council met on Monday.",
    "The council met the mayor on Monday.",
    "The mayor opened the bridge.",
    "The council met the mayor at the bridge.",
    "Nothing happened elsewhere.",
]
TITLE = "Porto Verde"


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(tmp_path, None)
    migrate(engine, str(tmp_path))
    with writing(engine, "here") as connection:
        sql_lexical.add_facts(connection, [(n, TITLE, text) for n, text in enumerate(FACTS, 1)])
        sql_lexical.add_decisions(connection, list(enumerate(FACTS, 1)))
    yield engine
    engine.dispose()


def found(engine, wanted, *, limit=10):
    with reading(engine, "here") as connection:
        rarity = Rarity(Counter(sql_lexical.document_counts(connection)), len(FACTS))
        return sql_lexical.find_facts(connection, [terms(wanted)], rarity, limit=limit)[0]


def test_the_fact_that_holds_most_of_the_words_comes_first(engine):
    assert found(engine, "council mayor bridge") == [4, 3, 2, 1]


def test_a_rare_word_weighs_more_than_a_common_one(engine):
    assert found(engine, "council bridge")[:3] == [4, 3, 1]


def test_equals_come_in_the_order_of_the_store_and_the_limit_holds(engine):
    assert found(engine, "council") == [1, 2, 4]
    assert found(engine, "council", limit=2) == [1, 2]


def test_titles_are_searched_too(engine):
    assert found(engine, "Porto") == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("wanted", ["", "dragon", "and or", "3.5"])
def test_words_that_no_fact_holds_find_nothing(engine, wanted):
    assert found(engine, wanted) == []


def test_only_the_rarest_words_are_looked_up(engine, monkeypatch):
    monkeypatch.setattr(sql_lexical, "MAX_POSTINGS", 3)
    assert found(engine, "council mayor bridge") == [3, 4]


def test_many_are_found_as_each_alone(engine):
    asked = ["council mayor", "", "bridge mayor", "dragon", "council"]
    with reading(engine, "here") as connection:
        rarity = Rarity(Counter(sql_lexical.document_counts(connection)), len(FACTS))
        together = sql_lexical.find_facts(connection, [terms(t) for t in asked], rarity, limit=2)
    assert together == [found(engine, text, limit=2) for text in asked]


def test_decided_sentences_are_found_by_what_they_share(engine):
    with reading(engine, "here") as connection:
        assert sql_lexical.find_decisions(connection, "Who met the mayor?", limit=2) == [2, 4]
        assert sql_lexical.find_decisions(connection, "The mayor's bridge", limit=1) == [3]
        assert sql_lexical.find_decisions(connection, "of the", limit=1) == []
        assert sql_lexical.find_decisions(connection, "", limit=1) == []


def test_an_empty_index_finds_nothing(tmp_path):
    engine = open_engine(tmp_path, None)
    migrate(engine, str(tmp_path))
    assert found(engine, "council") == []
    with reading(engine, "here") as connection:
        assert sql_lexical.find_decisions(connection, "the council", limit=3) == []
    engine.dispose()
