"""From feeds to stored articles: the order is ours, a page that fails is asked again when it may be."""

import random
import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.collect import RETRY_AFTER, Collector, _hosts_by_turns, check_feeds, collect_articles
from agent.fetch import Fetcher, FetchLimits
from agent.freshness import CheckPolicy
from agent.progress import SilentProgress
from kb import Answerability, Feed, FeedStatus, KnowledgeBase
from tests.agent.web import LOOPBACK, NOW, Reply, Web

PARAGRAPH = "The harbour of Calder was closed on Monday after a crane fell into the water. " * 8
PAGE = f"<html><body><article><h1>Crane</h1><p>{PARAGRAPH}</p></article></body></html>".encode()


class Clock:
    """A clock that the test pushes."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def kb(tmp_path, hash_embedder):
    with KnowledgeBase.open(tmp_path / "home", hash_embedder, Answerability.default()) as kb:
        yield kb


@pytest.fixture
def collector(clock):
    limits = FetchLimits(allow_private=LOOPBACK, host_gap_s=0.0, obey_robots=False)
    stop = threading.Event()
    fetcher = Fetcher(limits, clock=clock, random=random.Random(1), stop=stop)
    return Collector(fetcher, clock, CheckPolicy(), 4, 100, stop)


def rss(web, *names):
    items = "".join(
        f"<item><title>{name}</title><link>{web.url('/' + name)}</link></item>" for name in names
    )
    return Reply(200, f"<rss version='2.0'><channel>{items}</channel></rss>".encode())


def run(kb, collector, web):
    kb.subscribe([Feed(url=web.url("/feed.xml"), title="Harbour News")])
    tally = check_feeds(kb.feed_states(), kb, collector, SilentProgress())
    return tally, collect_articles(kb, collector, SilentProgress())


def test_articles_are_stored_in_the_order_of_the_feed(kb, collector):
    with Web() as web:
        names = [f"page-{number}" for number in range(12)]
        web.routes = {"/feed.xml": rss(web, *names)} | {f"/{n}": Reply(200, PAGE) for n in names}
        tally, stored = run(kb, collector, web)
        assert (tally.ok, tally.entries, stored) == (1, 12, 12)
        assert {article.url for article in kb.unlearned_articles()} == {
            web.url(f"/{name}") for name in names
        }


def test_page_that_fails_for_a_passing_reason_is_asked_again_later(kb, collector, clock):
    with Web() as web:
        web.routes = {"/feed.xml": rss(web, "page"), "/page": Reply(500)}
        assert run(kb, collector, web)[1] == 0
        assert run(kb, collector, web)[1] == 0
        assert len(web.asked("/page")) == 1
        clock.now += RETRY_AFTER[0] + timedelta(seconds=1)
        web.routes["/page"] = Reply(200, PAGE)
        assert run(kb, collector, web)[1] == 1


def test_server_that_names_a_time_is_not_asked_before_it(kb, collector, clock):
    with Web() as web:
        busy = Reply(429, headers=(("Retry-After", "3600"),))
        web.routes = {"/feed.xml": rss(web, "page"), "/page": busy}
        run(kb, collector, web)
        assert kb.queued_entries(clock.now + timedelta(minutes=59)) == []
        assert len(kb.queued_entries(clock.now + timedelta(minutes=61))) == 1


def test_page_that_is_not_there_is_given_up_with_its_reason(kb, collector, clock):
    with Web() as web:
        web.routes = {"/feed.xml": rss(web, "page"), "/page": Reply(404)}
        run(kb, collector, web)
        assert kb.rejections() == [("HTTP 404", 1)]
        assert kb.queued_entries(clock.now + timedelta(days=365)) == []


def test_feed_that_is_gone_is_not_asked_again(kb, collector):
    with Web() as web:
        web.routes = {"/feed.xml": Reply(410)}
        assert run(kb, collector, web)[0].failed == 1
        assert kb.feed_states()[0].status is FeedStatus.GONE
        run(kb, collector, web)
        assert len(web.asked("/feed.xml")) == 1


def test_feed_that_moved_for_good_is_asked_at_its_new_place(kb, collector):
    with Web() as web:
        moved = Reply(301, headers=(("Location", "/new.xml"),))
        web.routes = {"/feed.xml": moved, "/new.xml": rss(web)}
        run(kb, collector, web)
        assert kb.feed_states()[0].current_url == web.url("/new.xml")
        run(kb, collector, web)
        assert len(web.asked("/feed.xml")) == 1


def test_stopped_run_counts_nothing_against_anybody(kb, collector, clock):
    with Web() as web:
        web.routes = {"/feed.xml": rss(web, "page"), "/page": Reply(200, PAGE)}
        kb.subscribe([Feed(url=web.url("/feed.xml"), title="Harbour News")])
        check_feeds(kb.feed_states(), kb, collector, SilentProgress())
        collector.stop.set()
        collect_articles(kb, collector, SilentProgress())
        (queued,) = kb.queued_entries(clock.now)
        assert queued.attempts == 0


@given(st.lists(st.sampled_from("abc")))
def test_hosts_take_turns_and_nobody_is_left_out(hosts):
    order = list(_hosts_by_turns(hosts))
    assert sorted(order) == list(range(len(hosts)))
    for host in set(hosts):
        own = [index for index in order if hosts[index] == host]
        assert own == sorted(own)
