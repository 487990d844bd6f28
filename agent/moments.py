"""Dates as people write them on a command line: 2025-03-10, 2025-03-10T12:00Z, 36h, 3d, 2w."""

import re
from datetime import UTC, datetime, time, timedelta

from agent.errors import ConfigError

_SPAN = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_as_of(text: str) -> datetime:
    """Read a moment; a bare date means the end of that day (UTC), so that the day itself is included."""
    return _moment(text, end_of_day=True)


def parse_since(text: str, *, now: datetime) -> datetime:
    """Read a moment or a span back from `now` ("3d"); a bare date means the start of that day (UTC)."""
    span = _SPAN.fullmatch(text.strip().lower())
    if span is None:
        return _moment(text, end_of_day=False)
    try:
        return now - timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
    except OverflowError as exc:
        raise ConfigError(f"{text!r} reaches back before all dates") from exc


def _moment(text: str, *, end_of_day: bool) -> datetime:
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ConfigError(
            f"{text!r} is no date: write 2025-03-10, 2025-03-10T12:00Z or 3d"
        ) from exc
    if len(text) <= len("2025-03-10") and end_of_day:
        moment = datetime.combine(moment.date(), time.max)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise ConfigError(f"{text!r} lies outside all dates") from exc
