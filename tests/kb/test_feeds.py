"""Feeds, checks and the queue of entries."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kb import CheckOutcome, Entry, Feed, FeedCheck, FeedStatus, content_id
from tests.kb.newsroom import NOW

FEED = Feed("https://a.example/feed", "Alpha Post", ("world",))
HOUR = timedelta(hours=1)


def entry(name: str, *, feed: Feed = FEED, link: str | None = "") -> Entry:
    link = f"https://a.example/{name}" if link == "" else link
    return Entry(content_id(feed.url, name), feed.url, link, name.title(), "<p>text</p>", NOW)


def updated(**changes) -> FeedCheck:
    return replace(
        FeedCheck(CheckOutcome.UPDATED, NOW + HOUR, etag='"1"', body_hash="aa"), **changes
    )


@pytest.fixture
def subscribed(kb):
    kb.subscribe([FEED])
    return kb


def test_subscribing_again_writes_nothing_and_changes_are_taken(kb):
    second = Feed("https://b.example/feed", "Beta Times")
    kb.subscribe([FEED, second])
    first_states = kb.feed_states()
    kb.subscribe([second, FEED])
    assert kb.feed_states() == first_states
    assert [state.feed for state in first_states] == [FEED, second]
    renamed = replace(FEED, title="The Alpha Post", interval_s=60, tags=())
    kb.subscribe([renamed])
    assert kb.feed_states()[0].feed == renamed


def test_check_and_entries_are_stored_together(subscribed):
    assert subscribed.record_check(FEED, updated(), [entry("one"), entry("two")], now=NOW) == 2
    [state] = subscribed.feed_states()
    assert (state.status, state.etag, state.body_hash) == (FeedStatus.OK, '"1"', "aa")
    assert (state.last_entry_at, state.entry_count) == (NOW, 2)
    assert [q.entry for q in subscribed.queued_entries(NOW)] == [entry("one"), entry("two")]


def test_seen_entries_are_ignored_and_known_links_are_not_queued(subscribed, newsroom):
    other = Feed("https://b.example/feed", "Beta Times")
    subscribed.subscribe([other])
    subscribed.record_check(FEED, updated(), [entry("one"), entry("one")], now=NOW)
    assert subscribed.record_check(FEED, updated(), [entry("one")], now=NOW + HOUR) == 0
    syndicated = entry("same", feed=other, link=entry("one").link)
    assert subscribed.record_check(other, updated(), [syndicated], now=NOW) == 1
    assert [q.entry.id for q in subscribed.queued_entries(NOW)] == [entry("one").id]
    assert subscribed.feed_states()[0].last_entry_at == NOW


def test_entries_without_a_link_are_queued_each(subscribed):
    entries = [entry("one", link=None), entry("two", link=None)]
    assert subscribed.record_check(FEED, updated(), entries, now=NOW) == 2
    assert len(subscribed.queued_entries(NOW)) == 2


def test_unchanged_feed_moves_only_times(subscribed):
    subscribed.record_check(FEED, updated(), [entry("one")], now=NOW)
    before = subscribed.feed_states()[0]
    check = FeedCheck(CheckOutcome.UNCHANGED, NOW + 3 * HOUR)
    subscribed.record_check(FEED, check, [], now=NOW + 2 * HOUR)
    after = subscribed.feed_states()[0]
    assert after == replace(
        before,
        last_checked_at=NOW + 2 * HOUR,
        last_success_at=NOW + 2 * HOUR,
        next_check_at=NOW + 3 * HOUR,
    )


def test_failure_counts_up_and_keeps_the_validators(subscribed):
    subscribed.record_check(FEED, updated(), [], now=NOW)
    failed = FeedCheck(CheckOutcome.FAILED, NOW + HOUR, etag='"bad"', error="timed out")
    for _ in range(2):
        subscribed.record_check(FEED, failed, [], now=NOW + HOUR)
    [state] = subscribed.feed_states()
    assert (state.status, state.error_count, state.last_error) == (
        FeedStatus.FAILING,
        2,
        "timed out",
    )
    assert (state.etag, state.last_success_at) == ('"1"', NOW)
    subscribed.record_check(FEED, updated(etag=None), [], now=NOW + 2 * HOUR)
    [state] = subscribed.feed_states()
    assert (state.error_count, state.last_error, state.etag) == (0, None, None)


def test_due_feeds_wait_for_their_time_and_for_the_server(subscribed):
    assert [s.feed for s in subscribed.due_feeds(NOW, 9)] == [FEED]
    subscribed.record_check(FEED, updated(hold_until=NOW + 5 * HOUR), [], now=NOW)
    assert subscribed.due_feeds(NOW, 9) == []
    assert subscribed.due_feeds(NOW + 2 * HOUR, 9) == []
    assert len(subscribed.due_feeds(NOW + 5 * HOUR, 9)) == 1


def test_gone_feed_stays_gone_until_it_is_reset(subscribed):
    gone = FeedCheck(CheckOutcome.GONE, NOW, error="410")
    subscribed.record_check(FEED, gone, [], now=NOW)
    subscribed.subscribe([replace(FEED, title="Renamed")])
    assert subscribed.due_feeds(NOW + HOUR, 9) == []
    subscribed.reset_feed(FEED.url)
    [state] = subscribed.due_feeds(NOW, 9)
    assert (state.status, state.error_count, state.last_error) == (FeedStatus.NEW, 0, None)


def test_permanent_redirect_is_remembered(subscribed):
    subscribed.record_check(FEED, updated(current_url="https://new.example/f"), [], now=NOW)
    subscribed.record_check(FEED, updated(), [], now=NOW)
    assert subscribed.feed_states()[0].current_url == "https://new.example/f"
    assert subscribed.feed_states()[0].feed.url == FEED.url


def test_rejected_entries_come_back_when_their_time_has_come(subscribed):
    subscribed.record_check(FEED, updated(), [entry("one"), entry("two"), entry("three")], now=NOW)
    subscribed.reject_entry(entry("one").id, "timed out", retry_at=NOW + HOUR)
    subscribed.reject_entry(entry("two").id, "no text")
    assert [q.entry.title for q in subscribed.queued_entries(NOW)] == ["Three"]
    back = subscribed.queued_entries(NOW + HOUR)
    assert [(q.entry, q.attempts) for q in back] == [(entry("one"), 1), (entry("three"), 0)]
    assert subscribed.queued_entries(NOW + HOUR, limit=1) == back[:1]
    assert subscribed.rejections() == [("no text", 1), ("timed out", 1)]


def test_stored_article_settles_its_entry_once(subscribed, newsroom):
    subscribed.record_check(FEED, updated(), [entry("one"), entry("two")], now=NOW)
    article = newsroom.article(["Something happened."])
    assert subscribed.store_article(entry("one").id, article)
    assert not subscribed.store_article(entry("two").id, article)
    assert subscribed.queued_entries(NOW) == []
    assert subscribed.unlearned_articles() == [article]
    assert subscribed.article(article.id) == article


def test_articles_are_learned_in_time_order_with_undated_ones_last(subscribed, newsroom):
    articles = [
        newsroom.article([f"Number {n}."], day=day) for n, day in enumerate((None, 3, 1, 1))
    ]
    for article in articles:
        newsroom.store(subscribed, article)
    same_day = sorted(articles[2:], key=lambda article: article.id)
    assert subscribed.unlearned_articles() == [*same_day, articles[1], articles[0]]


def test_entry_whose_link_is_an_article_already_is_known(subscribed, newsroom):
    article = replace(newsroom.article(["Something happened."]), url="https://a.example/one")
    newsroom.store(subscribed, article)
    assert subscribed.record_check(FEED, updated(), [entry("one")], now=NOW) == 1
    assert subscribed.queued_entries(NOW) == []


def test_a_check_of_an_unknown_feed_is_refused(kb):
    with pytest.raises(ValueError, match="not subscribed"):
        kb.record_check(FEED, updated(), [entry("one")], now=NOW)
    assert kb.counts().entries == 0
