"""What is stored, read back as values. Needs no model: everything here is a look into the rows."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Engine

from kb import (
    forgetting,
    sql_articles,
    sql_decisions,
    sql_facts,
    sql_feeds,
    sql_forgotten,
    sql_removal,
    sql_stories,
    sql_story_log,
    sql_timeline,
)
from kb.reports import FactSource, Forgotten, StoryNews, StorySummary, TimelineDay
from kb.sql import reading
from kb.values import Article, Decision, Fact, FeedState, QueuedEntry, StoryDecision, Topics


class Archive:
    """The rows of one home."""

    def __init__(self, engine: Engine, place: str) -> None:
        """Read through `engine`; `place` names the home in errors."""
        self._engine = engine
        self._place = place

    def feed_states(self) -> list[FeedState]:
        """Every subscription in the order it was made."""
        with reading(self._engine, self._place) as connection:
            return sql_feeds.states(connection)

    def due_feeds(self, now: datetime, limit: int) -> list[FeedState]:
        """Feeds to be checked now, longest due first."""
        with reading(self._engine, self._place) as connection:
            return sql_feeds.due(connection, now, limit)

    def queued_entries(self, now: datetime, limit: int | None = None) -> list[QueuedEntry]:
        """Entries waiting for their article, in the order they came."""
        with reading(self._engine, self._place) as connection:
            return sql_feeds.queued(connection, now, limit)

    def rejections(self) -> list[tuple[str, int]]:
        """Reasons for missing articles, with counts, most frequent first."""
        with reading(self._engine, self._place) as connection:
            return sql_feeds.rejections(connection)

    def article(self, article_id: str) -> Article | None:
        """One article."""
        with reading(self._engine, self._place) as connection:
            return sql_articles.get(connection, article_id)

    def find_article(self, *names: str) -> Article | None:
        """The stored article that one of these ids or addresses names."""
        with reading(self._engine, self._place) as connection:
            found = sql_removal.article_named(connection, names)
            return None if found is None else sql_articles.get(connection, found)

    def hanging_on(self, article: Article) -> Forgotten:
        """What would go with an article; writes nothing."""
        with reading(self._engine, self._place) as connection:
            return forgetting.hanging_on(connection, article).report

    def is_forgotten(self, *names: str) -> bool:
        """Whether one of these ids or addresses is of a forgotten article."""
        with reading(self._engine, self._place) as connection:
            return bool(sql_forgotten.articles_named(connection, names))

    def article_topics(self, article_id: str) -> Topics:
        """What a learned article is about."""
        with reading(self._engine, self._place) as connection:
            return sql_articles.topics_of(connection, article_id)

    def unlearned_articles(self) -> list[Article]:
        """Articles to be learned, in the order in which they must be."""
        with reading(self._engine, self._place) as connection:
            return sql_articles.unlearned(connection)

    def fact(self, fact_id: str, *, as_of: datetime | None = None) -> Fact | None:
        """One fact."""
        with reading(self._engine, self._place) as connection:
            facts = sql_facts.load(connection, [fact_id], as_of=as_of)
        return facts[0] if facts else None

    def sources_of(self, fact_id: str, *, as_of: datetime | None = None) -> list[FactSource]:
        """Every article that states a fact, its own first."""
        with reading(self._engine, self._place) as connection:
            return sql_facts.sources(connection, fact_id, as_of=as_of)

    def conflicts_of(self, fact_id: str, *, as_of: datetime | None = None) -> list[Fact]:
        """The facts that answer a question of this one differently."""
        with reading(self._engine, self._place) as connection:
            linked = sql_facts.linked(connection, [fact_id]).get(fact_id, [])
            return sql_facts.load(connection, linked, as_of=as_of)

    def decisions_of(self, fact_id: str) -> list[Decision]:
        """Why a fact is stored, and what has confirmed or contradicted it."""
        with reading(self._engine, self._place) as connection:
            return sql_decisions.of_fact(connection, fact_id)

    def article_decisions(self, article_id: str) -> list[Decision]:
        """What was decided on every sentence of an article, in text order."""
        with reading(self._engine, self._place) as connection:
            return sql_decisions.of_article(connection, article_id)

    def decisions_like(self, text: str, limit: int = 20) -> list[Decision]:
        """Decisions on sentences that hold the text, else on those that resemble it."""
        with reading(self._engine, self._place) as connection:
            return sql_decisions.like(connection, text, limit=limit)

    def export_decisions(self) -> Iterator[Decision]:
        """Every decision in an order, and with a content, that depends on the articles alone."""
        with reading(self._engine, self._place) as connection:
            yield from sql_decisions.export(connection)

    def stories(
        self,
        *,
        since: datetime | None = None,
        as_of: datetime | None = None,
        limit: int = 20,
    ) -> list[StorySummary]:
        """Stories by their latest article, newest first."""
        with reading(self._engine, self._place) as connection:
            return sql_stories.summaries(connection, since=since, as_of=as_of, limit=limit)

    def story_articles(self, story_id: str, *, as_of: datetime | None = None) -> list[Article]:
        """A story's articles in time order."""
        with reading(self._engine, self._place) as connection:
            return sql_stories.articles_of(connection, story_id, as_of=as_of)

    def story_facts(
        self, story_id: str, *, as_of: datetime | None = None, limit: int = 20
    ) -> list[Fact]:
        """A story's facts in time order."""
        with reading(self._engine, self._place) as connection:
            fact_ids = sql_stories.fact_ids_of(connection, story_id, as_of=as_of, limit=limit)
            return sql_facts.load(connection, fact_ids, as_of=as_of)

    def story(self, story_id: str) -> StorySummary | None:
        """The story with this id; None where there is none."""
        with reading(self._engine, self._place) as connection:
            found = sql_stories.summarize(connection, [story_id])
        return found[0] if found else None

    def story_timeline(
        self, story_id: str, *, as_of: datetime | None = None, facts_each: int = 5
    ) -> list[TimelineDay]:
        """What a story brought, day by day, earliest first."""
        with reading(self._engine, self._place) as connection:
            return sql_timeline.timeline(connection, story_id, as_of=as_of, facts_each=facts_each)

    def story_decisions(self, story_id: str) -> list[StoryDecision]:
        """Why each article of a story stands in it, in the order in which they came."""
        with reading(self._engine, self._place) as connection:
            return sql_story_log.of_story(connection, story_id)

    def article_placement(self, article_id: str) -> StoryDecision | None:
        """Why an article stands in its story; None when it was learned before there was a story log."""
        with reading(self._engine, self._place) as connection:
            return sql_story_log.of_article(connection, article_id)

    def export_story_decisions(self) -> list[StoryDecision]:
        """The story log in the order in which it was written."""
        with reading(self._engine, self._place) as connection:
            return sql_story_log.export(connection)

    def whats_new(
        self, since: datetime, *, limit: int = 20, facts_each: int = 5
    ) -> list[StoryNews]:
        """What each story brought since then, the one with the newest fact first."""
        with reading(self._engine, self._place) as connection:
            return sql_stories.whats_new(connection, since, limit=limit, facts_each=facts_each)
