"""Facts with their answers, sources and links: every query on the tables `fact*`."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update
from sqlmodel import col

from kb import sql_articles
from kb.reports import FactSource
from kb.sql import chunks
from kb.tables import (
    ArticleRow,
    FactAnswerRow,
    FactEntityRow,
    FactLinkRow,
    FactRow,
    FactSourceRow,
    table_of,
)
from kb.values import AnswerKind, Evidence, Fact, Question

_FACT = table_of(FactRow)
_ANSWER = table_of(FactAnswerRow)
_SOURCE = table_of(FactSourceRow)
_LINK = table_of(FactLinkRow)
_ENTITY = table_of(FactEntityRow)
_ARTICLE = table_of(ArticleRow)

Rows = list[dict[str, Any]]


def add(
    connection: Connection, *, facts: Rows, answers: Rows, sources: Rows, links: Rows
) -> list[int]:
    """Store the rows of one article; return the seqs its facts were given."""
    if facts:
        connection.execute(insert(_FACT), facts)
        names = [
            {"fact_id": fact["id"], "name": name}
            for fact in facts
            for name in dict.fromkeys(json.loads(fact["names"]))
        ]
        if names:
            connection.execute(insert(_ENTITY), names)
    for table, rows in ((_ANSWER, answers), (_SOURCE, sources), (_LINK, links)):
        if rows:
            connection.execute(insert(table), rows)
    for link in links:
        supersede(connection, link["older_id"], link["newer_id"], now=link["recorded_at"])
    by_id = seqs_of(connection, [fact["id"] for fact in facts])
    return [by_id[fact["id"]] for fact in facts]


def supersede(connection: Connection, older_id: str, newer_id: str, *, now: datetime) -> None:
    """Mark a fact as having a newer word on its question; the first one to say so stays."""
    connection.execute(
        update(_FACT)
        .where(col(FactRow.id) == older_id, col(FactRow.superseded_by).is_(None))
        .values(superseded_by=newer_id, superseded_at=now)
    )


def seqs_of(connection: Connection, fact_ids: Sequence[str]) -> dict[str, int]:
    """Fact id -> seq."""
    found: dict[str, int] = {}
    for part in chunks(fact_ids):
        query = select(col(FactRow.id), col(FactRow.seq)).where(col(FactRow.id).in_(part))
        found.update({fact_id: int(seq) for fact_id, seq in connection.execute(query) if seq})
    return found


def sources_present(
    connection: Connection, pairs: Iterable[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Those (fact id, article id) pairs that are recorded as sources already."""
    wanted = set(pairs)
    found: set[tuple[str, str]] = set()
    for part in chunks(sorted({fact_id for fact_id, _ in wanted})):
        query = select(col(FactSourceRow.fact_id), col(FactSourceRow.article_id)).where(
            col(FactSourceRow.fact_id).in_(part)
        )
        found.update((row.fact_id, row.article_id) for row in connection.execute(query))
    return found & wanted


# ------------------------------------------------------------------------------------------ the index's outbox
def unindexed(connection: Connection, limit: int) -> list[tuple[int, str, bytes]]:
    """(seq, id, vector) of facts not known to be in the index, in the order they were stored."""
    query = (
        select(col(FactRow.seq), col(FactRow.id), col(FactRow.vector))
        .where(col(FactRow.indexed_at).is_(None))
        .order_by(col(FactRow.seq))
        .limit(limit)
    )
    return [(row.seq, row.id, row.vector) for row in connection.execute(query)]


def mark_indexed(connection: Connection, seqs: Sequence[int], *, now: datetime | None) -> None:
    """Record that facts are in the index; with `now` None, that they are not."""
    for part in chunks(seqs):
        connection.execute(update(_FACT).where(col(FactRow.seq).in_(part)).values(indexed_at=now))


def mark_all_unindexed(connection: Connection) -> None:
    """Forget what the index holds."""
    connection.execute(update(_FACT).values(indexed_at=None))


def vectors_after(connection: Connection, seq: int, limit: int) -> list[tuple[int, str, bytes]]:
    """(seq, id, vector) of the facts stored after `seq`, in order."""
    query = (
        select(col(FactRow.seq), col(FactRow.id), col(FactRow.vector))
        .where(col(FactRow.seq) > seq)
        .order_by(col(FactRow.seq))
        .limit(limit)
    )
    return [(row.seq, row.id, row.vector) for row in connection.execute(query)]


def texts_after(connection: Connection, seq: int, limit: int) -> list[tuple[int, str]]:
    """(seq, quote) of the facts stored after `seq`, in order."""
    query = (
        select(col(FactRow.seq), col(FactRow.quote))
        .where(col(FactRow.seq) > seq)
        .order_by(col(FactRow.seq))
        .limit(limit)
    )
    return [(row.seq, row.quote) for row in connection.execute(query)]


