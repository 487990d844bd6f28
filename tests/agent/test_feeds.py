"""Bytes -> feed: each case of tests/data/feeds is a document and what must be read from it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.broken_xml import MAX_READ_ENTRIES
from agent.errors import FeedError
from agent.feeds import MAX_ENTRIES, MAX_TAGS, parse_feed

CASES = Path(__file__).parent.parent / "data" / "feeds"
URL = "https://courier.example/feeds/all.xml"
NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)


def parse(body, *, content_type="", url=URL, feed_url=URL, **bounds):
    return parse_feed(
        body, url=url, content_type=content_type, now=NOW, feed_url=feed_url, **bounds
    )


def read_case(case):
    document = next(path for path in CASES.glob(f"{case}.*") if path.suffix != ".json")
    return document.read_bytes(), json.loads((CASES / f"{case}.json").read_text(encoding="utf-8"))


def shown(entry):
    """An entry as the cases write it: all but the ids."""
    return {
        "title": entry.title,
        "link": entry.link,
        "published_at": entry.published_at.isoformat() if entry.published_at else None,
        "content_html": entry.content_html,
        "authors": list(entry.authors),
        "problems": list(entry.problems),
    }


def check(case):
    body, expected = read_case(case)
    content_type = expected.get("content_type", "")
    if "error" in expected:
        with pytest.raises(FeedError) as failure:
            parse(body, content_type=content_type)
        assert failure.value.reason == expected["error"]
        return
    feed = parse(body, content_type=content_type)
    assert (feed.title, feed.language, feed.ttl_s) == tuple(
        expected[name] for name in ("title", "language", "ttl_s")
    )
    assert [shown(entry) for entry in feed.entries] == expected["entries"]
    assert list(feed.problems) == expected["problems"]
    assert len({entry.id for entry in feed.entries}) == len(feed.entries)


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.json")))
def test_document_becomes_the_expected_feed(case):
    check(case)


def rss(*items):
    head = '<?xml version="1.0"?><rss version="2.0"><channel><title>Courier</title>'
    return f"{head}{''.join(items)}</channel></rss>".encode()


def item(number, *, guid=None, published_at=None, link=None):
    parts = [
        f"<title>Story {number}</title><link>{link or f'https://courier.example/{number}'}</link>"
    ]
    parts += [f'<guid isPermaLink="false">{guid}</guid>'] if guid else []
    parts += [f"<pubDate>{published_at.isoformat()}</pubDate>"] if published_at else []
    return f"<item>{''.join(parts)}</item>"


def test_ten_thousand_entries_are_read_and_the_newest_kept():
    items = [
        item(n, guid=f"g{n}", published_at=NOW - timedelta(minutes=10_000 - n))
        for n in range(10_000)
    ]
    feed = parse(rss(*items))
    assert [entry.title for entry in feed.entries] == [f"Story {n}" for n in range(9_500, 10_000)]
    assert feed.problems == (f"9500 entries past the newest {MAX_ENTRIES} left out",)


def test_undated_entries_are_kept_from_the_top():
    feed = parse(rss(*(item(n, guid=f"g{n}") for n in range(20))), max_entries=5)
    assert [entry.title for entry in feed.entries] == [f"Story {n}" for n in range(5)]


def test_entries_past_the_bound_are_not_even_read():
    feed = parse(rss(*["<item/>"] * (MAX_READ_ENTRIES + 5), item(1)))
    assert f"entries past the first {MAX_READ_ENTRIES} not read" in feed.problems
    assert feed.entries == ()


def test_document_of_too_many_tags_is_refused():
    with pytest.raises(FeedError, match="tags"):
        parse(rss("<a>" * (MAX_TAGS + 1)))


def test_entry_ids_do_not_depend_on_where_the_feed_moved():
    body = rss(
        item(1, guid="g1"), item(2), "<item><guid>relative</guid><title>Three</title></item>"
    )
    here, there = parse(body), parse(body, url="https://moved.example/feed.xml")
    assert [entry.id for entry in here.entries] == [entry.id for entry in there.entries]


def test_entry_ids_do_not_depend_on_the_other_entries():
    alone = parse(rss(item(2, guid="g2")))
    among = parse(rss(item(1, guid="g1"), item(2, guid="g2"), item(3)))
    assert alone.entries[0].id == among.entries[1].id


def test_entries_with_one_guid_keep_their_ids_when_a_newer_one_comes():
    before = parse(rss(item(1, guid="same"), item(2, guid="same")))
    after = parse(rss(item(0, guid="same"), item(1, guid="same"), item(2, guid="same")))
    assert [entry.id for entry in after.entries][1:] == [entry.id for entry in before.entries]


def test_entry_ids_do_not_depend_on_how_well_formed_the_feed_is():
    guid = "https://courier.example/a?b=1&amp;c=2"
    whole, broken = rss(item(1, guid=guid)), rss(item(1, guid=guid), "</item>")
    assert "XML not well-formed" in parse(broken).problems[0]
    assert [entry.id for entry in parse(broken).entries] == [
        entry.id for entry in parse(whole).entries
    ]


def test_entries_of_two_feeds_are_two_entries():
    body = rss(item(1, guid="g1"))
    other = parse(body, feed_url="https://other.example/feed.xml")
    assert parse(body).entries[0].id != other.entries[0].id


def test_home_page_as_every_link_is_no_link():
    home = "https://courier.example/"
    feed = parse(rss(*(item(n, guid=f"g{n}", link=home) for n in range(3))))
    assert [entry.link for entry in feed.entries] == [None, None, None]


def test_real_encoding_wins_over_every_declaration():
    body = rss("<item><title>Łódź</title><guid>g</guid></item>")
    for content_type in (
        "",
        "text/xml",
        "text/html; charset=koi8-r",
        "image/png; charset=nonsense",
        "x",
    ):
        assert parse(body, content_type=content_type).entries[0].title == "Łódź"


PIECES = st.sampled_from(
    ["<rss>", "<channel>", "<item>", "</item>", "<entry>", "<title>", "</title>", "<link>", "<guid>", "<pubDate>",
     "<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE rss [", "<!ENTITY a '&a;'>", "&a;", "&#xD800;", "&#99999999;", "&",
     "<content type='application/octet-stream'>", "<feed xmlns='http://www.w3.org/2005/Atom'>", "x", "2026-13-45",
     "<a:b xmlns:a='x'>", "<georss:point>x", "<media:content url='x'>", "http://[::1", "\ufffe", "\x00", "<svg>"]
)  # fmt: skip


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200), st.lists(PIECES, max_size=40).map(lambda p: "".join(p).encode())
    )
)
def test_any_bytes_give_a_feed_or_a_feed_error(body):
    try:
        feed = parse(body, content_type="text/xml; charset=us-ascii")
    except FeedError:
        return
    assert all(entry.published_at is None or entry.published_at.tzinfo for entry in feed.entries)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
JSON_ITEMS = st.dictionaries(
    st.sampled_from(["id", "url", "title", "content_html", "content_text", "date_published", "authors", "author"]),
    JSON_VALUES,
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.one_of(JSON_ITEMS, JSON_VALUES), max_size=5), JSON_VALUES)
def test_any_items_give_a_json_feed(items, title):
    document = {"version": "https://jsonfeed.org/version/1.1", "title": title, "items": items}
    feed = parse(json.dumps(document).encode())
    assert len(feed.entries) <= len(items)
