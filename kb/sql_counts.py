"""Sizes and health of the store."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from kb.errors import MigrationError, StoreError
from kb.migrations import MIGRATIONS, current_version
from kb.reports import StoreCounts
from kb.sql import integrity, journal_mode
from kb.tables import (
    ArticleRow,
    DecisionRow,
    EntryRow,
    FactLinkRow,
    FactRow,
    FactSourceRow,
    FeedRow,
    StoryRow,
    table_of,
)


def require_current_schema(engine: Engine, place: str) -> None:
    """Refuse a store that cannot be read as it is.

    Raises:
        StoreError: there is no store, or an older version wrote it.
        MigrationError: a newer version wrote it.
    """
    version = current_version(engine, place)
    if version > len(MIGRATIONS):
        raise MigrationError(f"{place}: written by a newer version (schema {version})")
    if version < len(MIGRATIONS):
        raise StoreError(f"{place}: nothing is stored here yet, or an older version wrote it")


def counts(connection: Connection, home: Path, *, indexed: int, embedder: str) -> StoreCounts:
    """Count everything."""
    waiting = table_of(EntryRow).c.state.in_(("queued", "failed"))
    unlearned = table_of(ArticleRow).c.learned_at.is_(None)
    return StoreCounts(
        feeds=_count(connection, FeedRow),
        entries=_count(connection, EntryRow),
        queued_entries=_count(connection, EntryRow, waiting),
        articles=_count(connection, ArticleRow),
        unlearned_articles=_count(connection, ArticleRow, unlearned),
        facts=_count(connection, FactRow),
        sources=_count(connection, FactSourceRow),
        conflicts=_count(connection, FactLinkRow),
        decisions=_count(connection, DecisionRow),
        stories=_count(connection, StoryRow),
        indexed=indexed,
        bytes_on_disk=sum(path.stat().st_size for path in home.rglob("*") if path.is_file()),
        schema_version=len(MIGRATIONS),
        journal_mode=journal_mode(connection),
        integrity=integrity(connection),
        embedder=embedder,
    )


def _count(connection: Connection, row_class: Any, *conditions: Any) -> int:
    query = select(func.count()).select_from(table_of(row_class)).where(*conditions)
    return connection.execute(query).scalar_one()
