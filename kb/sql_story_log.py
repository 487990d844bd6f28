"""The story log, why each article stands in its story: every query on the table `story_decision`."""

from typing import Any

from sqlalchemy import Connection, insert, select

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
