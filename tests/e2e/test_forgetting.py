"""`tidings forget`: through the command line, past the next ingest, and by the daemon's door."""

from tests.e2e.conftest import quick_settings


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
