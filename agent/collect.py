"""From subscribed feeds to stored articles: what waits for the network runs in threads, what is stored keeps its order.

Results are recorded in the order of the feeds and of the queue, never in the order in which the network
delivered them, so that two runs over the same bytes store the same rows. It learns nothing.
"""

import hashlib
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event
from typing import TypeVar
from urllib.parse import urlsplit

from agent.articles import extract_article
from agent.errors import (
    AgentError,
    BadStatus,
    ExtractionError,
    FetchError,
    Gone,
    RateLimited,
    Refused,
    TooLarge,
)
from agent.feeds import ParsedFeed, parse_feed
from agent.fetch import FetchedPage, Fetcher, NotModified
from agent.freshness import CheckPolicy, entries_per_week, freshness_s, next_check_at
from agent.progress import Progress
from kb import (
    Article,
    CheckOutcome,
    Entry,
    Feed,
    FeedCheck,
    FeedState,
    FeedStatus,
    FullText,
    KnowledgeBase,
    QueuedEntry,
)

logger = logging.getLogger(__name__)

_Subject = TypeVar("_Subject")
_Result = TypeVar("_Result")

RETRY_AFTER = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
"""Waits before a page that failed for a passing reason is asked for again; then it is given up."""

ENTRY_BATCH = 200
"""Entries fetched ahead of storing: bounds what is held in memory."""

BATCH_STOP = "stopping"
"""The reason with which a stopped fetcher refuses: the entry stays queued, nothing is counted against it."""


@dataclass(frozen=True, slots=True)
class Collector:
    """What collecting needs beside the store."""

    fetcher: Fetcher
    clock: Callable[[], datetime]
    policy: CheckPolicy
    max_parallel: int
    max_entries: int
    stop: Event


@dataclass(frozen=True, slots=True)
class FeedTally:
    """Counts over checked feeds; `ok` includes `unchanged`."""

    ok: int = 0
    unchanged: int = 0
    failed: int = 0
    entries: int = 0


@dataclass(frozen=True, slots=True)
class _Checked:
    """One check of one feed, before it is recorded."""

    check: FeedCheck
    entries: tuple[Entry, ...] = ()


def check_feeds(
    states: Sequence[FeedState], kb: KnowledgeBase, collector: Collector, progress: Progress
) -> FeedTally:
    """Ask every feed of `states` that may be asked, and record what came, in order."""
    askable = [state for state in states if _may_ask(state, collector.clock())]
    progress.phase("feeds", len(askable))
    tally = FeedTally()
    with ThreadPoolExecutor(collector.max_parallel, thread_name_prefix="feed") as pool:
        checks = _in_order(pool, askable, lambda state: _check(state, collector), _host_of_feed)
        for state, checked in zip(askable, checks, strict=True):
            if collector.stop.is_set():
                break
            new_entries = kb.record_check(
                state.feed, checked.check, checked.entries, now=collector.clock()
            )
            tally = _counted(tally, checked, new_entries)
            progress.advance()
    return tally


def collect_articles(kb: KnowledgeBase, collector: Collector, progress: Progress) -> int:
    """Fetch, extract and store an article for every queued entry; return how many were stored."""
    queue = kb.queued_entries(collector.clock())
    feeds = {state.feed.url: state.feed for state in kb.feed_states()}
    progress.phase("articles", len(queue))
    stored = 0
    with ThreadPoolExecutor(collector.max_parallel, thread_name_prefix="page") as pool:
        for start in range(0, len(queue), ENTRY_BATCH):
            batch = queue[start : start + ENTRY_BATCH]
            results = _in_order(
                pool,
                batch,
                lambda queued: _article_of(queued, feeds[queued.entry.feed_url], collector),
                _host_of_entry,
            )
            for queued, result in zip(batch, results, strict=True):
                stored += _record(queued, result, kb, collector)
                progress.advance()
            if collector.stop.is_set():
                break
    return stored


# ------------------------------------------------------------------------------------------------- one feed
def _may_ask(state: FeedState, now: datetime) -> bool:
    held = state.hold_until is not None and state.hold_until > now
    return state.status is not FeedStatus.GONE and not held