def words_after(connection: Connection, seq: int) -> list[tuple[int, str, str]]:
    """(seq, article title, quote) of the facts stored after `seq`, in order."""
    query = (
        select(_FACT.c.seq, _ARTICLE.c.title, _FACT.c.quote)
        .join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
        .where(_FACT.c.seq > seq)
        .order_by(_FACT.c.seq)
    )
    return [(row.seq, row.title, row.quote) for row in connection.execute(query)]


def last_seq(connection: Connection) -> int:
    """Seq of the newest fact; 0 when there is none."""
    return int(connection.execute(select(func.coalesce(func.max(_FACT.c.seq), 0))).scalar_one())


def set_vectors(connection: Connection, vectors: Sequence[tuple[int, bytes]]) -> None:
    """Give facts the vectors of another encoder."""
    for seq, vector in vectors:
        connection.execute(update(_FACT).where(col(FactRow.seq) == seq).values(vector=vector))


def count(connection: Connection) -> int:
    """How many facts there are."""
    return connection.execute(select(func.count()).select_from(_FACT)).scalar_one()


def indexed_count(connection: Connection) -> int:
    """How many facts are known to be in the index."""
    query = select(func.count()).select_from(_FACT).where(col(FactRow.indexed_at).is_not(None))
    return connection.execute(query).scalar_one()


def indexed_ids(connection: Connection) -> set[str]:
    """Ids of the facts known to be in the index."""
    query = select(col(FactRow.id)).where(col(FactRow.indexed_at).is_not(None))
    return set(connection.execute(query).scalars())


def ids(connection: Connection) -> set[str]:
    """Every fact's id."""
    return set(connection.execute(select(col(FactRow.id))).scalars())


# -------------------------------------------------------------------------------------------------- candidates
CANDIDATE_COLUMNS = (
    _FACT.c.seq,
    _FACT.c.id,
    _FACT.c.article_id,
    _FACT.c.start_char,
    _FACT.c.quote,
    _FACT.c.names,
    _FACT.c.valid_from,
    _FACT.c.recorded_at,
    _FACT.c.superseded_by,
    _FACT.c.vector,
    _ARTICLE.c.title,
    _ARTICLE.c.publisher,
    _ARTICLE.c.copy_of,
)


def candidates(connection: Connection, seqs: Iterable[int]) -> list[Any]:
    """Rows of CANDIDATE_COLUMNS for the facts with these seqs, in order of seq."""
    rows: list[Any] = []
    for part in chunks(sorted(set(seqs))):
        query = (
            select(*CANDIDATE_COLUMNS)
            .join(_ARTICLE, _ARTICLE.c.id == _FACT.c.article_id)
            .where(col(FactRow.seq).in_(part))
            .order_by(col(FactRow.seq))
        )
        rows.extend(connection.execute(query))
    return rows


def answers_of(connection: Connection, fact_ids: Iterable[str]) -> dict[str, tuple[Question, ...]]:
    """The questions that facts were stored for, with their answers."""
    found: defaultdict[str, list[Question]] = defaultdict(list)
    for part in chunks(sorted(set(fact_ids))):
        query = (
            select(_ANSWER)
            .where(col(FactAnswerRow.fact_id).in_(part))
            .order_by(col(FactAnswerRow.fact_id), col(FactAnswerRow.position))
        )
        for row in connection.execute(query):
            found[row.fact_id].append(
                Question(
                    row.question, AnswerKind(row.kind), row.answer, row.start_char, row.end_char
                )
            )
    return {fact_id: tuple(questions) for fact_id, questions in found.items()}


