"""Feeds, their checks and their entries: every query on the tables `feed` and `entry`."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update
from sqlmodel import col

from kb import sql_forgotten
from kb.sql import chunks
from kb.tables import ArticleRow, EntryRow, FeedRow, table_of
from kb.values import (
    CheckOutcome,
    Entry,
    Feed,
    FeedCheck,
    FeedState,
    FeedStatus,
    FullText,
    QueuedEntry,
)

logger = logging.getLogger(__name__)

QUEUED = "queued"  # waits for its article
FAILED = "failed"  # waits for another try
STORED = "stored"  # led to an article
KNOWN = "known"  # its article had come before
REJECTED = "rejected"  # given up, with a reason
FORGOTTEN = "its article was forgotten"  # the reason

_FEED = table_of(FeedRow)
_EMPTY = {
    "link": None,
    "title": "",
    "content_html": None,
    "published_at": None,
    "authors": "[]",
    "problems": "[]",
    "state": REJECTED,
    "retry_at": None,
    "reason": FORGOTTEN,
}
"""An entry of a forgotten article: its id is left, so that it is known when it comes again."""
_ENTRY = table_of(EntryRow)


def subscribe(connection: Connection, feeds: Sequence[Feed]) -> None:
    """Add new feeds in order; give known ones their new title, tags, interval and rule."""
    for feed in feeds:
        wanted = {
            "title": feed.title,
            "tags": json.dumps(list(feed.tags), ensure_ascii=False),
            "interval_s": feed.interval_s,
            "full_text": feed.full_text.value,
        }
        row = connection.execute(select(_FEED).where(col(FeedRow.url) == feed.url)).first()
        if row is None:
            fresh = {"current_url": feed.url, "status": FeedStatus.NEW.value}
            counts = {"error_count": 0, "entry_count": 0}
            connection.execute(insert(_FEED).values(url=feed.url, **wanted, **fresh, **counts))
        elif any(row._mapping[name] != value for name, value in wanted.items()):
            connection.execute(update(_FEED).where(col(FeedRow.url) == feed.url).values(**wanted))


def needs_subscribing(connection: Connection, feeds: Sequence[Feed]) -> bool:
    """Whether `subscribe` would write anything."""
    known = {state.feed.url: state.feed for state in states(connection)}
    return any(known.get(feed.url) != feed for feed in feeds)


def states(connection: Connection) -> list[FeedState]:
    """Every subscription in the order it was made."""
    return [_state(row) for row in connection.execute(select(_FEED).order_by(col(FeedRow.seq)))]


def due(connection: Connection, now: datetime, limit: int) -> list[FeedState]:
    """Feeds whose time has come and that no server has asked us to leave alone, longest due first."""
    query = (
        select(_FEED)
        .where(
            col(FeedRow.status) != FeedStatus.GONE.value,
            or_(col(FeedRow.next_check_at).is_(None), col(FeedRow.next_check_at) <= now),
            or_(col(FeedRow.hold_until).is_(None), col(FeedRow.hold_until) <= now),
        )
        .order_by(col(FeedRow.next_check_at).nulls_first(), col(FeedRow.seq))
        .limit(limit)
    )
    return [_state(row) for row in connection.execute(query)]


def reset(connection: Connection, url: str) -> None:
    """Forget a feed's failures, its end and its hold; it is due at once."""
    connection.execute(
        update(_FEED)
        .where(col(FeedRow.url) == url)
        .values(
            status=FeedStatus.NEW.value,
            error_count=0,
            last_error=None,
            next_check_at=None,
            hold_until=None,
        )
    )


def record_check(
    connection: Connection, feed: Feed, check: FeedCheck, entries: Sequence[Entry], *, now: datetime
) -> int:
    """Store the outcome of a check and the entries not seen before; return how many are new."""
    row = connection.execute(select(_FEED).where(col(FeedRow.url) == feed.url)).first()
    if row is None:
        raise ValueError(f"not subscribed: {feed.url}")
    new_count = _add_entries(connection, entries)
    changes = _check_changes(row, check, now=now)
    if new_count:
        changes["last_entry_at"] = now
        changes["entry_count"] = row.entry_count + new_count
    connection.execute(update(_FEED).where(col(FeedRow.url) == feed.url).values(**changes))
    return new_count


