"""Articles, what they are about, and which are copies of which."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update
from sqlmodel import col

from kb.sql import chunks
from kb.tables import ArticleBandRow, ArticleEntityRow, ArticlePhraseRow, ArticleRow, table_of
from kb.values import Article, ArticleReport, Entity, Topics

_ARTICLE = table_of(ArticleRow)
_BAND = table_of(ArticleBandRow)
_ENTITY = table_of(ArticleEntityRow)
_PHRASE = table_of(ArticlePhraseRow)

_FIELDS = (
    "id",
    "url",
    "title",
    "text",
    "publisher",
    "language",
    "published_at",
    "date_source",
    "fetched_at",
    "feed_url",
    "text_source",
    "canonical_elsewhere",
    "text_hash",
)
COLUMNS = tuple(_ARTICLE.c[name] for name in _FIELDS)


def article(row: Any) -> Article:
    """The value of a row that holds COLUMNS."""
    return Article(**{name: row._mapping[_ARTICLE.c[name]] for name in _FIELDS})


def add(connection: Connection, new: Article) -> bool:
    """Store an article; False when its id or its URL is there already."""
    same = or_(col(ArticleRow.id) == new.id, col(ArticleRow.url) == new.url)
    if connection.execute(select(col(ArticleRow.id)).where(same)).first() is not None:
        return False
    values = {name: getattr(new, name) for name in _FIELDS}
    counts = {"added": 0, "corroborated": 0, "conflicting": 0, "skipped": 0}
    connection.execute(insert(_ARTICLE).values(**values, **counts))
    return True


def get(connection: Connection, article_id: str) -> Article | None:
    """One article."""
    row = connection.execute(select(*COLUMNS).where(col(ArticleRow.id) == article_id)).first()
    return None if row is None else article(row)


def get_many(connection: Connection, article_ids: Iterable[str]) -> dict[str, Article]:
    """Articles by id."""
    found: dict[str, Article] = {}
    for part in chunks(sorted(set(article_ids))):
        for row in connection.execute(select(*COLUMNS).where(col(ArticleRow.id).in_(part))):
            value = article(row)
            found[value.id] = value
    return found


def unlearned(connection: Connection) -> list[Article]:
    """Articles waiting to be learned: dated ones in time order, then the others, ties by id."""
    query = (
        select(*COLUMNS)
        .where(col(ArticleRow.learned_at).is_(None))
        .order_by(col(ArticleRow.published_at).nulls_last(), col(ArticleRow.id))
    )
    return [article(row) for row in connection.execute(query)]


def report(connection: Connection, article_id: str) -> ArticleReport | None:
    """What a learned article brought; None while it is not learned."""
    query = select(_ARTICLE).where(
        col(ArticleRow.id) == article_id, col(ArticleRow.learned_at).is_not(None)
    )
    row = connection.execute(query).first()
    return None if row is None else _report(row)


def _report(row: Row[Any]) -> ArticleReport:
    return ArticleReport(
        article_id=row.id,
        story_id=row.story_id,
        added=row.added,
        corroborated=row.corroborated,
        conflicting=row.conflicting,
        skipped=row.skipped,
        skipped_reason=row.skipped_reason,
    )


def mark_learned(
    connection: Connection, done: ArticleReport, *, copy_of: str | None, now: datetime
) -> None:
    """Record that an article has been learned and what it brought."""
    connection.execute(
        update(_ARTICLE)
        .where(col(ArticleRow.id) == done.article_id)
        .values(
            learned_at=now,
            copy_of=copy_of,
            story_id=done.story_id,
            added=done.added,
            corroborated=done.corroborated,
            conflicting=done.conflicting,
            skipped=done.skipped,
            skipped_reason=done.skipped_reason,
        )
    )


def add_topics(connection: Connection, article_id: str, topics: Topics) -> None:
    """Store what an article is about, most salient first."""
    entities = [
        {"article_id": article_id, "position": n, "name": e.name, "kind": e.kind, "count": e.count}
        for n, e in enumerate(topics.entities)
    ]
    phrases = [
        {"article_id": article_id, "position": n, "phrase": phrase}
        for n, phrase in enumerate(topics.key_phrases)
    ]
    if entities:
        connection.execute(insert(_ENTITY), entities)
    if phrases:
        connection.execute(insert(_PHRASE), phrases)


def topics_of(connection: Connection, article_id: str) -> Topics:
    """What an article is about."""
    entities = connection.execute(
        select(_ENTITY.c.name, _ENTITY.c.kind, _ENTITY.c.count)
        .where(col(ArticleEntityRow.article_id) == article_id)
        .order_by(col(ArticleEntityRow.position))
    )
    phrases = connection.execute(
        select(col(ArticlePhraseRow.phrase))
        .where(col(ArticlePhraseRow.article_id) == article_id)
        .order_by(col(ArticlePhraseRow.position))
    )
    return Topics(
        entities=tuple(Entity(name, kind, count) for name, kind, count in entities),
        key_phrases=tuple(phrases.scalars()),
    )


def add_bands(connection: Connection, article_id: str, bands: Sequence[str]) -> None:
    """Store an article's MinHash bands."""
    rows = [
        {"band": number, "digest": digest, "article_id": article_id}
        for number, digest in enumerate(bands)
    ]
    if rows:
        connection.execute(insert(_BAND), rows)


def sharing_a_band(connection: Connection, article_id: str, bands: Sequence[str]) -> list[str]:
    """Ids of the learned articles that share a band, ordered."""
    query = (
        select(col(ArticleBandRow.article_id))
        .where(
            # The digest tells the band; naming the band as well lets the key find it.
            col(ArticleBandRow.band).in_(range(len(bands))),
            col(ArticleBandRow.digest).in_(bands),
            col(ArticleBandRow.article_id) != article_id,
        )
        .distinct()
        .order_by(col(ArticleBandRow.article_id))
    )
    return list(connection.execute(query).scalars())


def same_origin(connection: Connection, wanted: Article) -> str | None:
    """The learned article whose page this one says it copies, or that says so of the same page."""
    origin = wanted.canonical_elsewhere
    places = {wanted.url} | ({origin} if origin else set())
    query = (
        select(col(ArticleRow.id))
        .where(
            col(ArticleRow.learned_at).is_not(None),
            col(ArticleRow.id) != wanted.id,
            or_(
                col(ArticleRow.url) == origin,
                col(ArticleRow.canonical_elsewhere).in_(sorted(places)),
            ),
        )
        .order_by(col(ArticleRow.published_at).nulls_last(), col(ArticleRow.id))
        .limit(1)
    )
    return connection.execute(query).scalar()


def copies(connection: Connection, article_ids: Iterable[str]) -> dict[str, str]:
    """For each article that is a copy: the article it copies."""
    found: dict[str, str] = {}
    for part in chunks(sorted(set(article_ids))):
        query = select(col(ArticleRow.id), col(ArticleRow.copy_of)).where(
            col(ArticleRow.id).in_(part), col(ArticleRow.copy_of).is_not(None)
        )
        found.update({row.id: row.copy_of for row in connection.execute(query)})
    return found


def clear_bands(connection: Connection) -> None:
    """Forget every band."""
    connection.execute(delete(_BAND))


def learned_texts(connection: Connection) -> list[tuple[str, str]]:
    """Id and text of every learned article."""
    query = (
        select(col(ArticleRow.id), col(ArticleRow.text))
        .where(col(ArticleRow.learned_at).is_not(None))
        .order_by(col(ArticleRow.id))
    )
    return [(row.id, row.text) for row in connection.execute(query)]
