"""What the collector writes: subscriptions, checks of feeds, their entries, and the articles these led to."""

import threading
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Engine

from kb import forgetting, sql_articles, sql_feeds
from kb.archive import Archive
from kb.sql import reading, writing
from kb.values import Article, Entry, Feed, FeedCheck


class Intake(Archive):
    """The part of a knowledge base that takes in what feeds bring. Safe for threads."""

    def __init__(self, engine: Engine, place: str) -> None:
        """Write through `engine`; `place` names the home in errors."""
        super().__init__(engine, place)
        self._lock = threading.RLock()  # the shelf and the write path

    def subscribe(self, feeds: Sequence[Feed]) -> None:
        """Add or update subscriptions; writes nothing when nothing changed. A feed that is gone stays gone."""
        with reading(self._engine, self._place) as connection:
            if not sql_feeds.needs_subscribing(connection, feeds):
                return
        with self._lock, writing(self._engine, self._place) as connection:
            sql_feeds.subscribe(connection, feeds)

    def reset_feed(self, url: str) -> None:
        """Forget a feed's failures, its end and its hold."""
        with self._lock, writing(self._engine, self._place) as connection:
            sql_feeds.reset(connection, url)

    def record_check(
        self, feed: Feed, check: FeedCheck, entries: Sequence[Entry], *, now: datetime
    ) -> int:
        """Store a check and the entries it brought in one transaction; return how many are new.

        Raises:
            ValueError: the feed is not subscribed.
        """
        with self._lock, writing(self._engine, self._place) as connection:
            return sql_feeds.record_check(connection, feed, check, entries, now=now)

    def store_article(self, entry_id: str, article: Article) -> bool:
        """Store an entry's article; False when it is there already, or was forgotten, which settles the entry."""
        with self._lock, writing(self._engine, self._place) as connection:
            if forgetting.keeps_out(connection, entry_id, article, now=article.fetched_at):
                return False
            is_new = sql_articles.add(connection, article)
            state = sql_feeds.STORED if is_new else sql_feeds.KNOWN
            sql_feeds.settle(connection, entry_id, state=state, article_id=article.id)
            return is_new

    def reject_entry(self, entry_id: str, reason: str, *, retry_at: datetime | None = None) -> None:
        """Record why an entry led to no article; without `retry_at` for good."""
        with self._lock, writing(self._engine, self._place) as connection:
            sql_feeds.reject(connection, entry_id, reason, retry_at=retry_at)

    def let_in_again(self, *names: str) -> int | None:
        """Undo that an article may not come in again; None when none of that name was forgotten.

        Returns:
            how many feeds are read anew at their next check: those that brought it.
        """
        with self._lock, writing(self._engine, self._place) as connection:
            return forgetting.let_in_again(connection, names)
