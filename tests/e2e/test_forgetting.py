"""`tidings forget`: through the command line, past the next ingest, and by the daemon's door."""

import io
import sys

from tests.e2e.conftest import quick_settings


class Terminal(io.StringIO):
    """What somebody types at a terminal."""

    def isatty(self):
        return True


def ingest(tidings, room):
    outcome = tidings(
        "ingest", "--feeds", f"{room.url}/feeds.yaml", "--json", env=quick_settings(room.port)
    )
    assert outcome.code == 0, outcome.err
    return outcome.json


def articles(tidings):
    """Address by id of every article that the search tells of."""
    found = tidings("search", "bridge council city museum", "--limit", "1000", "--json").json
    return {fact["article"]["id"]: fact["article"]["url"] for fact in found}


def test_a_forgotten_article_stays_away_until_it_may_come_again(tidings, demo_room):
    demo_room.day = 2
    ingest(tidings, demo_room)
    before = articles(tidings)
    gone, url = sorted(before.items())[0]
    refused = tidings("forget", url)
    assert refused.code == 2
    assert refused.err.strip() == "tidings: forget: nobody can be asked here: say --yes"

    report = tidings("forget", f"{url}?utm_source=feed", "--yes", "--json").json
    assert report["article_id"] == gone
    assert report["facts"] > 0
    assert articles(tidings).keys() == before.keys() - {gone}
    verified = tidings("verify", "--json").json
    assert verified["unsupported"] == verified["index_missing"] == verified["index_extra"] == 0
    decisions = tidings("export", "--decisions").out
    assert decisions
    assert gone not in decisions
    assert tidings("doctor", "--json").json["counts"]["unlearned_articles"] == 0

    assert ingest(tidings, demo_room)["articles"] == 0
    assert gone not in articles(tidings)
    again = tidings("forget", url, "--yes")
    assert again.code == 2
    assert again.err.count("\n") == 1
    assert "it is forgotten already" in again.err
    unknown = tidings("forget", "https://nobody.example/", "--yes")
    assert unknown.code == 2
    assert "it is not stored" in unknown.err

    assert tidings("forget", "--undo", url).code == 0
    assert tidings("forget", "--undo", url).code == 2
    assert ingest(tidings, demo_room)["articles"] == 1
    assert articles(tidings) == before


def test_who_sits_at_a_terminal_is_shown_what_would_go_and_asked(tidings, demo_room, monkeypatch):
    ingest(tidings, demo_room)
    before = articles(tidings)
    gone, url = sorted(before.items())[0]
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))
    refused = tidings("forget", url)
    assert refused.code == 1
    assert url in refused.err
    assert "Forget all this? [y/N]" in refused.err
    assert articles(tidings) == before
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert tidings("forget", url).code == 0
    assert articles(tidings).keys() == before.keys() - {gone}
