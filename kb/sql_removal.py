"""What articles brought, found and taken out of every table; `kb/forgetting.py` decides what that is."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, or_, select, update

from kb import sql_lexical
from kb.sql import chunks
from kb.tables import (
    ArticleBandRow,
    ArticleEntityRow,
    ArticlePhraseRow,
    ArticleRow,
    DecisionRow,
    EntryRow,
    FactAnswerRow,
    FactEntityRow,
    FactLinkRow,
    FactRow,
    FactSourceRow,
    table_of,
)

_ARTICLE = table_of(ArticleRow)
_BAND = table_of(ArticleBandRow)
_NAME = table_of(ArticleEntityRow)
_PHRASE = table_of(ArticlePhraseRow)
_DECISION = table_of(DecisionRow)
_ENTRY = table_of(EntryRow)
_FACT = table_of(FactRow)
_ANSWER = table_of(FactAnswerRow)
_ENTITY = table_of(FactEntityRow)
_SOURCE = table_of(FactSourceRow)
_LINK = table_of(FactLinkRow)

_LAST = datetime.max.replace(tzinfo=UTC)
_UNLEARNED = {
    "learned_at": None,
    "copy_of": None,
    "story_id": None,
    "added": 0,
    "corroborated": 0,
    "conflicting": 0,
    "skipped": 0,
    "skipped_reason": None,
}


@dataclass(frozen=True, slots=True)
class Brought:
    """A fact of an article, as far as finding what hangs on it needs."""

    seq: int
    id: str
    words_hash: str
    quote: str
    title: str
    publisher: str


# ----------------------------------------------------------------------------------------------------- looking
def article_named(connection: Connection, names: Collection[str]) -> str | None:
    """Id of the stored article with this id or address, or to which an entry with this address led."""
    own = select(_ARTICLE.c.id).where(or_(_ARTICLE.c.id.in_(names), _ARTICLE.c.url.in_(names)))
    led = (
        select(_ARTICLE.c.id)
        .join(_ENTRY, _ENTRY.c.article_id == _ARTICLE.c.id)
        .where(_ENTRY.c.link.in_(names))
    )
    return next(
        (found for query in (own, led) if (found := connection.execute(query).scalar())), None
    )


def facts_of(connection: Connection, article_ids: Sequence[str]) -> list[Brought]:
    """The facts of articles."""
    found: list[Brought] = []
    for part in chunks(article_ids):
        query = (
            select(
                _FACT.c.seq,
                _FACT.c.id,
                _FACT.c.words_hash,
                _FACT.c.quote,
                _ARTICLE.c.title,
                _ARTICLE.c.publisher,
            )
            .join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
            .where(_FACT.c.article_id.in_(part))
        )
        found += [Brought(*row) for row in connection.execute(query)]
    return found


def judged_by(connection: Connection, fact_ids: Sequence[str]) -> set[str]:
    """Ids of the articles of which a verdict was taken on these facts, their own among them."""
    found: set[str] = set()
    for part in chunks(fact_ids):
        naming = or_(_DECISION.c.fact_id.in_(part), _DECISION.c.against_id.in_(part))
        query = select(_DECISION.c.article_id).where(naming).distinct()
        found.update(connection.execute(query).scalars())
    return found


def quotes_decided(
    connection: Connection, publishers: Collection[str], reason: str
) -> list[tuple[str, str, str]]:
    """(Article id, its publisher, quote) of the sentences of these publishers that were decided on for a reason."""
    query = (
        select(_DECISION.c.article_id, _ARTICLE.c.publisher, _DECISION.c.quote)
        .join(_ARTICLE, _ARTICLE.c.id == _DECISION.c.article_id)
        .where(_ARTICLE.c.publisher.in_(publishers), _DECISION.c.reason == reason)
    )
    return [(row.article_id, row.publisher, row.quote) for row in connection.execute(query)]


def copies_of(connection: Connection, article_ids: Sequence[str]) -> set[str]:
    """Ids of the articles that were found to be copies of these."""
    found: set[str] = set()
    for part in chunks(article_ids):
        query = select(_ARTICLE.c.id).where(_ARTICLE.c.copy_of.in_(part))
        found.update(connection.execute(query).scalars())
    return found


def learned_at(connection: Connection, article_ids: Iterable[str]) -> list[tuple[str, datetime]]:
    """(Id, when it was learned) of the learned ones of these articles, in the order in which they were."""
    rows: list[Any] = []
    for part in chunks(sorted(article_ids)):
        query = select(_ARTICLE.c.id, _ARTICLE.c.learned_at, _ARTICLE.c.published_at)
        known = _ARTICLE.c.id.in_(part), _ARTICLE.c.learned_at.is_not(None)
        rows += connection.execute(query.where(*known)).all()
    rows.sort(key=lambda row: (row.learned_at, row.published_at or _LAST, row.id))
    return [(row.id, row.learned_at) for row in rows]


def counts(
    connection: Connection, article_ids: Sequence[str], fact_ids: Sequence[str]
) -> tuple[int, int, int]:
    """Of one article: its decisions, the facts of others that it states, and the links of its facts."""
    own = set(fact_ids)
    decisions = _count(connection, _DECISION, _DECISION.c.article_id.in_(article_ids))
    stated = select(_SOURCE.c.fact_id).where(_SOURCE.c.article_id.in_(article_ids))
    linked: set[tuple[str, str]] = set()
    for part in chunks(fact_ids):
        touching = or_(_LINK.c.older_id.in_(part), _LINK.c.newer_id.in_(part))
        rows = connection.execute(select(_LINK.c.older_id, _LINK.c.newer_id).where(touching))
        linked.update((row.older_id, row.newer_id) for row in rows)
    return decisions, len(set(connection.execute(stated).scalars()) - own), len(linked)


def _count(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(table).where(condition)
    return connection.execute(query).scalar_one()


# ---------------------------------------------------------------------------------------------------- removing
def remove_learned(connection: Connection, article_ids: Sequence[str]) -> None:
    """Take out all that was learned from articles; they stay, unlearned.

    Facts of other articles lose these as sources and the links to their facts; what a fact that goes had superseded
    is superseded by the next that is left, or by none.
    """
    facts = facts_of(connection, article_ids)
    fact_ids = [fact.id for fact in facts]
    sql_lexical.remove_facts(connection, [(fact.seq, fact.title, fact.quote) for fact in facts])
    sql_lexical.remove_decisions(connection, _decided_sentences(connection, article_ids))
    for table in (_ANSWER, _ENTITY, _SOURCE):
        _remove(connection, table, table.c.fact_id, fact_ids)
    for column in (_LINK.c.older_id, _LINK.c.newer_id):
        _remove(connection, _LINK, column, fact_ids)
    for table in (_SOURCE, _DECISION, _NAME, _PHRASE, _BAND, _FACT):
        _remove(connection, table, table.c.article_id, article_ids)
    for part in chunks(article_ids):
        connection.execute(update(_ARTICLE).where(_ARTICLE.c.id.in_(part)).values(**_UNLEARNED))
    _supersede_anew(connection, fact_ids)
    _leave_out_of_nearest(connection, set(fact_ids))


def _remove(
    connection: Connection, table: Table, column: ColumnElement[str], values: Sequence[str]
) -> None:
    for part in chunks(values):
        connection.execute(delete(table).where(column.in_(part)))


def _decided_sentences(connection: Connection, article_ids: Sequence[str]) -> list[tuple[int, str]]:
    """(Seq of its first decision, quote) of every sentence of articles, as they stand in the full text."""
    found: list[tuple[int, str]] = []
    for part in chunks(article_ids):
        query = (
            select(func.min(_DECISION.c.seq), _DECISION.c.quote)
            .where(_DECISION.c.article_id.in_(part))
            .group_by(_DECISION.c.article_id, _DECISION.c.start_char, _DECISION.c.quote)
        )
        found += [(int(seq), quote) for seq, quote in connection.execute(query)]
    return found


def _supersede_anew(connection: Connection, gone_ids: Sequence[str]) -> None:
    for part in chunks(gone_ids):
        query = select(_FACT.c.id).where(_FACT.c.superseded_by.in_(part))
        for older_id in list(connection.execute(query).scalars()):
            newer = connection.execute(
                select(_LINK.c.newer_id, _LINK.c.recorded_at)
                .where(_LINK.c.older_id == older_id)
                .order_by(_LINK.c.recorded_at, _LINK.c.decision_id)
            ).first()
            connection.execute(
                update(_FACT)
                .where(_FACT.c.id == older_id)
                .values(
                    superseded_by=newer.newer_id if newer else None,
                    superseded_at=newer.recorded_at if newer else None,
                )
            )


def _leave_out_of_nearest(connection: Connection, gone_ids: set[str]) -> None:
    """The log tells which facts a question was held against; those that are gone are told of no more."""
    changed = []
    query = select(_DECISION.c.seq, _DECISION.c.nearest).where(_DECISION.c.nearest != "[]")
    for row in connection.execute(query):
        nearest = json.loads(row.nearest)
        left = [pair for pair in nearest if pair[0] not in gone_ids]
        if len(left) < len(nearest):
            changed.append((row.seq, json.dumps(left)))
    for seq, left_over in changed:
        stripped = update(_DECISION).where(_DECISION.c.seq == seq).values(nearest=left_over)
        connection.execute(stripped)


def remove_article(connection: Connection, article_id: str) -> None:
    """Take out the row of an article of which nothing learned is left."""
    connection.execute(delete(_ARTICLE).where(_ARTICLE.c.id == article_id))
