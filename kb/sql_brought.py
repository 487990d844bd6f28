"""What facts and stories bring to the experience graph, and what of it names them: queries over both their tables."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select
from sqlmodel import col

from kb.sql import chunks
from kb.tables import (
    ArticleEntityRow,
    ArticleRow,
    ExperienceNodeRow,
    ExperiencePassRow,
    ExperienceTraceRow,
    FactRow,
    table_of,
)

_NODE = table_of(ExperienceNodeRow)
_PASS = table_of(ExperiencePassRow)
_TRACE = table_of(ExperienceTraceRow)
_FACT = table_of(FactRow)
_ARTICLE = table_of(ArticleRow)
_ENTITY = table_of(ArticleEntityRow)

MAX_STORY_NAMES = 500


@dataclass(frozen=True, slots=True)
class Passed:
    """The passage of a fact beside what the fact holds."""

    seq: int
    fact_seq: int
    things: tuple[str, ...]
    article_id: str
    title: str
    names: tuple[str, ...]


def facts_after(connection: Connection, seq: int, limit: int) -> list[Any]:
    """Rows of seq, names, vector, recorded_at, article_id, title and story_id of the facts stored after `seq`."""
    query = (
        select(
            _FACT.c.seq,
            _FACT.c.names,
            _FACT.c.vector,
            _FACT.c.recorded_at,
            _FACT.c.article_id,
            _ARTICLE.c.title,
            _ARTICLE.c.story_id,
        )
        .join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
        .where(col(FactRow.seq) > seq)
        .order_by(_FACT.c.seq)
        .limit(limit)
    )
    return list(connection.execute(query))


def names_of_story(
    connection: Connection, story_id: str, without: str, *, before: int | None = None
) -> list[str]:
    """Names in a story's articles but one, those of the earliest first.

    Args:
        connection: any.
        story_id: of the story.
        without: the id of the one.
        before: only of articles that had stored their first fact when the fact of this seq was stored, or have none.
    """
    query = (
        select(_ENTITY.c.name)
        .join(_ARTICLE, _ARTICLE.c.id == _ENTITY.c.article_id)
        .where(_ARTICLE.c.story_id == story_id, _ARTICLE.c.id != without, *_known(before))
        .order_by(_ARTICLE.c.published_at.nulls_last(), _ARTICLE.c.id, _ENTITY.c.position)
        .limit(MAX_STORY_NAMES)
    )
    return list(dict.fromkeys(connection.execute(query).scalars()))


def _known(before: int | None) -> list[ColumnElement[bool]]:
    if before is None:
        return []
    first = (
        select(func.min(_FACT.c.seq)).where(_FACT.c.article_id == _ARTICLE.c.id).scalar_subquery()
    )
    return [func.coalesce(first, 0) < before]


def fact_counts(connection: Connection, story_id: str | None) -> dict[int, int]:
    """Node id -> how many facts name it: those of a story, or all."""
    if story_id is None:
        query = select(_NODE.c.id, _NODE.c.fact_count)
    else:
        query = (
            select(_TRACE.c.node, func.count())
            .join(_PASS, _PASS.c.seq == _TRACE.c.pass_seq)
            .join(_ARTICLE, _ARTICLE.c.id == _PASS.c.article_id)
            .where(_ARTICLE.c.story_id == story_id, ~_PASS.c.is_question)
            .group_by(_TRACE.c.node)
        )
    return {int(node): int(count) for node, count in connection.execute(query)}


def passed_in_story(connection: Connection, story_id: str) -> list[Passed]:
    """The passages of the facts of a story's articles, in their order."""
    query = (
        select(
            _PASS.c.seq,
            _PASS.c.fact_seq,
            _PASS.c.things,
            _FACT.c.article_id,
            _ARTICLE.c.title,
            _FACT.c.names,
        )
        .join(_FACT, _FACT.c.seq == _PASS.c.fact_seq)
        .join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
        .where(_ARTICLE.c.story_id == story_id, ~_PASS.c.is_question)
        .order_by(_PASS.c.seq)
    )
    return [
        Passed(
            row.seq,
            row.fact_seq,
            tuple(json.loads(row.things)),
            row.article_id,
            row.title,
            tuple(json.loads(row.names)),
        )
        for row in connection.execute(query)
    ]


def things_of_article(connection: Connection, article_id: str) -> set[str]:
    """The names of the things that an article's facts passed over."""
    query = select(_PASS.c.things).where(_PASS.c.article_id == article_id, ~_PASS.c.is_question)
    return {name for stored in connection.execute(query).scalars() for name in json.loads(stored)}


def only_asked(connection: Connection, keys: set[str]) -> dict[int, tuple[str, ...]]:
    """Seq of a question's passage -> the keys that it names, of those that no fact names."""
    found: dict[int, tuple[str, ...]] = {}
    by_fact = (
        select(_PASS.c.seq)
        .join(_TRACE, _TRACE.c.pass_seq == _PASS.c.seq)
        .where(_TRACE.c.node == _NODE.c.id, ~_PASS.c.is_question)
        .exists()
    )
    for part in chunks(sorted(keys)):
        query = (
            select(_TRACE.c.pass_seq, _NODE.c.key)
            .join(_NODE, _NODE.c.id == _TRACE.c.node)
            .where(_NODE.c.key.in_(part), ~by_fact)
            .order_by(_TRACE.c.pass_seq, _NODE.c.key)
        )
        for seq, key in connection.execute(query):
            found[seq] = (*found.get(seq, ()), key)
    return found
