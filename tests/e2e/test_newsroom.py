"""Real news replayed on loopback, healthy and spoiled; skipped where no data folder is given."""

import contextlib
import importlib
import os
import sqlite3
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import quick_settings

FEEDS = 4


@pytest.fixture(scope="module")
def newsroom_package():
    """The replay server beside the data folder."""
    named = os.environ.get("TIDINGS_DATA")
    folder = Path(named).parent / "newsroom" if named else None
    if folder is None or not folder.is_dir():
        pytest.skip("TIDINGS_DATA names no data folder with a newsroom beside it")
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("newsroom")
    finally:
        sys.path.remove(str(folder))


@pytest.fixture
def room(newsroom_package, tidings_data):
    with newsroom_package.Newsroom(tidings_data / "newsroom", port=0) as room:
        room.clock.set(room.articles[2000].published_at)
        yield room


def feed_list(room, path, count):
    """A list of the first feeds only: a test should take seconds."""
    lines = ["feeds:"]
    for feed in room.feeds[:count]:
        url = f"http://{feed.host}:{room.port}{feed.path}"
        lines += [f"  - title: {feed.title!r}", f"    url: {url}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def stored_rows(home):
    """Everything that was learned, as SQL text; check times are no part of it."""
    with contextlib.closing(sqlite3.connect(home / "tidings.db")) as connection:
        tables = ("entry", "article", "fact", "fact_source", "decision", "story")
        return {
            table: connection.execute(f"SELECT count(*), max(rowid) FROM {table}").fetchone()
            for table in tables
        }


def test_real_news_is_learned_once_and_then_only_what_is_new(tidings, room, tmp_path):
    feeds = feed_list(room, tmp_path / "feeds.yaml", FEEDS)
    env = quick_settings(room.port)
    first = tidings("ingest", "--feeds", feeds, "--json", env=env)
    assert first.code == 0, first.err
    assert first.json["articles"] > 50
    verified = tidings("verify", "--json").json
    assert verified["facts"] > 300
    assert verified["unsupported"] == verified["index_missing"] == verified["index_extra"] == 0

    before, decisions = stored_rows(tmp_path / "home"), tidings("export", "--decisions").out
    again = tidings("ingest", "--feeds", feeds, "--json", env=env).json
    assert again["feeds_unchanged"] == again["feeds_ok"] == FEEDS
    assert again["articles"] == 0
    assert stored_rows(tmp_path / "home") == before
    assert tidings("export", "--decisions").out == decisions

    day_before = room.clock.now()
    room.clock.set(day_before + timedelta(days=1))
    later = tidings("ingest", "--feeds", feeds, "--json", env=env).json
    assert 0 < later["articles"] < first.json["articles"]
    added = set(tidings("export", "--decisions").out.splitlines()) - set(decisions.splitlines())
    assert added
    assert room.stats.report()["canary_hits"] == 0


def test_invented_claims_of_reader_comments_become_no_facts(tidings, room, tmp_path):
    feeds = feed_list(room, tmp_path / "feeds.yaml", 2)
    tidings("ingest", "--feeds", feeds, env=quick_settings(room.port))
    found = tidings("search", "the mayor resigned in 1742", "--json").json
    assert found
    assert not [fact for fact in found if "1742" in fact["quote"]]


def test_spoiled_newsroom_ends_in_recorded_reasons(tidings, room, newsroom_package, tmp_path):
    kinds = sorted(set(newsroom_package.FAULTS) - {"slow-drip", "endless"})
    lines = ["feeds:"]
    for kind in kinds:
        feed = room.feeds[0]
        url = f"http://{feed.host}:{room.port}/faults/{kind}{feed.path}"
        lines += [f"  - title: {kind}", f"    url: {url}", "    full_text: feed"]
    path = tmp_path / "feeds.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    env = quick_settings(room.port) | {
        "TIDINGS_FETCH__TOTAL_S": "8",
        "TIDINGS_FETCH__READ_TIMEOUT_S": "4",
        "TIDINGS_FETCH__HOLD_PATIENCE_S": "0",
    }
    outcome = tidings("ingest", "--feeds", str(path), "--json", env=env)
    assert outcome.code == 3, outcome.err
    states = {feed["title"]: feed for feed in tidings("feeds", "--json").json["feeds"]}
    assert set(states) == set(kinds)
    for title, state in states.items():
        assert state["status"] in ("ok", "failing", "gone"), title
        assert (state["status"] == "ok") == (state["last_error"] is None), title
    assert states["410"]["status"] == "gone"
    assert tidings("verify", "--json").json["unsupported"] == 0
    assert room.stats.report()["canary_hits"] == 0
