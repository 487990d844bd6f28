"""The whole job, once: check feeds, collect articles, and learn what the knowledge base could not answer.

    feed -> entry -> article -> topics -> questions -> the store is asked -> fact, or the reason why not

Daemon and one-shot share `ingest`. Articles are learned one at a time in the order of their dates, after all pages
are in, so that a run that was killed and begun again ends where an undisturbed one does.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

from agent.collect import Collector, FeedTally, check_feeds, collect_articles
from agent.progress import Progress
from agent.questions import draft_facts
from agent.rewording import QuestionWriter, reword_questions
from agent.stories import StoryChoice, assign_story
from agent.topics import find_topics
from kb import (
    Article,
    ArticleReport,
    Embedder,
    FeedState,
    FloatArray,
    KnowledgeBase,
    Story,
    Topics,
)
from model import Tagger

logger = logging.getLogger(__name__)

READ_LANGUAGES = ("en", "und")
"""Languages the questions are written for; others are stored and skipped. "und": too short to tell."""

STORY_WINDOW = timedelta(days=10)
"""An article joins a story only this near to its dates."""

MAX_CANDIDATES = 300
"""Stories an article is compared with, the latest first: bounds the time per article."""

LEAD_CHARS = 600
"""How much of an article its own vector is made of, after the title."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The model's part: what reads the text."""

    embedder: Embedder
    tagger: Tagger
    writer: QuestionWriter | None = None
    """Words the questions; without it they stay as the templates have them."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one run did, counted in feeds, articles and facts."""

    feeds_ok: int = 0
    feeds_failed: int = 0
    feeds_unchanged: int = 0
    articles: int = 0
    added: int = 0
    corroborated: int = 0
    conflicting: int = 0
    skipped: int = 0
    seconds: float = 0.0
    received_mb: float = 0.0


def ingest(
    states: Sequence[FeedState],
    kb: KnowledgeBase,
    reading: Reading,
    collector: Collector,
    progress: Progress,
) -> IngestReport:
    """Check the feeds, collect their articles and learn from all that are not learned yet."""
    started = time.monotonic()
    feeds = check_feeds(states, kb, collector, progress)
    collect_articles(kb, collector, progress)
    reports = learn_articles(kb, reading, collector, progress)
    return _summed(feeds, reports, seconds=time.monotonic() - started)


def learn_articles(
    kb: KnowledgeBase, reading: Reading, collector: Collector, progress: Progress
) -> list[ArticleReport]:
    """Learn every stored article that is not learned yet, in the order of their dates."""
    articles = kb.unlearned_articles()
    progress.phase("learning", len(articles))
    shelf = StoryShelf(kb, articles)
    reports = []
    for article in articles:
        if collector.stop.is_set():
            break
        report = learn_article(article, kb, reading, shelf, now=collector.clock())
        logger.info(
            "article learned",
            extra={
                "article_id": article.id,
                "added": report.added,
                "corroborated": report.corroborated,
                "conflicting": report.conflicting,
                "skipped": report.skipped,
            },
        )
        reports.append(report)
        progress.advance()
    return reports


def learn_article(
    article: Article, kb: KnowledgeBase, reading: Reading, shelf: "StoryShelf", *, now: datetime
) -> ArticleReport:
    """Find the article's topics, raise its questions, ask the store, and store what it could not answer."""
    if article.language not in READ_LANGUAGES:
        return kb.skip_article(article.id, f"language {article.language}", now=now)
    mentions = find_topics(article, reading.tagger)
    drafts = draft_facts(article, mentions)
    if reading.writer is not None:
        drafts = reword_questions(drafts, reading.writer)
    choice = place_article(article, mentions.topics, reading.embedder, shelf)
    report = kb.learn(
        article,
        drafts,
        topics=mentions.topics,
        story=choice.story,
        placed=choice.decision,
        now=now,
    )
    shelf.keep(choice.story)
    return report


def place_article(
    article: Article, topics: Topics, embedder: Embedder, shelf: "StoryShelf"
) -> StoryChoice:
    """Choose the article's story among those on the shelf, or a new one; the shelf stays as it is."""
    candidates = shelf.candidates(article.published_at)
    return assign_story(article, topics, story_vector(article, embedder), candidates)


def story_vector(article: Article, embedder: Embedder) -> FloatArray:
    """Of the title and the lead, of unit length."""
    return np.asarray(embedder.embed([f"{article.title}\n{article.text[:LEAD_CHARS]}"])[0])


class OpenStories(Protocol):
    """Whoever knows the stories: the knowledge base."""

    def open_stories(self, since: datetime | None = None) -> list[Story]:
        """Stories that may still grow: those active since then and the newest undated ones."""


class StoryShelf:
    """The stories that articles of one run may join, as the store has them, kept at hand."""

    def __init__(self, store: OpenStories, articles: Sequence[Article]) -> None:
        self._store = store
        self._stories: dict[str, Story] = {}
        dates = [article.published_at for article in articles if article.published_at]
        if dates:
            for story in store.open_stories(min(dates) - STORY_WINDOW):
                self.keep(story)

    def keep(self, story: Story) -> None:
        """Put a new or grown story on the shelf."""
        self._stories[story.id] = story

    def candidates(self, published_at: datetime | None) -> list[Story]:
        """The stories near a date, latest first; for an undated article the latest of all, as the store has them."""
        if published_at is None:
            return self._store.open_stories(None)[:MAX_CANDIDATES]
        near = [story for story in self._stories.values() if _is_near(story, published_at)]
        near.sort(key=_latest_first)
        return near[:MAX_CANDIDATES]


def _is_near(story: Story, moment: datetime) -> bool:
    first_at, last_at = story.profile.first_at, story.profile.last_at
    if first_at is None or last_at is None:
        return False
    return first_at - STORY_WINDOW <= moment <= last_at + STORY_WINDOW


def _latest_first(story: Story) -> tuple[float, str]:
    last_at = story.profile.last_at or datetime.min.replace(tzinfo=UTC)
    return -last_at.timestamp(), story.id


def _summed(feeds: FeedTally, reports: Sequence[ArticleReport], *, seconds: float) -> IngestReport:
    return replace(
        IngestReport(),
        feeds_ok=feeds.ok,
        feeds_failed=feeds.failed,
        feeds_unchanged=feeds.unchanged,
        articles=len(reports),
        added=sum(report.added for report in reports),
        corroborated=sum(report.corroborated for report in reports),
        conflicting=sum(report.conflicting for report in reports),
        skipped=sum(report.skipped for report in reports),
        seconds=round(seconds, 3),
    )
