"""JSON Feed 1.0 and 1.1 (jsonfeed.org) -> raw entries."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from agent.entries import RawEntry
from agent.plain_text import markup_of_text, text_of_markup


def read_json_feed(text: str) -> tuple[str, str | None, list[RawEntry], int]:
    """Read a JSON Feed.

    Returns:
        Title, language, entries, and how many items were not even objects.

    Raises:
        ValueError: not JSON, or no JSON Feed; the message is fit for the user.
    """
    try:
        feed = json.loads(text, strict=False)  # line breaks inside strings are common and harmless
    except RecursionError as exc:
        raise ValueError("JSON nested too deep") from exc
    except ValueError as exc:
        raise ValueError(f"broken JSON: {str(exc)[:100]}") from exc
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list) or "jsonfeed.org/version" not in str(feed.get("version")):
        raise ValueError("JSON, but not a JSON Feed")
    entries = [_raw_entry(item) for item in items if isinstance(item, dict)]
    language = _text(feed, "language") or None
    return text_of_markup(_text(feed, "title")), language, entries, len(items) - len(entries)


def _raw_entry(item: dict[str, Any]) -> RawEntry:
    date_text = _text(item, "date_published") or _text(item, "date_modified")
    authors = item.get("authors")
    if not isinstance(authors, list):
        authors = [item.get("author")]  # version 1.0
    return RawEntry(
        guid=_text(item, "id"),
        link=_text(item, "url") or _text(item, "external_url"),
        title=text_of_markup(_text(item, "title")),
        content_html=_content(item),
        date_text=date_text,
        published_at=_moment(date_text),
        authors=tuple(_text(author, "name") for author in authors if isinstance(author, dict)),
    )


def _content(item: dict[str, Any]) -> str:
    plain = _text(item, "content_text") or _text(item, "summary")
    return max(_text(item, "content_html"), markup_of_text(plain), key=len)


def _text(mapping: dict[str, Any], key: str) -> str:
    """A field as text; ids are now and then numbers."""
    found = mapping.get(key)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found).strip()


def _moment(text: str) -> datetime | None:
    """RFC 3339, as the format asks for, or RFC 2822, as some write; without a zone it is taken for UTC."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
