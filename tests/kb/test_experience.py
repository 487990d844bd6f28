"""Laws of the experience graph: bounded, fading, replayable, forgetting."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from kb import colours, sql_experience, things
from kb.experience import (
    HALF_LIFE,
    LEAST_WEIGHT,
    MAX_EDGES,
    Experience,
    Passage,
    grown,
    moment,
    weight,
)
from kb.migrations import migrate
from kb.spread import Gate, brought_to_mind
from kb.sql import open_engine, reading, writing
from kb.tables import ExperienceEdgeRow, table_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIM = 8
NAMES = ("Ann Archer", "Ben Baker", "Cleo Carter", "Dan Dyer", "Eve Ellis")

rates = st.floats(0.001, 0.9)
ages = st.floats(0, 900)


@pytest.fixture
def connection(tmp_path):
    engine = open_engine(tmp_path, None)
    migrate(engine, "home")
    with writing(engine, "home") as opened:
        yield opened
    engine.dispose()


def passage(number, names, *, day=0.0, article="a", is_question=False):
    vector = np.random.default_rng(number).normal(size=(1, DIM)).astype(np.float32)
    colour = colours.project(vector, colours.projection(DIM))[0]
    return Passage(NOW + timedelta(days=day), number, article, is_question, tuple(names), colour)


def graph(connection):
    """Everything but the ids, which are only an order of arrival."""
    rows = {row.id: row for row in sql_experience.nodes(connection, range(1, 1000)).values()}
    edges = connection.execute(select(table_of(ExperienceEdgeRow))).all()
    return (
        {row.key: (row.name, row.fact_count, row.pass_count, row.colour) for row in rows.values()},
        {(rows[e.node].key, rows[e.other].key): pytest.approx(e.strength, abs=1e-9) for e in edges},
    )


passed = st.lists(
    st.tuples(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True),
        st.integers(0, 400),  # days; not sorted: a clock may be set back
        st.sampled_from("abc"),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def laid(rows):
    return [
        passage(number, names, day=day, article=article, is_question=asked)
        for number, (names, day, article, asked) in enumerate(rows, start=1)
    ]


@settings(deadline=None)
@given(st.lists(st.tuples(rates, ages), min_size=1, max_size=30))
def test_weights_are_bounded_and_every_passage_strengthens(passages):
    strength, latest = None, 0.0
    for rate, age in passages:
        stronger = grown(strength, rate, age)
        assert strength is None or stronger >= strength
        strength = stronger
        latest = max(latest, age)
        assert strength <= latest  # never above a weight of 1 at the last moment
        assert 0 < weight(strength, age) <= 1


@settings(deadline=None)
@given(rates, ages, ages, ages)
def test_fading_is_monotone(rate, at, first, second):
    strength = grown(None, rate, at)
    early, late = sorted((at + first, at + second))
    assert weight(strength, late) <= weight(strength, early)
    assert weight(strength, at + 1) == pytest.approx(rate / 2)


def test_half_life_is_what_it_says():
    strength = grown(None, 0.4, moment(NOW))
    assert weight(strength, moment(NOW + HALF_LIFE)) == pytest.approx(0.2)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60))
def test_colours_have_unit_length(seeds):
    vectors = np.stack([np.random.default_rng(n).normal(size=DIM) for n in seeds])
    passing = colours.project(vectors.astype(np.float32), colours.projection(DIM))
    colour = passing[0]
    for count, one in enumerate(passing, start=1):
        colour = colours.mix(colour, one, count)
        assert np.linalg.norm(colour) == pytest.approx(1, abs=2e-3)
    assert np.linalg.norm(colours.project(np.zeros((1, DIM), np.float32), np.eye(DIM, 16))) == 1
    assert len(colours.pack(colour)) == 32


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(passed)
def test_replay_gives_the_same_graph(connection, rows):
    sql_experience.clear(connection, log=True)
    experience = Experience(DIM)
    for one in laid(rows):
        experience.pass_over(connection, [one])
    grown_one_by_one = graph(connection)
    experience.rebuild(connection)
    assert graph(connection) == grown_one_by_one


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(passed, st.integers(0, 1200))
def test_replay_gives_the_same_graph_after_sleep(connection, rows, day):
    sql_experience.clear(connection, log=True)
    experience = Experience(DIM)
    for one in laid(rows):
        experience.pass_over(connection, [one])
    asleep_at = NOW + timedelta(days=day)
    experience.sleep(connection, now=asleep_at)
    slept = graph(connection)
    experience.rebuild(connection)
    experience.sleep(connection, now=asleep_at)
    assert graph(connection) == slept


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(passed)
def test_forgetting_an_article_leaves_the_graph_that_never_met_it(connection, rows):
    experience = Experience(DIM)
    passages = laid(rows)
    sql_experience.clear(connection, log=True)
    experience.pass_over(connection, [one for one in passages if one.article_id != "a"])
    without = graph(connection)
    sql_experience.clear(connection, log=True)
    experience.pass_over(connection, passages)
    experience.forget(connection, "a")
    assert graph(connection) == without
    assert sql_experience.passes_of_article(connection, "a") == []


def test_sleep_prunes_what_has_faded_and_nothing_else(connection):
    experience = Experience(DIM)
    experience.pass_over(
        connection,
        [
            passage(1, NAMES[:2]),
            passage(2, NAMES[1:3], day=900),
            passage(3, NAMES[1:3], is_question=True),
        ],
    )
    before = graph(connection)[1]
    assert experience.sleep(connection, now=NOW).edges_pruned == 0
    assert graph(connection)[1] == before
    slept = experience.sleep(connection, now=NOW + timedelta(days=900))
    assert (slept.edges_pruned, slept.questions_dropped, slept.nodes_dropped) == (2, 1, 0)
    assert set(graph(connection)[1]) == {
        ("ben baker", "cleo carter"),
        ("cleo carter", "ben baker"),
    }
    assert experience.sleep(connection, now=NOW + timedelta(days=900)).edges_pruned == 0
    assert math.log2(0.3 / LEAST_WEIGHT) * HALF_LIFE < timedelta(days=900)


def test_sleep_leaves_a_node_its_strongest_edges(connection):
    experience = Experience(DIM)
    others = [f"Other Name{'x' * number}q" for number in range(MAX_EDGES + 9)]
    experience.pass_over(
        connection,
        [passage(n, ("Hub City", other), day=n) for n, other in enumerate(others, start=1)],
    )
    slept = experience.sleep(connection, now=NOW + timedelta(days=80))
    assert slept.edges_pruned == 9
    assert slept.edges == MAX_EDGES + 9  # from the others they still lead to it
    kept = {pair[1] for pair in graph(connection)[1] if pair[0] == "hub city"}
    assert kept == {things.key_of(other) for other in others[9:]}


def test_a_question_reaches_facts_over_shared_things(connection):
    experience = Experience(DIM)
    experience.pass_over(
        connection,
        [
            passage(1, ("Ann Archer", "Acme Corp.")),
            passage(2, ("Acme", "Dan Dyer")),
            passage(3, ("Eve Ellis", "Cleo Carter")),
        ],
    )
    vector = np.ones(DIM, dtype=np.float32)
    found = brought_to_mind(connection, "Who works with ann archer?", vector, gate=Gate())
    assert list(found) == [1, 2]
    assert 1 > found[1] > found[2] > 0
    assert brought_to_mind(connection, "Who is it?", vector, gate=Gate()) == {}
    assert brought_to_mind(connection, "Who is Zoe?", vector, gate=Gate(0.2)) == {}


def test_an_answered_question_ties_what_it_names_to_its_answer(connection):
    experience = Experience(DIM)
    experience.pass_over(
        connection,
        [passage(n, ("Ann Archer", NAMES[n])) for n in range(1, 4)] + [passage(9, ("Fay Field",))],
    )
    vector = np.ones(DIM, dtype=np.float32)
    asked = "What did Ann Archer give Fay Field?"
    before = brought_to_mind(connection, "Ann Archer?", vector, gate=Gate())
    for _ in range(3):
        experience.answered(
            connection, asked, vector, fact_seq=3, article_id="a", now=NOW + timedelta(days=1)
        )
    after = brought_to_mind(connection, "Ann Archer?", vector, gate=Gate())
    assert 9 not in before
    assert 9 in after
    assert max(after, key=after.__getitem__) == 3


@pytest.mark.parametrize(
    ("names", "title", "entities", "elsewhere", "wanted"),
    [
        (["Smith"], "A long headline about something else today", ["John Smith"], [], ["John Smith"]),
        (["Mr Smith"], "A long headline about something else today", [], ["John Smith"], ["John Smith"]),
        (["Smith"], "", [], ["John Smith", "Jane Smith"], ["Smith"]),
        (["U.S.", "United States"], "", [], [], ["U.S."]),
        (["Americans", "AMERICAN"], "", [], [], ["Americans"]),
        (["Paris"], "Paris (Texas)", [], [], ["Paris"]),
        (["Bob"], "Acme Corp. buys the whole of Bolt for cash", ["Bolt", "Acme Corp."], [],
         ["Bolt", "Acme Corp.", "Bob"]),
        (["2024"], "", [], [], []),
    ],
)  # fmt: skip
def test_one_thing_has_one_name(names, title, entities, elsewhere, wanted):
    fuller = [things.fuller_names(known) for known in (entities, elsewhere)]
    assert list(things.things_of(names, title, entities, *fuller)) == wanted


def test_longest_names_are_found_first_and_in_order():
    spans = things.spans_of_words("Did the New York Times leave New York for Paris?")
    known = ["new york time", "new york", "york", "paris", "the"]
    assert things.longest(spans, known) == ["new york time", "new york", "paris"]


NAMES_AS_WRITTEN = (
    "U.S.", "US", "AT&T", "J.K. Rowling", "Côte d'Ivoire", "Mr Smith", "The Who", "S&P 500", "O'Neill", "Acme Corp.",
    "Al-Qaeda", "São Paulo", "University of Oxford", "G7",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES_AS_WRITTEN)
@pytest.mark.parametrize(
    "question", ["What did {} say?", "Who left {}'s board on Monday?", "Why {}?"]
)
def test_a_name_in_a_question_is_the_one_that_a_fact_has(name, question):
    key = things.key_of(name)
    assert key in things.longest(things.spans_of_words(question.format(name)), [key])


def test_small_words_name_nothing():
    spans = things.spans_of_words("Who told us the truth about it in the end?")
    assert not {"united state", "it", "end in", "the"}.intersection(spans.values())


def test_gate_lets_like_colours_through():
    found = colours.project(np.eye(DIM, dtype=np.float32), colours.projection(DIM))
    factors = Gate(0.2).factors(found, found[0])
    assert factors.argmax() == 0
    assert (factors > 0).all()
    assert (Gate().factors(found, found[0]) == 1).all()


def test_reading_needs_no_writing(tmp_path):
    engine = open_engine(tmp_path, None)
    migrate(engine, "home")
    with writing(engine, "home") as opened:
        Experience(DIM).pass_over(opened, [passage(1, NAMES)])
    engine.dispose()
    engine = open_engine(tmp_path, None, read_only=True)
    with reading(engine, "home") as opened:
        assert brought_to_mind(opened, "Ann Archer", np.ones(DIM, np.float32), gate=Gate())
    engine.dispose()
