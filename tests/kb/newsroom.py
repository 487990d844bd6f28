"""Writes articles sentence by sentence and teaches them to a knowledge base."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from kb import (
    AnswerKind,
    Article,
    ArticleReport,
    Draft,
    Entry,
    Evidence,
    KnowledgeBase,
    Question,
    Story,
    Topics,
    content_id,
)

NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)


NO_TOPICS = Topics((), ())


class Newsroom:
    """A newsroom of invented outlets."""

    def article(
        self,
        sentences: Sequence[str],
        *,
        publisher: str = "Alpha Post",
        title: str = "News of the day",
        day: int | None = 0,
        slug: str | None = None,
        canonical_elsewhere: str | None = None,
    ) -> Article:
        text = " ".join(sentences)
        host = publisher.lower().replace(" ", "-")
        url = f"https://{host}.example/{slug or content_id(text)}"
        return Article(
            id=content_id(url),
            url=url,
            title=title,
            text=text,
            publisher=publisher,
            language="en",
            published_at=None if day is None else NOW + timedelta(days=day),
            date_source="none" if day is None else "feed",
            fetched_at=NOW + timedelta(days=30),
            feed_url=f"https://{host}.example/feed",
            text_source="page",
            canonical_elsewhere=canonical_elsewhere,
            text_hash=hashlib.sha256(text.encode()).hexdigest(),
        )

    def draft(
        self,
        article: Article,
        quote: str,
        *asked: tuple[str, AnswerKind, str],
        names: Sequence[str] = (),
    ) -> Draft:
        start = article.text.index(quote)
        questions = []
        for text, kind, answer in asked:
            place = start + quote.index(answer)
            questions.append(Question(text, kind, answer, place, place + len(answer)))
        return Draft(
            evidence=Evidence(article.id, start, start + len(quote), quote),
            questions=tuple(questions),
            names=tuple(names),
            skip_reason=None if questions else "no answer-bearing span",
        )

    def teach(
        self,
        kb: KnowledgeBase,
        article: Article,
        drafts: Sequence[Draft],
        *,
        topics: Topics = NO_TOPICS,
        story: Story | None = None,
        now: datetime = NOW,
    ) -> ArticleReport:
        return kb.learn(article, drafts, topics=topics, story=story, now=now)

    def store(self, kb: KnowledgeBase, article: Article) -> None:
        """Store an article as if its page had been fetched, and leave it unlearned."""
        entry = Entry(content_id(article.url), article.feed_url, None, article.title, None, None)
        kb.store_article(entry.id, article)
