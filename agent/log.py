"""The one logging setup: a fixed event and its fields, as key=value for people or as JSON lines.

Logs go to stderr; stdout belongs to the commands' data. `run_id` and `feed_url` come from the
context, so that no call has to pass them along.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from agent.settings import LogSettings

run_id: ContextVar[str | None] = ContextVar("run_id", default=None)
feed_url: ContextVar[str | None] = ContextVar("feed_url", default=None)

CHATTY = (
    "apscheduler",
    "chromadb",
    "courlan",
    "hpack",
    "htmldate",
    "httpcore",
    "httpx",
    "trafilatura",
    "urllib3",
    "uvicorn",
)
"""Libraries that log what is our business to say; of them, warnings are let through."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CONTEXT = (run_id, feed_url)


def configure_logging(settings: LogSettings, *, stream: TextIO, level: str = "WARNING") -> None:
    """Send all logging to `stream`, from `level` on unless the settings name another; a later call replaces it."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonLines() if settings.format == "json" else _KeyValues())
    handler.set_name("tidings")
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.name == "tidings"]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level or level)
    for name in CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # It reports every page without text as an error; extraction says so itself, with the URL.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    logging.captureWarnings(True)


@contextmanager
def log_context(**fields: str) -> Iterator[None]:
    """Give every record of the block these fields.

    Args:
        fields: `run_id`, `feed_url`.
    """
    known = {variable.name: variable for variable in _CONTEXT}
    tokens = [(known[name], known[name].set(value)) for name, value in fields.items()]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Context first, then the call's own `extra`, which wins."""
    fields = {
        variable.name: value for variable in _CONTEXT if (value := variable.get()) is not None
    }
    fields.update((name, value) for name, value in vars(record).items() if name not in _STANDARD)
    return fields


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


class _KeyValues(logging.Formatter):
    """`2025-03-10T06:00:00.000+00:00 INFO agent.ingest article stored facts=3`."""

    def format(self, record: logging.LogRecord) -> str:
        head = (
            f"{_moment(record)} {record.levelname} {record.name} {_one_line(record.getMessage())}"
        )
        line = " ".join([head, *_pairs(_fields(record))])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            **_fields(record),
            "at": _moment(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def _pairs(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, value in fields.items():
        text = str(value)
        plain = text and text.isprintable() and not any(mark in text for mark in ' "=')
        yield f"{name}={text if plain else json.dumps(text)}"


def _one_line(text: str) -> str:
    """Fetched text may hold line breaks or terminal control codes; neither may forge a log line."""
    return text if text.isprintable() else json.dumps(text)
