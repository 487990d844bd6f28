"""The decision log: every query on the table `decision`."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select
from sqlmodel import col

from kb import sql_lexical
from kb.sql import chunks
from kb.tables import ArticleRow, DecisionRow, table_of
from kb.values import Decision, Verdict

_DECISION = table_of(DecisionRow)
_ARTICLE = table_of(ArticleRow)


def add(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Append an article's decisions and make their sentences findable."""
    if not decisions:
        return
    connection.execute(insert(_DECISION), [_values(decision) for decision in decisions])
    query = (
        select(func.min(_DECISION.c.seq), _DECISION.c.quote)
        .where(_DECISION.c.article_id == decisions[0].article_id)
        .group_by(_DECISION.c.start_char, _DECISION.c.quote)
        .order_by(func.min(_DECISION.c.seq))
    )
    sql_lexical.add_decisions(
        connection, [(seq, quote) for seq, quote in connection.execute(query)]
    )


def _values(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "article_id": decision.article_id,
        "start_char": decision.start_char,
        "end_char": decision.end_char,
        "quote": decision.quote,
        "question": decision.question,
        "kind": decision.kind,
        "answer": decision.answer,
        "verdict": decision.verdict.value,
        "reason": decision.reason,
        "fact_id": decision.fact_id,
        "against_id": decision.against_id,
        "nearest": json.dumps([list(pair) for pair in decision.nearest]),
        "threshold": decision.threshold,
        "model": decision.model,
    }


def of_fact(connection: Connection, fact_id: str) -> list[Decision]:
    """Decisions that made a fact, confirmed it or spoke against it, in the order they were taken."""
    touching = or_(col(DecisionRow.fact_id) == fact_id, col(DecisionRow.against_id) == fact_id)
    query = select(_DECISION).where(touching).order_by(col(DecisionRow.seq))
    return [_decision(row) for row in connection.execute(query)]


def of_article(connection: Connection, article_id: str) -> list[Decision]:
    """Every decision on an article, in the order in which they were taken."""
    query = select(_DECISION).where(_DECISION.c.article_id == article_id).order_by(_DECISION.c.seq)
    return [_decision(row) for row in connection.execute(query)]


def like(connection: Connection, text: str, *, limit: int) -> list[Decision]:
    """Decisions on the sentences that hold the text, else on those that resemble it most."""
    needle = " ".join(text.split())
    if not needle:
        return []
    holds = or_(
        func.instr(func.lower(_DECISION.c.quote), needle.lower()) > 0,
        func.instr(func.lower(_DECISION.c.question), needle.lower()) > 0,
    )
    exact = connection.execute(
        select(_DECISION).where(holds).order_by(_DECISION.c.seq).limit(limit)
    ).all()
    if exact:
        return [_decision(row) for row in exact]
    decisions: list[Decision] = []
    for seq in sql_lexical.find_decisions(connection, needle, limit=limit):
        decisions.extend(_of_sentence(connection, seq))
    return decisions[:limit]


def _of_sentence(connection: Connection, first_seq: int) -> list[Decision]:
    first = connection.execute(select(_DECISION).where(_DECISION.c.seq == first_seq)).first()
    if first is None:
        return []
    query = (
        select(_DECISION)
        .where(
            _DECISION.c.article_id == first.article_id,
            _DECISION.c.start_char == first.start_char,
            _DECISION.c.end_char == first.end_char,
        )
        .order_by(_DECISION.c.seq)
    )
    return [_decision(row) for row in connection.execute(query)]


def export(connection: Connection) -> Iterator[Decision]:
    """All decisions in an order that depends on the articles alone."""
    query = (
        select(_DECISION)
        .join(_ARTICLE, _ARTICLE.c.id == _DECISION.c.article_id)
        .order_by(
            _ARTICLE.c.published_at.nulls_last(),
            _DECISION.c.article_id,
            _DECISION.c.start_char,
            _DECISION.c.end_char,
            _DECISION.c.question,
        )
    )
    for row in connection.execution_options(yield_per=500).execute(query):
        yield _decision(row)


def present(connection: Connection, decision_ids: Sequence[str]) -> set[str]:
    """Those ids that are in the log."""
    found: set[str] = set()
    for part in chunks(decision_ids):
        query = select(_DECISION.c.id).where(_DECISION.c.id.in_(part))
        found.update(connection.execute(query).scalars())
    return found


def _decision(row: Any) -> Decision:
    return Decision(
        id=row.id,
        article_id=row.article_id,
        start_char=row.start_char,
        end_char=row.end_char,
        quote=row.quote,
        question=row.question,
        kind=row.kind,
        answer=row.answer,
        verdict=Verdict(row.verdict),
        reason=row.reason,
        fact_id=row.fact_id,
        against_id=row.against_id,
        nearest=tuple((fact_id, score) for fact_id, score in json.loads(row.nearest)),
        threshold=row.threshold,
        model=row.model,
    )