def _check_changes(row: Row[Any], check: FeedCheck, *, now: datetime) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "last_checked_at": now,
        "next_check_at": check.next_check_at,
        "hold_until": check.hold_until,
    }
    if check.current_url is not None:
        changes["current_url"] = check.current_url
    match check.outcome:
        case CheckOutcome.UPDATED | CheckOutcome.UNCHANGED:
            changes |= {
                "status": FeedStatus.OK.value,
                "last_success_at": now,
                "error_count": 0,
                "last_error": None,
            }
            kept = check.outcome is CheckOutcome.UNCHANGED
            for name in ("etag", "last_modified", "body_hash"):
                value = getattr(check, name)
                # A 304 need not repeat its validators; a new body without them has none.
                changes[name] = row._mapping[name] if kept and value is None else value
        case CheckOutcome.FAILED:
            changes |= {
                "status": FeedStatus.FAILING.value,
                "error_count": row.error_count + 1,
                "last_error": check.error,
            }
        case CheckOutcome.GONE:
            changes |= {
                "status": FeedStatus.GONE.value,
                "error_count": row.error_count + 1,
                "last_error": check.error,
            }
    return changes


def _add_entries(connection: Connection, entries: Sequence[Entry]) -> int:
    ids = [entry.id for entry in entries]
    links = [entry.link for entry in entries if entry.link is not None]
    seen_ids = _present(connection, EntryRow.id, ids)
    seen_links = _present(connection, EntryRow.link, links)
    articles = _articles_by_url(connection, links)
    forgotten = sql_forgotten.marked(connection, map(_address, entries))
    rows: list[dict[str, Any]] = []
    kept_out: list[dict[str, Any]] = []
    for entry in entries:
        if entry.id in seen_ids:
            continue
        seen_ids.add(entry.id)
        if (article_id := forgotten.get(_address(entry))) is not None:
            logger.info("entry not taken", extra={"entry_id": entry.id, "reason": FORGOTTEN})
            empty = {"id": entry.id, "feed_url": entry.feed_url, "article_id": article_id}
            kept_out.append({**empty, **_EMPTY, "attempts": 0})
            continue
        is_known = entry.link is not None and (entry.link in articles or entry.link in seen_links)
        if entry.link is not None:
            seen_links.add(entry.link)
        rows.append(_entry_row(entry, articles, is_known=is_known))
    for fresh in (rows, kept_out):
        if fresh:
            connection.execute(insert(_ENTRY), fresh)
    return len(rows)


def _address(entry: Entry) -> str:
    """What its article is known by: its link, or what stands for one."""
    return entry.link or f"entry:{entry.id}"


def _entry_row(entry: Entry, articles: dict[str, str], *, is_known: bool) -> dict[str, Any]:
    return {
        "id": entry.id,
        "feed_url": entry.feed_url,
        "link": entry.link,
        "title": entry.title,
        "content_html": None if is_known else entry.content_html,
        "published_at": entry.published_at,
        "authors": json.dumps(list(entry.authors), ensure_ascii=False),
        "problems": json.dumps(list(entry.problems), ensure_ascii=False),
        "state": KNOWN if is_known else QUEUED,
        "attempts": 0,
        "article_id": articles.get(entry.link or ""),
    }