def with_words_hash(connection: Connection, hashes: Iterable[str]) -> dict[str, list[int]]:
    """Words hash -> seqs of the facts that say exactly that, oldest first."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for part in chunks(sorted(set(hashes))):
        query = (
            select(col(FactRow.words_hash), col(FactRow.seq))
            .where(col(FactRow.words_hash).in_(part))
            .order_by(col(FactRow.seq))
        )
        for words_hash, seq in connection.execute(query):
            found[words_hash].append(int(seq or 0))
    return found


# ----------------------------------------------------------------------------------------------- whole facts
def known_by(as_of: datetime | None) -> list[ColumnElement[bool]]:
    """Conditions on a fact: its article was out by then; undated ones count from when they were recorded."""
    if as_of is None:
        return []
    return [func.coalesce(col(FactRow.valid_from), col(FactRow.recorded_at)) <= as_of]


def load(
    connection: Connection, fact_ids: Sequence[str], *, as_of: datetime | None = None
) -> list[Fact]:
    """Facts in the order of their ids, as they stood at `as_of`; unknown and later ones are left out."""
    rows: dict[str, Any] = {}
    for part in chunks(list(dict.fromkeys(fact_ids))):
        query = select(_FACT).where(col(FactRow.id).in_(part), *known_by(as_of))
        rows.update({row.id: row for row in connection.execute(query)})
    articles = sql_articles.get_many(connection, [row.article_id for row in rows.values()])
    answers = answers_of(connection, rows)
    publishers, copies = _publishers(connection, rows, as_of)
    newer = _still_superseded(connection, rows.values(), as_of)
    facts = []
    for fact_id in dict.fromkeys(fact_ids):
        if (row := rows.get(fact_id)) is None:
            continue
        is_superseded = row.superseded_by in newer
        facts.append(
            Fact(
                id=row.id,
                evidence=Evidence(row.article_id, row.start_char, row.end_char, row.quote),
                article=articles[row.article_id],
                valid_from=row.valid_from,
                recorded_at=row.recorded_at,
                superseded_at=row.superseded_at if is_superseded else None,
                superseded_by=row.superseded_by if is_superseded else None,
                publishers=publishers[row.id],
                copies=copies[row.id],
                answers=answers.get(row.id, ()),
            )
        )
    return facts


def _publishers(
    connection: Connection, fact_ids: Iterable[str], as_of: datetime | None
) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    publishers: defaultdict[str, list[str]] = defaultdict(list)
    copies: defaultdict[str, int] = defaultdict(int)
    for part in chunks(sorted(set(fact_ids))):
        for row in connection.execute(_sources_query(part, as_of)):
            if row.is_copy:
                copies[row.fact_id] += 1
            elif row.publisher not in publishers[row.fact_id]:
                publishers[row.fact_id].append(row.publisher)
    return (
        defaultdict(tuple, {fact_id: tuple(names) for fact_id, names in publishers.items()}),
        copies,
    )


def _sources_query(fact_ids: Sequence[str], as_of: datetime | None) -> Any:
    shown_at = func.coalesce(col(FactSourceRow.published_at), col(FactSourceRow.recorded_at))
    own_first = (col(FactSourceRow.article_id) != col(FactRow.article_id)).asc()
    query = (
        select(_SOURCE, _ARTICLE.c.url, _ARTICLE.c.title, _ARTICLE.c.text)
        .join(_FACT, _FACT.c.id == _SOURCE.c.fact_id)
        .join(_ARTICLE, _ARTICLE.c.id == _SOURCE.c.article_id)
        .where(col(FactSourceRow.fact_id).in_(fact_ids))
        .order_by(
            col(FactSourceRow.fact_id),
            own_first,
            col(FactSourceRow.published_at).nulls_last(),
            col(FactSourceRow.article_id),
        )
    )
    return query if as_of is None else query.where(shown_at <= as_of)


def _still_superseded(
    connection: Connection, rows: Iterable[Any], as_of: datetime | None
) -> set[str]:
    newer = sorted({row.superseded_by for row in rows if row.superseded_by})
    found: set[str] = set()
    for part in chunks(newer):
        query = select(col(FactRow.id)).where(col(FactRow.id).in_(part), *known_by(as_of))
        found.update(connection.execute(query).scalars())
    return found


def sources(
    connection: Connection, fact_id: str, *, as_of: datetime | None = None
) -> list[FactSource]:
    """Every article that states a fact, its own first."""
    return [
        FactSource(
            article_id=row.article_id,
            publisher=row.publisher,
            url=row.url,
            title=row.title,
            published_at=row.published_at,
            is_copy=row.is_copy,
            start_char=row.start_char,
            end_char=row.end_char,
            quote=row.text[row.start_char : row.end_char],
        )
        for row in connection.execute(_sources_query([fact_id], as_of))
    ]


def linked(connection: Connection, fact_ids: Sequence[str]) -> dict[str, list[str]]:
    """Fact id -> ids of the facts it is in conflict with, newest link last."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for part in chunks(fact_ids):
        touching = or_(col(FactLinkRow.older_id).in_(part), col(FactLinkRow.newer_id).in_(part))
        query = select(_LINK).where(touching).order_by(_LINK.c.recorded_at, _LINK.c.decision_id)
        for row in connection.execute(query):
            found[row.older_id].append(row.newer_id)
            found[row.newer_id].append(row.older_id)
    return found


def every_span(connection: Connection) -> Iterator[Any]:
    """For each fact: what it claims, beside its article's text and hash."""
    query = (
        select(
            _FACT.c.id,
            _FACT.c.article_id,
            _FACT.c.start_char,
            _FACT.c.end_char,
            _FACT.c.quote,
            _ARTICLE.c.text,
            _ARTICLE.c.text_hash,
        )
        .join(_ARTICLE, and_(_ARTICLE.c.id == _FACT.c.article_id), isouter=True)
        .order_by(_FACT.c.article_id, _FACT.c.start_char, _FACT.c.id)
    )
    yield from connection.execution_options(yield_per=200).execute(query)
