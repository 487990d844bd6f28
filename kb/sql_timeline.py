"""How a story unfolded, day by day: what was new, what was said again, and what was said otherwise."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from kb import sql_facts, sql_stories
from kb.reports import Disagreement, TimelineDay
from kb.sql import chunks
from kb.tables import ArticleRow, FactLinkRow, FactRow, FactSourceRow, table_of
from kb.values import Article, Fact

_ARTICLE = table_of(ArticleRow)
_FACT = table_of(FactRow)
_SOURCE = table_of(FactSourceRow)
_LINK = table_of(FactLinkRow)

Day = date | None


def timeline(
    connection: Connection, story_id: str, *, as_of: datetime | None, facts_each: int
) -> list[TimelineDay]:
    """The days of a story, earliest first, undated articles last; of each day's facts the foremost `facts_each`."""
    articles: defaultdict[Day, list[Article]] = defaultdict(list)
    for article in sql_stories.articles_of(connection, story_id, as_of=as_of):
        articles[_day(article.published_at)].append(article)
    told = _told(connection, story_id, as_of)
    shown = {day: _foremost(rows, facts_each) for day, rows in told.items()}
    disputed = _disagreements(connection, story_id, as_of)
    listed = [fact_id for ids in shown.values() for fact_id in ids]
    linked = [fact_id for older, newer, _ in disputed for fact_id in (older, newer)]
    facts = {fact.id: fact for fact in sql_facts.load(connection, [*listed, *linked], as_of=as_of)}
    confirmed = _confirmed(connection, story_id, as_of)
    conflicts = _by_day(disputed, facts)
    return [
        TimelineDay(
            day=day,
            articles=tuple(articles[day]),
            facts=tuple(facts[fact_id] for fact_id in shown.get(day, ())),
            added=len(told.get(day, ())),
            corroborated=confirmed[day],
            conflicts=tuple(conflicts[day]),
        )
        for day in sorted(articles, key=lambda day: (day is None, day or date.min))
    ]


def _day(moment: datetime | None) -> Day:
    return None if moment is None else moment.date()


def _told(connection: Connection, story_id: str, as_of: datetime | None) -> dict[Day, list[Any]]:
    """Day -> (id, place in its article, independent publishers) of the facts that the story first told then."""
    publishers = (
        select(_SOURCE.c.fact_id, func.count(func.distinct(_SOURCE.c.publisher)).label("count"))
        .join(_ARTICLE, _ARTICLE.c.id == _SOURCE.c.article_id)
        .where(_SOURCE.c.is_copy.is_(False), *sql_stories.out_by(as_of))
        .group_by(_SOURCE.c.fact_id)
        .subquery()
    )
    query = (
        select(_FACT.c.seq, _FACT.c.id, _FACT.c.start_char, _FACT.c.valid_from, publishers.c.count)
        .join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
        .join(publishers, publishers.c.fact_id == _FACT.c.id)
        .where(_ARTICLE.c.story_id == story_id, *sql_facts.known_by(as_of))
        .order_by(_FACT.c.seq)
    )
    found: defaultdict[Day, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        found[_day(row.valid_from)].append(row)
    return found


def _foremost(rows: Sequence[Any], limit: int) -> list[str]:
    """Ids of what most publishers state, and of what articles say first."""
    ordered = sorted(rows, key=lambda row: (-row.count, row.start_char, row.seq))
    return [row.id for row in ordered[:limit]]


def _confirmed(connection: Connection, story_id: str, as_of: datetime | None) -> Counter[Day]:
    """Day -> how often the story's articles said again what was known."""
    query = (
        select(_SOURCE.c.published_at)
        .join(_ARTICLE, _ARTICLE.c.id == _SOURCE.c.article_id)
        .join(_FACT, _FACT.c.id == _SOURCE.c.fact_id)
        .where(
            _ARTICLE.c.story_id == story_id,
            _FACT.c.article_id != _SOURCE.c.article_id,
            *sql_stories.out_by(as_of),
        )
    )
    return Counter(_day(moment) for moment in connection.execute(query).scalars())


def _disagreements(
    connection: Connection, story_id: str, as_of: datetime | None
) -> list[tuple[str, str, str]]:
    """(older fact, newer fact, question) of every conflict that the story's own facts brought up."""
    own = select(_FACT.c.id).join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
    own = own.where(_ARTICLE.c.story_id == story_id, *sql_facts.known_by(as_of))
    fact_ids = list(connection.execute(own).scalars())
    found: list[tuple[str, str, str]] = []
    for part in chunks(fact_ids):
        query = select(_LINK).where(_LINK.c.newer_id.in_(part)).order_by(_LINK.c.newer_id)
        found += [
            (row.older_id, row.newer_id, row.question)
            for row in connection.execute(query.order_by(_LINK.c.older_id))
        ]
    return found


def _by_day(
    disputed: Iterable[tuple[str, str, str]], facts: dict[str, Fact]
) -> defaultdict[Day, list[Disagreement]]:
    found: defaultdict[Day, list[Disagreement]] = defaultdict(list)
    for older, newer, question in disputed:
        if older in facts and newer in facts:
            one = Disagreement(question, facts[older], facts[newer])
            found[_day(facts[newer].valid_from)].append(one)
    return found