def _present(connection: Connection, column: Any, values: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in chunks(values):
        found.update(connection.execute(select(col(column)).where(col(column).in_(part))).scalars())
    return found


def _articles_by_url(connection: Connection, links: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in chunks(links):
        query = select(col(ArticleRow.url), col(ArticleRow.id)).where(col(ArticleRow.url).in_(part))
        found.update((url, article_id) for url, article_id in connection.execute(query))
    return found


def queued(connection: Connection, now: datetime, limit: int | None) -> list[QueuedEntry]:
    """Entries waiting for their article in the order they came, failed ones once their time has come."""
    retry = and_(col(EntryRow.state) == FAILED, col(EntryRow.retry_at) <= now)
    query = (
        select(_ENTRY)
        .where(or_(col(EntryRow.state) == QUEUED, retry))
        .order_by(col(EntryRow.seq))
        .limit(limit)
    )
    return [QueuedEntry(_entry(row), row.attempts) for row in connection.execute(query)]


def settle(connection: Connection, entry_id: str, *, state: str, article_id: str) -> None:
    """Close an entry that led to an article; its own content is no longer needed."""
    connection.execute(
        update(_ENTRY)
        .where(col(EntryRow.id) == entry_id)
        .values(state=state, article_id=article_id, content_html=None, retry_at=None, reason=None)
    )


def reject(
    connection: Connection, entry_id: str, reason: str, *, retry_at: datetime | None
) -> None:
    """Record why an entry led to no article, and when to try again; never, without `retry_at`."""
    changes: dict[str, Any] = {
        "attempts": col(EntryRow.attempts) + 1,
        "reason": reason,
        "retry_at": retry_at,
        "state": REJECTED if retry_at is None else FAILED,
    }
    if retry_at is None:
        changes["content_html"] = None
    connection.execute(update(_ENTRY).where(col(EntryRow.id) == entry_id).values(**changes))


def empty(connection: Connection, article_id: str, *, entry_id: str | None = None) -> list[str]:
    """Leave nothing of the entries that led to a forgotten article, and of the one that would, but their ids.

    Returns:
        the links that they had.
    """
    leading = or_(col(EntryRow.article_id) == article_id, col(EntryRow.id) == entry_id)
    links = connection.execute(select(col(EntryRow.link)).where(leading)).scalars()
    found = sorted({link for link in links if link is not None})
    same_link = col(EntryRow.link).in_(found)
    connection.execute(
        update(_ENTRY).where(or_(leading, same_link)).values(article_id=article_id, **_EMPTY)
    )
    return found


def expect_again(connection: Connection, article_id: str) -> int:
    """Drop what is left of a forgotten article's entries, and have their feeds read anew; return how many feeds."""
    leading = col(EntryRow.article_id) == article_id, col(EntryRow.reason) == FORGOTTEN
    query = select(col(EntryRow.feed_url)).where(*leading).distinct()
    urls = list(connection.execute(query).scalars())
    connection.execute(delete(_ENTRY).where(*leading))
    unread = {"etag": None, "last_modified": None, "body_hash": None, "next_check_at": None}
    connection.execute(update(_FEED).where(col(FeedRow.url).in_(urls)).values(**unread))
    return len(urls)


def rejections(connection: Connection) -> list[tuple[str, int]]:
    """Reasons for which entries have no article, with counts, most frequent first."""
    count = func.count().label("count")
    query = (
        select(col(EntryRow.reason), count)
        .where(col(EntryRow.state).in_((FAILED, REJECTED)))
        .group_by(col(EntryRow.reason))
        .order_by(count.desc(), col(EntryRow.reason))
    )
    return [(reason or "", number) for reason, number in connection.execute(query)]


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        feed_url=row.feed_url,
        link=row.link,
        title=row.title,
        content_html=row.content_html,
        published_at=row.published_at,
        authors=tuple(json.loads(row.authors)),
        problems=tuple(json.loads(row.problems)),
    )


def _state(row: Row[Any]) -> FeedState:
    return FeedState(
        feed=Feed(
            url=row.url,
            title=row.title,
            tags=tuple(json.loads(row.tags)),
            interval_s=row.interval_s,
            full_text=FullText(row.full_text),
        ),
        current_url=row.current_url,
        status=FeedStatus(row.status),
        etag=row.etag,
        last_modified=row.last_modified,
        body_hash=row.body_hash,
        next_check_at=row.next_check_at,
        hold_until=row.hold_until,
        last_checked_at=row.last_checked_at,
        last_success_at=row.last_success_at,
        last_entry_at=row.last_entry_at,
        error_count=row.error_count,
        last_error=row.last_error,
        entry_count=row.entry_count,
    )
