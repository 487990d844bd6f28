"""Feeds in, facts out, questions answered: the whole loop on the bundled newsroom."""

from xml.etree import ElementTree

from tests.e2e.conftest import quick_settings


def counts_of(tidings, room):
    outcome = tidings(
        "ingest", "--feeds", f"{room.url}/feeds.yaml", "--json", env=quick_settings(room.port)
    )
    return outcome, outcome.json


def test_ingest_learns_facts_and_every_fact_is_in_its_article(tidings, demo_room):
    outcome, counts = counts_of(tidings, demo_room)
    assert outcome.code == 0, outcome.err
    assert counts["feeds_failed"] == 0
    assert counts["articles"] > 5
    assert counts["added"] > counts["articles"]
    verified = tidings("verify", "--json").json
    assert verified["facts"] > 0
    assert verified["unsupported"] == verified["index_missing"] == verified["index_extra"] == 0


def test_unchanged_newsroom_is_read_again_without_a_trace(tidings, demo_room):
    counts_of(tidings, demo_room)
    before = tidings("export", "--decisions").out
    outcome, counts = counts_of(tidings, demo_room)
    assert outcome.code == 0
    assert counts["feeds_unchanged"] == counts["feeds_ok"]
    assert counts["articles"] == counts["added"] == counts["skipped"] == 0
    assert tidings("export", "--decisions").out == before


def test_next_day_adds_its_own_news(tidings, demo_room):
    counts_of(tidings, demo_room)
    first_day = set(tidings("export", "--decisions").out.splitlines())
    demo_room.day = 2
    outcome, counts = counts_of(tidings, demo_room)
    assert outcome.code == 0
    assert counts["articles"] > 0
    assert counts["added"] > 0
    assert first_day < set(tidings("export", "--decisions").out.splitlines())


def test_same_newsroom_from_empty_gives_the_same_decisions(tidings, demo_room, tmp_path):
    demo_room.day = 3
    exports = []
    for name in ("one", "two"):
        home = tmp_path / name
        tidings(
            "ingest",
            "--feeds",
            f"{demo_room.url}/feeds.yaml",
            env=quick_settings(demo_room.port),
            home=home,
        )
        exports.append(tidings("export", "--decisions", home=home).out)
    assert exports[0]
    assert exports[0] == exports[1]


def test_every_reading_command_answers_in_json(tidings, demo_room):
    counts_of(tidings, demo_room)
    found = tidings("search", "bridge", "--json").json
    assert found
    fact = found[0]
    assert {"id", "quote", "start_char", "end_char", "score", "article"} <= set(fact)
    why = tidings("why", fact["id"], "--json").json
    assert why["fact"]["quote"] == fact["quote"]
    assert why["decisions"]
    assert tidings("why-not", fact["quote"], "--json").json["decisions"]
    story = tidings("topics", "--json").json[0]["id"]
    timeline = tidings("timeline", story, "--json").json
    assert timeline["days"][0]["facts"]
    decisions = tidings("why-story", story, "--json").json["decisions"]
    assert decisions[0]["placement"] == "opened"
    assert story in tidings("export", "--stories").out
    assert tidings("whats-new", "--since", "1d", "--json").json["stories"]
    assert "<graphml" in tidings("graph").out
    label = tidings("topics", "--json").json[0]["label"]
    assert f"<title>{label}</title>" in tidings("graph", "--story", story, "--svg").out
    assert "<title>What the store has met" in tidings("graph", "--svg").out
    unknown = tidings("graph", "--story", "none", "--svg")
    assert (unknown.code, unknown.err) == (2, "tidings: no story 'none' in this store\n")
    assert all(feed["status"] == "ok" for feed in tidings("feeds", "--json").json["feeds"])
    assert tidings("reindex", "--json").json["indexed"] > 0
    assert tidings("doctor", "--json").json["encoder"]


def test_text_for_people_comes_without_json(tidings, demo_room):
    counts_of(tidings, demo_room)
    fact = tidings("search", "bridge", "--json").json[0]
    story = tidings("topics", "--json").json[0]["id"]
    for command in (
        ("search", "bridge"),
        ("ask", "Why is the bridge closed?"),
        ("topics",),
        ("whats-new",),
        ("timeline", story),
        ("why-story", story),
        ("feeds",),
        ("why", fact["id"]),
        ("why-not", fact["quote"]),
        ("verify",),
        ("doctor",),
    ):
        outcome = tidings(*command)
        assert outcome.code == 0, outcome.err
        assert outcome.out.strip()
        assert not outcome.out.lstrip().startswith("{")


def test_as_of_hides_what_was_published_later(tidings, demo_room):
    demo_room.day = 3
    counts_of(tidings, demo_room)
    dates = {
        fact["article"]["published_at"][:10]
        for fact in tidings(
            "search", "bridge", "--as-of", "2025-03-10", "--limit", "50", "--json"
        ).json
    }
    assert dates == {"2025-03-10"}


def passes(tidings):
    """How often something has passed through each node of the experience graph, summed up."""
    tree = ElementTree.fromstring(tidings("graph").out)
    key = next(it.get("id") for it in tree.iter() if it.get("attr.name") == "passes")
    return sum(int(it.text or 0) for it in tree.iter() if it.get("key") == key)


def test_an_answered_question_is_remembered_and_others_are_not(tidings, demo_room):
    demo_room.day = 2
    counts_of(tidings, demo_room)
    before = passes(tidings)
    assert before > 0
    unknown = tidings("ask", "Who designed the lighthouse of Calderhaven?", "--json")
    assert not unknown.json["known"]
    assert passes(tidings) == before
    known = tidings("ask", "How many homes did Storm Petra leave without power?", "--json")
    assert known.json["known"]
    assert passes(tidings) > before


def test_the_graph_sleeps_once_a_day(tidings, demo_room):
    env = quick_settings(demo_room.port) | {"TIDINGS_LOG__LEVEL": "INFO"}
    feeds = f"{demo_room.url}/feeds.yaml"
    slept = ["slept" in tidings("ingest", "--feeds", feeds, env=env).err for _ in range(2)]
    assert slept == [True, False]
