"""The story log, why each article stands in its story: every query on the table `story_decision`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from kb.sql import chunks
from kb.tables import StoryDecisionRow, table_of
from kb.values import Placement, StoryDecision

_DECISION = table_of(StoryDecisionRow)


def add(connection: Connection, decision: StoryDecision) -> None:
    """Append a decision."""
    connection.execute(
        insert(_DECISION).values(
            article_id=decision.article_id,
            story_id=decision.story_id,
            placement=decision.placement.value,
            nearest_id=decision.nearest_id,
            probability=decision.probability,
            threshold=decision.threshold,
            candidates=decision.candidates,
        )
    )


def remove(connection: Connection, article_ids: Sequence[str]) -> None:
    """Take out the decisions about articles."""
    for part in chunks(article_ids):
        connection.execute(delete(_DECISION).where(_DECISION.c.article_id.in_(part)))


def rename(connection: Connection, story_id: str, new: str | None, *, opener_id: str = "") -> None:
    """Let decisions name a story by its new id, and say of another article that it opened it; None where it is gone."""
    near = _DECISION.c.nearest_id == story_id
    connection.execute(update(_DECISION).where(near).values(nearest_id=new))
    if new is None:
        return
    inside = _DECISION.c.story_id == story_id
    connection.execute(update(_DECISION).where(inside).values(story_id=new))
    opening = _DECISION.c.article_id == opener_id
    connection.execute(update(_DECISION).where(opening).values(placement=Placement.OPENED.value))


def of_story(connection: Connection, story_id: str) -> list[StoryDecision]:
    """The decisions that made a story, in the order in which they were taken."""
    query = select(_DECISION).where(_DECISION.c.story_id == story_id).order_by(_DECISION.c.seq)
    return [_decision(row) for row in connection.execute(query)]


def of_article(connection: Connection, article_id: str) -> StoryDecision | None:
    """The decision that put an article where it is; None when it was learned before there was a log."""
    query = select(_DECISION).where(_DECISION.c.article_id == article_id)
    row = connection.execute(query).first()
    return None if row is None else _decision(row)


def export(connection: Connection) -> list[StoryDecision]:
    """The whole log in the order in which it was written."""
    return [
        _decision(row) for row in connection.execute(select(_DECISION).order_by(_DECISION.c.seq))
    ]


def _decision(row: Any) -> StoryDecision:
    return StoryDecision(
        article_id=row.article_id,
        story_id=row.story_id,
        placement=Placement(row.placement),
        nearest_id=row.nearest_id,
        probability=row.probability,
        threshold=row.threshold,
        candidates=row.candidates,
    )
