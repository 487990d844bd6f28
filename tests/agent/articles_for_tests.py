"""Articles written for the tests of what is read from them."""

from datetime import UTC, datetime

from kb import Article

NOON = datetime(2031, 5, 6, 12, tzinfo=UTC)


def article(
    text: str, *, title: str = "Bridge reopens", article_id: str = "a1", at: datetime | None = NOON
) -> Article:
    return Article(
        id=article_id,
        url=f"http://news.invalid/{article_id}",
        title=title,
        text=text,
        publisher="The Harbour Post",
        language="en",
        published_at=at,
        date_source="feed",
        fetched_at=NOON,
        feed_url="http://news.invalid/feed",
        text_source="page",
    )
