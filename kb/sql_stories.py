"""Stories, what they hold and what is new in them: every query on `story` and what hangs on it."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, or_, select, update
from sqlmodel import col

from kb import sql_articles, sql_facts
from kb.reports import StoryNews, StorySummary
from kb.sql import chunks
from kb.tables import (
    ArticleEntityRow,
    ArticleRow,
    FactLinkRow,
    FactRow,
    FactSourceRow,
    StoryRow,
    table_of,
)
from kb.values import Article, Story, StoryProfile

_STORY = table_of(StoryRow)
_ARTICLE = table_of(ArticleRow)
_FACT = table_of(FactRow)
_SOURCE = table_of(FactSourceRow)
_LINK = table_of(FactLinkRow)
_ENTITY = table_of(ArticleEntityRow)

TOP = 5  # entities and publishers in a summary


def save(connection: Connection, story: Story) -> None:
    """Store a new story, or an old one's new label and profile."""
    values = {
        "label": story.label,
        "terms": json.dumps(story.profile.terms, ensure_ascii=False),
        "vector": np.asarray(story.profile.vector, dtype="<f8").tobytes(),
        "first_at": story.profile.first_at,
        "last_at": story.profile.last_at,
        "article_count": story.profile.article_count,
    }
    known = connection.execute(select(_STORY.c.seq).where(col(StoryRow.id) == story.id)).first()
    if known is None:
        connection.execute(insert(_STORY).values(id=story.id, **values))
    else:
        connection.execute(update(_STORY).where(col(StoryRow.id) == story.id).values(**values))


def told_by(connection: Connection, article_ids: Sequence[str]) -> list[str]:
    """Ids of the stories that articles are part of, in the order they were opened."""
    found: set[str] = set()
    for part in chunks(article_ids):
        query = select(_ARTICLE.c.story_id).where(_ARTICLE.c.id.in_(part))
        found.update(story_id for story_id in connection.execute(query).scalars() if story_id)
    opened = select(_STORY.c.id).where(_STORY.c.id.in_(found)).order_by(_STORY.c.seq)
    return list(connection.execute(opened).scalars())


def members(connection: Connection, story_id: str) -> list[Article]:
    """A story's articles in the order in which they were learned."""
    query = (
        select(*sql_articles.COLUMNS)
        .where(_ARTICLE.c.story_id == story_id)
        .order_by(_ARTICLE.c.learned_at, _ARTICLE.c.published_at.nulls_last(), _ARTICLE.c.id)
    )
    return [sql_articles.article(row) for row in connection.execute(query)]


def replace(connection: Connection, story_id: str, story: Story | None) -> None:
    """Put a story in another's place in the list, and its articles into it; with None there is none any more."""
    if story is None:
        connection.execute(delete(_STORY).where(_STORY.c.id == story_id))
        return
    connection.execute(update(_STORY).where(_STORY.c.id == story_id).values(id=story.id))
    inside = _ARTICLE.c.story_id == story_id
    connection.execute(update(_ARTICLE).where(inside).values(story_id=story.id))
    save(connection, story)


def load_all(connection: Connection) -> list[Story]:
    """Every story in the order they were opened."""
    return [_story(row) for row in connection.execute(select(_STORY).order_by(_STORY.c.seq))]


def _story(row: Any) -> Story:
    return Story(
        id=row.id,
        label=row.label,
        profile=StoryProfile(
            terms=json.loads(row.terms),
            vector=tuple(np.frombuffer(row.vector, dtype="<f8").tolist()),
            first_at=row.first_at,
            last_at=row.last_at,
            article_count=row.article_count,
        ),
    )


def summaries(
    connection: Connection,
    *,
    since: datetime | None = None,
    as_of: datetime | None = None,
    limit: int,
) -> list[StorySummary]:
    """Stories by the date of their latest article, newest first, undated ones last."""
    latest = func.max(_ARTICLE.c.published_at)
    query = (
        select(_ARTICLE.c.story_id)
        .where(_ARTICLE.c.story_id.is_not(None), *out_by(as_of))
        .group_by(_ARTICLE.c.story_id)
        .order_by(latest.desc().nulls_last(), _ARTICLE.c.story_id)
        .limit(limit)
    )
    if since is not None:
        query = query.having(latest >= since)
    story_ids = list(connection.execute(query).scalars())
    return summarize(connection, story_ids, as_of=as_of)


def out_by(as_of: datetime | None) -> list[Any]:
    """Conditions on an article: it was out by then; undated ones count from when they were learned."""
    if as_of is None:
        return []
    return [func.coalesce(_ARTICLE.c.published_at, _ARTICLE.c.learned_at) <= as_of]


