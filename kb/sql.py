"""The engine, its pragmas, and the door through which database errors become ours.

Everything that only SQLite understands stands here and in `sql_lexical.py`.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from kb.errors import KBError, StoreError

DATABASE_NAME = "tidings.db"
CHUNK = 500  # bound parameters in one IN list; old SQLite builds allow 999

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA busy_timeout=5000",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA secure_delete=ON",  # what is forgotten is gone from the file, too
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-32000",
)


def open_engine(home: Path, database_url: str | None, *, read_only: bool = False) -> Engine:
    """Return an engine for the home's SQLite file, or for `database_url`.

    Raises:
        StoreError: the URL names another database than SQLite: the lexical index is written for it alone so far.
    """
    if database_url is not None and not database_url.startswith("sqlite"):
        kind = database_url.split(":", 1)[0]
        raise StoreError(f"the store can be kept in SQLite only so far, not in {kind}")
    engine = create_engine(database_url or f"sqlite:///{home / DATABASE_NAME}")
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, read_only=read_only)
    return engine


def _prepare_sqlite(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        # The driver would open transactions on its own, and not around DDL; "begin" below opens them instead.
        connection.isolation_level = None
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if read_only:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # IMMEDIATE for writers: a lock asked for halfway through a transaction cannot be waited for.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: Engine, place: str) -> Iterator[Connection]:
    """A connection on one consistent state; `place` names the store in errors."""
    with translated(place), engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine, place: str) -> Iterator[Connection]:
    """One transaction: all of it is stored, or none."""
    with (
        translated(place),
        engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
    ):
        yield connection


def empty_journal(engine: Engine, place: str) -> None:
    """Move what stands in the write-ahead log into the database and cut the log, as far as no reader is in the way."""
    with translated(place), contextlib.closing(engine.raw_connection()) as connection:
        # By the driver's own cursor: inside a transaction, which the engine would begin, there is no checkpoint.
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn whatever the database raises into one line of ours."""
    try:
        yield
    except KBError:
        raise
    except SQLAlchemyError as exc:
        raise StoreError(f"{place}: {_plain_reason(exc)}") from exc
    except (sqlite3.Error, OSError) as exc:
        raise StoreError(f"{place}: {exc}") from exc


def _plain_reason(exc: SQLAlchemyError) -> str:
    reason = str(exc.orig) if isinstance(exc, DatabaseError) and exc.orig else str(exc)
    first_line = reason.strip().splitlines()[0] if reason.strip() else type(exc).__name__
    hints = {
        "file is not a database": "the database file is damaged",
        "malformed": "the database file is damaged",
        "readonly": "the home is read-only",
        "unable to open": "the database cannot be opened or created",
        "full": "the disk is full",
        "locked": "another program is writing to the database",
    }
    hint = next((text for mark, text in hints.items() if mark in first_line.lower()), None)
    return f"{hint} ({first_line})" if hint else first_line


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Slices that fit one IN list."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def integrity(connection: Connection) -> str:
    """What the database says of itself: "ok" or its first complaint."""
    if connection.dialect.name != "sqlite":
        return "ok"
    return str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())


def journal_mode(connection: Connection) -> str:
    """Name the journal's mode: "wal" on a healthy SQLite file; the dialect's name elsewhere."""
    if connection.dialect.name != "sqlite":
        return connection.dialect.name
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
