"""Each misuse and misfortune has its clear line and its exit code, and loses nothing."""

import shutil

import pytest

from tests.e2e.conftest import quick_settings

LINE = "tidings: "


def one_line(outcome):
    lines = [line for line in outcome.err.splitlines() if line.startswith(LINE)]
    assert len(lines) == 1, outcome.err
    return lines[0]


def ingest(tidings, room, **options):
    return tidings(
        "ingest",
        "--feeds",
        f"{room.url}/feeds.yaml",
        "--json",
        env=quick_settings(room.port),
        **options,
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("feeds:\n  - title: A\n    url: ftp://x.invalid/\n", ("3", "entry 1", "url")),
        ("feeds:\n  - title: A\n    url: [\n", ("4",)),
        ("feeds:\n  - title: A\n    link: http://x.invalid/\n", ("entry 1", "link")),
        ("news: []\n", ("news",)),
        ("", ("empty",)),
    ],
)
def test_broken_feeds_yaml_names_line_entry_and_field(tidings, tmp_path, text, named):
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    outcome = tidings("ingest", "--feeds", str(path))
    assert outcome.code == 2
    assert "broken.yaml" in one_line(outcome)
    for part in named:
        assert part in one_line(outcome)


def test_missing_feed_list_is_a_usage_error(tidings, tmp_path):
    outcome = tidings("ingest", "--feeds", str(tmp_path / "none.yaml"))
    assert outcome.code == 2
    assert "none.yaml" in one_line(outcome)


def test_unreachable_feed_among_good_ones_is_counted_and_the_rest_is_learned(
    tidings, demo_room, tmp_path
):
    feeds = tmp_path / "feeds.yaml"
    feeds.write_text(
        "feeds:\n"
        f"  - title: Dead\n    url: http://127.0.0.1:9/feed.xml\n"
        f"  - title: Nowhere\n    url: http://nowhere.invalid/feed.xml\n"
        f"  - title: Page\n    url: {demo_room.url}/robots.txt\n",
        encoding="utf-8",
    )
    outcome = tidings("ingest", "--feeds", str(feeds), "--json", env=quick_settings(demo_room.port))
    assert outcome.code == 1  # not one of them answered as a feed
    assert outcome.json["feeds_failed"] == 3
    health = {feed["title"]: feed for feed in tidings("feeds", "--json").json["feeds"]}
    assert "loopback address, port 9" in health["Dead"]["last_error"]
    assert health["Nowhere"]["last_error"]
    assert health["Page"]["last_error"]
    assert {feed["status"] for feed in health.values()} == {"failing"}


def test_private_address_is_refused_unless_listed(tidings, demo_room):
    outcome = tidings("ingest", "--feeds", f"{demo_room.url}/feeds.yaml")
    assert outcome.code == 1
    assert "private" in one_line(outcome) or "loopback" in one_line(outcome)


def test_unknown_setting_is_named(tidings):
    outcome = tidings("topics", env={"TIDINGS_FETCH__HOST_GAPS": "1"})
    assert outcome.code == 2
    assert "TIDINGS_FETCH__HOST_GAPS" in one_line(outcome)


@pytest.mark.parametrize(
    "command",
    [
        ("ask", ""),
        ("search", "x", "--as-of", "yesterday"),
        ("why", "no-such-fact"),
        ("timeline", "no-such-story"),
        ("why-story", "no-such-story"),
        ("export",),
        ("topics", "--since", "soon"),
    ],
)
def test_wrong_arguments_are_usage_errors(tidings, command):
    outcome = tidings(*command)
    assert outcome.code == 2
    assert one_line(outcome)


def test_home_that_is_a_file_is_named(tidings, tmp_path):
    path = tmp_path / "file"
    path.write_text("not a folder", encoding="utf-8")
    outcome = tidings("topics", home=path)
    assert outcome.code == 1
    assert str(path) in one_line(outcome)
    assert path.read_text(encoding="utf-8") == "not a folder"


def test_empty_store_knows_nothing(tidings):
    outcome = tidings("ask", "Who won the cup?", "--json")
    assert outcome.code == 0
    assert outcome.json["known"] is False
    assert outcome.json["facts"] == []


def test_damaged_chroma_folder_is_rebuilt_from_the_rows(tidings, demo_room, tmp_path):
    ingest(tidings, demo_room)
    before = tidings("search", "bridge", "--json").json
    for path in (tmp_path / "home" / "chroma").rglob("*"):
        if path.is_file():
            path.write_bytes(b"garbage" * 100)
    after = tidings("search", "bridge", "--json")
    assert after.code == 0, after.err
    assert after.json == before


def test_lost_chroma_folder_is_rebuilt_from_the_rows(tidings, demo_room, tmp_path):
    ingest(tidings, demo_room)
    before = tidings("search", "bridge", "--json").json
    shutil.rmtree(tmp_path / "home" / "chroma")
    after = tidings("search", "bridge", "--json")
    assert after.code == 0, after.err
    assert after.json == before


def test_damaged_database_is_reported_and_left_alone(tidings, demo_room, tmp_path):
    ingest(tidings, demo_room)
    database = tmp_path / "home" / "tidings.db"
    garbage = b"this was a database" * 1000
    database.write_bytes(garbage)
    outcome = tidings("topics")
    assert outcome.code == 1
    assert f"{database.parent}: the database file is damaged" in one_line(outcome)
    assert database.read_bytes() == garbage


def test_missing_weights_are_named(tidings, tmp_path):
    outcome = tidings("topics", env={"TIDINGS_MODEL__ENCODER": str(tmp_path / "no-weights")})
    assert outcome.code == 1
    assert "no-weights" in one_line(outcome)


def test_database_of_a_kind_that_is_not_supported_is_named(tidings):
    outcome = tidings("topics", env={"TIDINGS_KB__DATABASE_URL": "postgresql://u:secret@h/db"})
    assert outcome.code == 1
    assert "postgresql" in one_line(outcome)
    assert "secret" not in outcome.err