def summarize(
    connection: Connection, story_ids: Sequence[str], *, as_of: datetime | None = None
) -> list[StorySummary]:
    """Summaries of these stories as they stood at `as_of`, in the order given."""
    labels: dict[str, str] = {}
    dates: defaultdict[str, list[datetime]] = defaultdict(list)
    publishers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    entities: defaultdict[str, Counter[str]] = defaultdict(Counter)
    facts: Counter[str] = Counter()
    for part in chunks(story_ids):
        inside = _ARTICLE.c.story_id.in_(part)
        labelled = select(_STORY.c.id, _STORY.c.label).where(_STORY.c.id.in_(part))
        labels.update((row.id, row.label) for row in connection.execute(labelled))
        articles = select(_ARTICLE.c.story_id, _ARTICLE.c.publisher, _ARTICLE.c.published_at)
        for row in connection.execute(articles.where(inside, *out_by(as_of))):
            publishers[row.story_id][row.publisher] += 1
            if row.published_at is not None:
                dates[row.story_id].append(row.published_at)
        named = (
            select(_ARTICLE.c.story_id, _ENTITY.c.name, func.count())
            .join(_ENTITY, _ENTITY.c.article_id == _ARTICLE.c.id)
            .where(inside, *out_by(as_of))
            .group_by(_ARTICLE.c.story_id, _ENTITY.c.name)
        )
        for story_id, name, number in connection.execute(named):
            entities[story_id][name] += number
        stored = (
            select(_ARTICLE.c.story_id, func.count())
            .join(_FACT, _FACT.c.article_id == _ARTICLE.c.id)
            .where(inside, *out_by(as_of))
            .group_by(_ARTICLE.c.story_id)
        )
        for story_id, number in connection.execute(stored):
            facts[story_id] += number
    return [
        StorySummary(
            id=story_id,
            label=labels[story_id],
            first_at=min(dates[story_id], default=None),
            last_at=max(dates[story_id], default=None),
            article_count=publishers[story_id].total(),
            fact_count=facts[story_id],
            publishers=_top(publishers[story_id]),
            entities=_top(entities[story_id]),
        )
        for story_id in story_ids
        if story_id in labels
    ]


def _top(counts: Counter[str]) -> tuple[str, ...]:
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(name for name, _ in ordered[:TOP])


def articles_of(
    connection: Connection, story_id: str, *, as_of: datetime | None = None
) -> list[Article]:
    """A story's articles in time order, undated ones last."""
    query = (
        select(*sql_articles.COLUMNS)
        .where(_ARTICLE.c.story_id == story_id, *out_by(as_of))
        .order_by(_ARTICLE.c.published_at.nulls_last(), _ARTICLE.c.id)
    )
    return [sql_articles.article(row) for row in connection.execute(query)]


def fact_ids_of(
    connection: Connection, story_id: str, *, as_of: datetime | None, limit: int
) -> list[str]:
    """Ids of a story's facts in time order."""
    query = (
        select(_FACT.c.id)
        .join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
        .where(_ARTICLE.c.story_id == story_id, *out_by(as_of))
        .order_by(_ARTICLE.c.published_at.nulls_last(), _FACT.c.seq)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def news_since(connection: Connection, since: datetime) -> list[tuple[str | None, list[str]]]:
    """(story id, ids of facts recorded since, newest first), the story with the newest fact first."""
    query = (
        select(_ARTICLE.c.story_id, _FACT.c.id)
        .join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
        .where(_FACT.c.recorded_at >= since)
        .order_by(
            _FACT.c.valid_from.desc().nulls_last(), _FACT.c.recorded_at.desc(), _FACT.c.seq.desc()
        )
    )
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for story_id, fact_id in connection.execute(query):
        found[story_id].append(fact_id)
    return list(found.items())


def verdicts_since(connection: Connection, since: datetime) -> dict[str | None, tuple[int, int]]:
    """Story id -> (sources added to older facts, conflicts) recorded since."""
    corroborated = (
        select(_ARTICLE.c.story_id, func.count())
        .join(_SOURCE, _SOURCE.c.article_id == _ARTICLE.c.id)
        .join(_FACT, _FACT.c.id == _SOURCE.c.fact_id)
        .where(_SOURCE.c.recorded_at >= since, _FACT.c.article_id != _SOURCE.c.article_id)
        .group_by(_ARTICLE.c.story_id)
    )
    in_conflict = (
        select(_ARTICLE.c.story_id, func.count(func.distinct(_LINK.c.decision_id)))
        .join(_FACT, _FACT.c.article_id == _ARTICLE.c.id)
        .join(_LINK, or_(_LINK.c.newer_id == _FACT.c.id))
        .where(_LINK.c.recorded_at >= since)
        .group_by(_ARTICLE.c.story_id)
    )
    sources = {row[0]: int(row[1]) for row in connection.execute(corroborated)}
    links = {row[0]: int(row[1]) for row in connection.execute(in_conflict)}
    return {story: (sources.get(story, 0), links.get(story, 0)) for story in sources | links}


def whats_new(
    connection: Connection, since: datetime, *, limit: int, facts_each: int
) -> list[StoryNews]:
    """What each story brought since then, the story with the newest fact first."""
    news = news_since(connection, since)
    verdicts = verdicts_since(connection, since)
    listed = [story_id for story_id, _ in news]
    listed += sorted((story for story in verdicts if story not in listed), key=str)
    fact_ids = dict(news)
    found = summarize(connection, [story_id for story_id in listed if story_id is not None])
    by_id = {summary.id: summary for summary in found}
    return [
        StoryNews(
            story=by_id.get(story_id) if story_id is not None else None,
            facts=tuple(sql_facts.load(connection, fact_ids.get(story_id, [])[:facts_each])),
            added=len(fact_ids.get(story_id, [])),
            corroborated=verdicts.get(story_id, (0, 0))[0],
            conflicting=verdicts.get(story_id, (0, 0))[1],
        )
        for story_id in listed[:limit]
    ]
