"""Every way in which a replayed newsroom goes wrong ends as a page or our own error, in time."""

import importlib
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.errors import (
    BadStatus,
    FetchError,
    Gone,
    RateLimited,
    Refused,
    Timeout,
    TooLarge,
    Unreachable,
)
from agent.fetch import FetchedPage, Fetcher, FetchLimits, NotModified
from agent.network import AllowedNetwork

TOTAL_S = {"slow-drip": 2.0}
AMPLE_S = 30.0  # the newsroom needs seconds for some replies, on a busy machine more
EXPECTED = {
    "404": BadStatus,
    "410": Gone,
    "500": BadStatus,
    "503": RateLimited,
    "429": RateLimited,
    "429-date": RateLimited,
    "redirect-loop": Refused,
    "redirect-port": Refused,
    "redirect-file": Refused,
    "slow-drip": Timeout,
    "reset": Unreachable,
    "short-body": Unreachable,
    "endless": TooLarge,
    "gzip-bomb": TooLarge,
}


@pytest.fixture
def newsroom(tidings_data, monkeypatch):
    folder = tidings_data.parent / "newsroom"
    if not (folder / "newsroom.py").is_file():
        pytest.skip(f"no newsroom beside the data: {folder}")
    if not (tidings_data / "newsroom").is_dir():
        pytest.skip("no newsroom's data")
    monkeypatch.syspath_prepend(str(folder))
    module = importlib.import_module("newsroom")
    with module.Newsroom(tidings_data / "newsroom", port=0) as room:
        room.clock.set(room.articles[2000].published_at)
        yield room
    for name in ("newsroom", "press", "faults", "serve"):
        sys.modules.pop(name, None)


def new_fetcher(room, **limits):
    allowed = (AllowedNetwork.parse(f"127.0.0.0/8:{room.port}"),)
    bounds: dict[str, Any] = {
        "total_s": AMPLE_S,
        "host_gap_s": 0.0,
        "allow_private": allowed,
    } | limits
    return Fetcher(FetchLimits(**bounds), clock=lambda: datetime.now(UTC), random=random.Random(0))


def outcome(fetch):
    try:
        return fetch()
    except FetchError as error:
        return error


def test_every_fault_ends_as_a_page_or_as_our_error_in_time(newsroom):
    kinds = sorted(sys.modules["faults"].FAULTS)
    article = newsroom.published()[-1].id
    assert len(kinds) >= len(EXPECTED)
    for kind in kinds:
        for path in (newsroom.feeds[0].path, f"/articles/{article}.html"):
            is_feed = not path.startswith("/articles/")
            total_s = TOTAL_S.get(kind, AMPLE_S)
            fetcher = new_fetcher(newsroom, obey_robots=False, total_s=total_s)
            url = f"{newsroom.url}/faults/{kind}{path}"
            started = time.monotonic()
            result = outcome(
                lambda fetcher=fetcher, url=url, is_feed=is_feed: (
                    fetcher.fetch_feed(url, etag=None, last_modified=None)
                    if is_feed
                    else fetcher.fetch_page(url)
                )
            )
            assert time.monotonic() - started < total_s + 5, (kind, path)
            if kind in EXPECTED:
                assert isinstance(result, EXPECTED[kind]), (kind, path, result)
            elif is_feed:
                assert isinstance(result, FetchedPage), (kind, path, result)
            else:
                assert isinstance(result, FetchedPage | BadStatus), (kind, path, result)
    assert newsroom.stats.report()["canary_hits"] == 0


def test_an_unchanged_newsroom_answers_304_wherever_it_gave_validators(newsroom):
    fetcher = new_fetcher(newsroom)
    for feed in newsroom.feeds:
        url = f"http://{feed.host}:{newsroom.port}{feed.path}"
        first = fetcher.fetch_feed(url, etag=None, last_modified=None)
        again = fetcher.fetch_feed(url, etag=first.etag, last_modified=first.last_modified)
        has_validators = first.etag is not None or first.last_modified is not None
        assert isinstance(again, NotModified if has_validators else FetchedPage), feed.name
    assert newsroom.stats.report()["not_modified"] > 0


def test_pages_that_robots_txt_forbids_are_not_asked_for(newsroom):
    fetcher = new_fetcher(newsroom, max_crawl_delay_s=0.0)
    closed, open_ = newsroom.publishers[-1], newsroom.publishers[0]
    articles = newsroom.published()
    forbidden = next(a for a in articles if newsroom.publisher_of(a) == closed)
    allowed = next(a for a in articles if newsroom.publisher_of(a) == open_)
    with pytest.raises(Refused, match=r"robots\.txt"):
        fetcher.fetch_page(newsroom.article_url(forbidden))
    page = fetcher.fetch_page(newsroom.article_url(allowed))
    assert (page.charset, page.body[:15].lower()) == ("utf-8", b"<!doctype html>")
    paths = newsroom.stats.report()["paths"]
    assert f"/articles/{forbidden.id}.html" not in paths


def test_a_host_is_asked_as_politely_as_its_robots_txt_wants(newsroom):
    fetcher = new_fetcher(newsroom, host_gap_jitter=0.0)
    publisher = newsroom.publishers[0]
    for article in [a for a in newsroom.published() if newsroom.publisher_of(a) == publisher][:3]:
        fetcher.fetch_page(newsroom.article_url(article))
    host = newsroom.stats.report()["hosts"][newsroom.host_of(publisher)]
    assert host["max_concurrency"] == 1
    assert host["requests"] == 4
    assert host["min_gap_s"] > 0.8  # a Crawl-delay of 1, less what arriving may take