def _check(state: FeedState, collector: Collector) -> _Checked:
    """Ask one feed; every way it can go wrong is a check with its reason."""
    try:
        reply = collector.fetcher.fetch_feed(
            state.current_url, etag=state.etag, last_modified=state.last_modified
        )
        if isinstance(reply, NotModified):
            return _unchanged(state, reply, collector)
        return _updated(state, reply, collector)
    except Gone as error:
        return _failed(state, error, collector, outcome=CheckOutcome.GONE)
    except RateLimited as error:
        return _failed(state, error, collector, hold_until=error.retry_at)
    except AgentError as error:
        return _failed(state, error, collector)
    except Exception as error:  # one bad feed never stops a run
        logger.exception("feed check failed on our side", extra={"feed_url": state.feed.url})
        return _failed(state, error, collector)


def _unchanged(state: FeedState, reply: NotModified, collector: Collector) -> _Checked:
    due = next_check_at(
        collector.policy,
        state,
        now=collector.clock(),
        server_s=freshness_s(reply.headers, now=collector.clock()),
    )
    moved = reply.permanent_url
    return _Checked(FeedCheck(CheckOutcome.UNCHANGED, due, current_url=moved))


def _updated(state: FeedState, page: FetchedPage, collector: Collector) -> _Checked:
    now = collector.clock()
    body_hash = hashlib.sha256(page.body).hexdigest()
    parsed = ParsedFeed(title=state.feed.title, entries=())
    if body_hash != state.body_hash:
        parsed = parse_feed(
            page.body,
            url=page.url,
            content_type=page.content_type,
            feed_url=state.feed.url,
            now=now,
            max_entries=collector.max_entries,
        )
        for problem in parsed.problems:
            logger.warning("feed mended", extra={"feed_url": state.feed.url, "problem": problem})
    server_s = max(freshness_s(page.headers, now=now) or 0.0, float(parsed.ttl_s or 0))
    check = FeedCheck(
        CheckOutcome.UNCHANGED if body_hash == state.body_hash else CheckOutcome.UPDATED,
        next_check_at(
            collector.policy,
            state,
            now=now,
            server_s=server_s,
            weekly_entries=entries_per_week((e.published_at for e in parsed.entries), now),
        ),
        current_url=page.permanent_url,
        etag=page.etag,
        last_modified=page.last_modified,
        body_hash=body_hash,
    )
    return _Checked(check, parsed.entries)


def _failed(
    state: FeedState,
    error: Exception,
    collector: Collector,
    *,
    outcome: CheckOutcome = CheckOutcome.FAILED,
    hold_until: datetime | None = None,
) -> _Checked:
    reason = getattr(error, "reason", None) or f"{type(error).__name__}: {error}"
    if reason != BATCH_STOP:
        logger.warning("feed failed", extra={"feed_url": state.feed.url, "reason": reason})
    due = next_check_at(
        collector.policy,
        replace(state, error_count=state.error_count + 1),
        now=collector.clock(),
        hold_until=hold_until,
    )
    return _Checked(FeedCheck(outcome, due, hold_until=hold_until, error=reason))


def _counted(tally: FeedTally, checked: _Checked, new_entries: int) -> FeedTally:
    outcome = checked.check.outcome
    healthy = outcome in (CheckOutcome.UPDATED, CheckOutcome.UNCHANGED)
    return FeedTally(
        ok=tally.ok + healthy,
        unchanged=tally.unchanged + (healthy and new_entries == 0),
        failed=tally.failed + (not healthy),
        entries=tally.entries + new_entries,
    )


# ---------------------------------------------------------------------------------------------- one article
@dataclass(frozen=True, slots=True)
class _Given:
    """An article could not be had: why, and whether to ask again."""

    reason: str
    try_again: bool
    not_before: datetime | None = None  # the server's Retry-After


