"""Articles of a file, learned as if a feed had brought them: what evaluations and benchmarks are run on."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from agent.ingest import Reading, StoryShelf, learn_article
from kb import (
    Article,
    ArticleReport,
    CheckOutcome,
    Entry,
    Feed,
    FeedCheck,
    KnowledgeBase,
    content_id,
    hash_of_text,
)

FEED_URL = "https://replay.invalid/feed"
UNNAMED = "replay"
LANGUAGE = "en"
LEAST_SECONDS = 0.01
"""What a shorter time counts as: clocks tell no less."""


def article_of(row: Mapping[str, Any], *, fetched_at: datetime) -> Article:
    """An article from a row with `url`, `title`, `body`, `published`, and `publisher` if it has one.

    Raises:
        KeyError: the URL or the text is missing.
        ValueError: the date is no date.
    """
    text = str(row["body"]).strip()
    published_at = _moment(row.get("published"))
    return Article(
        id=content_id(str(row["url"])),
        url=str(row["url"]),
        title=row.get("title") or "",
        text=text,
        publisher=row.get("publisher") or UNNAMED,
        language=LANGUAGE,
        published_at=published_at,
        date_source="feed" if published_at else "none",
        fetched_at=fetched_at,
        feed_url=FEED_URL,
        text_source="page",
        text_hash=hash_of_text(text),
    )


def _moment(written: str | None) -> datetime | None:
    if not written:
        return None
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def learn_replayed(
    kb: KnowledgeBase, reading: Reading, articles: Sequence[Article], *, now: datetime
) -> list[ArticleReport]:
    """Store articles and learn from those that are new, in the order in which the daemon would."""
    feed = Feed(url=FEED_URL, title=UNNAMED)
    entries = [_entry(article) for article in articles]
    kb.subscribe([feed])
    kb.record_check(feed, FeedCheck(CheckOutcome.UPDATED, now), entries, now=now)
    for entry, article in zip(entries, articles, strict=True):
        kb.store_article(entry.id, article)
    new = kb.unlearned_articles()
    shelf = StoryShelf(kb, new)
    return [learn_article(article, kb, reading, shelf, now=now) for article in new]


def learned_chars_per_s(texts: Iterable[str], seconds: float) -> int:
    """Characters of article text learned a second."""
    return round(sum(map(len, texts)) / max(seconds, LEAST_SECONDS))


def _entry(article: Article) -> Entry:
    return Entry(
        id=content_id(FEED_URL, article.url),
        feed_url=FEED_URL,
        link=article.url,
        title=article.title,
        content_html=None,
        published_at=article.published_at,
    )