def _article_of(queued: QueuedEntry, feed: Feed, collector: Collector) -> Article | _Given:
    """Fetch and extract one entry's article; the feed's own content stands in for a page that cannot be had."""
    entry = queued.entry
    try:
        if entry.link is None or feed.full_text is FullText.FEED:
            return _extracted(entry, feed, None, collector)
        try:
            page = collector.fetcher.fetch_page(entry.link)
        except FetchError as error:
            return _without_page(queued, feed, error, collector)
        return _extracted(entry, feed, page, collector)
    except ExtractionError as error:
        return _Given(error.reason, try_again=False)
    except Exception as error:  # one bad entry never stops a feed
        logger.exception("article failed on our side", extra={"entry_id": entry.id})
        return _Given(f"{type(error).__name__} while extracting", try_again=False)


def _without_page(
    queued: QueuedEntry, feed: Feed, error: FetchError, collector: Collector
) -> Article | _Given:
    """Try again later where the failure may pass; else take the feed's own content, if there is enough."""
    if error.reason == BATCH_STOP:
        return _Given(BATCH_STOP, try_again=True)
    if _may_pass(error) and queued.attempts < len(RETRY_AFTER):
        held_until = error.retry_at if isinstance(error, RateLimited) else None
        return _Given(error.reason, try_again=True, not_before=held_until)
    if feed.full_text is FullText.PAGE:
        return _Given(error.reason, try_again=False)
    try:
        return _extracted(queued.entry, feed, None, collector)
    except ExtractionError:
        return _Given(error.reason, try_again=False)


def _may_pass(error: FetchError) -> bool:
    if isinstance(error, BadStatus):
        return error.status >= 500
    return not isinstance(error, Refused | TooLarge)


def _extracted(entry: Entry, feed: Feed, page: FetchedPage | None, collector: Collector) -> Article:
    fetched_at = page.fetched_at if page else collector.clock()
    return extract_article(page, entry=entry, feed=feed, fetched_at=fetched_at)


def _record(
    queued: QueuedEntry, result: Article | _Given, kb: KnowledgeBase, collector: Collector
) -> bool:
    """Store the article or the reason there is none; tell whether an article was stored."""
    entry = queued.entry
    if isinstance(result, Article):
        stored = kb.store_article(entry.id, result)
        logger.info("article stored", extra={"article_id": result.id, "new": stored})
        return stored
    if result.reason == BATCH_STOP:
        return False
    retry_at = None
    if result.try_again:
        retry_at = collector.clock() + RETRY_AFTER[min(queued.attempts, len(RETRY_AFTER) - 1)]
        retry_at = max(retry_at, result.not_before or retry_at)
    logger.warning("entry without article", extra={"entry_id": entry.id, "reason": result.reason})
    kb.reject_entry(entry.id, result.reason, retry_at=retry_at)
    return False


# ------------------------------------------------------------------------------------------------ in threads
def _host_of_feed(state: FeedState) -> str:
    return urlsplit(state.current_url).netloc


def _host_of_entry(queued: QueuedEntry) -> str:
    return urlsplit(queued.entry.link or "").netloc


def _in_order(
    pool: ThreadPoolExecutor,
    subjects: Sequence[_Subject],
    work: Callable[[_Subject], _Result],
    host_of: Callable[[_Subject], str],
) -> Iterator[_Result]:
    """Work on the subjects hosts by turns, so that no host's politeness holds up another; yield in given order."""
    futures: dict[int, Future[_Result]] = {}
    for index in _hosts_by_turns([host_of(subject) for subject in subjects]):
        futures[index] = pool.submit(work, subjects[index])
    for index in range(len(subjects)):
        yield futures.pop(index).result()


def _hosts_by_turns(hosts: Iterable[str]) -> Iterator[int]:
    """Positions of `hosts`, one of each host, then the next of each.

    >>> list(_hosts_by_turns(["a", "a", "b"]))
    [0, 2, 1]
    """
    waiting: dict[str, deque[int]] = defaultdict(deque)
    for index, host in enumerate(hosts):
        waiting[host].append(index)
    while waiting:
        for host in list(waiting):
            yield waiting[host].popleft()
            if not waiting[host]:
                del waiting[host]
