"""Bytes -> a feed and its entries: RSS 0.9x, 1.0 and 2.0, Atom, JSON Feed.

Pure: never fetches. A feed that can be read in part is read in part, and what was wrong with it is told beside the
entries; only bytes that are no feed at all are refused.
"""

import io
import re
from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Any
from xml.sax import SAXException, SAXParseException

import feedparser

from agent.broken_xml import ENTRY_END, NOT_XML, mend_xml
from agent.charsets import Decoded, decode
from agent.entries import FeedContext, RawEntry, clean_entries
from agent.errors import FeedError
from agent.json_feed import read_json_feed
from agent.plain_text import clean_line, markup_of_text, text_of_markup
from kb import Entry

MAX_ENTRIES = 500
"""Entries kept of one check, by default: real feeds hold 10 to 100."""

MAX_TAGS = 1_000_000
"""A document with more is refused: feedparser takes 0.02 ms for each, and no feed of any use needs them."""

_XML_CHARSET = re.compile(
    rb"""^.{0,4}<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""", re.DOTALL
)
_CHARSET_PARAMETER = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_HTML_START = re.compile(r"<(!doctype\s+html|html)\b", re.IGNORECASE)
_PREAMBLE = re.compile(r"\s+|<\?[^>]*>|<!--.*?-->", re.DOTALL)
_MAX_PREAMBLES = 20
_MAX_CONTROL_SHARE = 0.02  # text with more control characters is none
_FEED_ELEMENT = re.compile(r"<(\w+:)?(rss|feed|rdf|channel)\b", re.IGNORECASE)

# feedparser lets these through on input it was not made for; none of them is about us.
_PARSER_FAULTS = (
    SAXException, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A feed as it was at one check.

    Attributes:
        ttl_s: the least time to the next check that the feed asks for.
        problems: what was wrong with the document and its entries, and mended, one line each.
    """

    title: str
    entries: tuple[Entry, ...]
    language: str | None = None
    ttl_s: int | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Document:
    """What one of the two readers makes of the text."""

    title: str
    language: str | None
    ttl_s: int | None
    entries: list[RawEntry]
    problems: list[str]


def parse_feed(
    body: bytes,
    *,
    url: str,
    content_type: str,
    now: datetime,
    feed_url: str | None = None,
    max_entries: int = MAX_ENTRIES,
) -> ParsedFeed:
    """Parse a feed of any known format.

    Args:
        body: as served, decompressed.
        url: where it came from in the end; relative links are relative to it.
        content_type: the HTTP header, "" without; only its charset is believed, and only as far as it fits.
        now: dates more than a day after it are dropped.
        feed_url: the subscription's URL when that is another; entry ids derive from it.
        max_entries: how many entries are kept, newest first.

    Raises:
        FeedError: the bytes are no feed; the reason says what they are.
    """
    if not body.strip():
        raise FeedError(url, "empty body")
    decoded = decode(body, (_group(_CHARSET_PARAMETER, content_type), _xml_charset(body)))
    text = decoded.text.lstrip()
    document = _read_json(text, url) if text[:1] in ("{", "[") else _read_xml(text, url)
    context = FeedContext(feed_url or url, url, now, max_entries)
    entries, entry_problems = clean_entries(document.entries, context)
    problems = [*_charset_problem(decoded), *document.problems, *entry_problems]
    return ParsedFeed(document.title, entries, document.language, document.ttl_s, tuple(problems))


def _group(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


def _xml_charset(body: bytes) -> str | None:
    found = _XML_CHARSET.search(body[:300])
    return found[1].decode("ascii", "replace") if found else None


def _charset_problem(decoded: Decoded) -> list[str]:
    return [f"charset is not as declared, read as {decoded.charset}"] if decoded.is_mended else []


# --------------------------------------------------------------------------------------------- JSON Feed
def _read_json(text: str, url: str) -> _Document:
    try:
        title, language, entries, not_objects = read_json_feed(text)
    except ValueError as exc:
        raise FeedError(url, str(exc)) from exc
    problems = [f"{not_objects} items are no objects"] if not_objects else []
    return _Document(title, language, None, entries, problems)


# ------------------------------------------------------------------------------------------ RSS and Atom
def _read_xml(text: str, url: str) -> _Document:
    if _is_html(text) and not _FEED_ELEMENT.search(text):
        raise FeedError(url, "an HTML page, not a feed")
    mended, problems = mend_xml(text)
    if mended.count("<") > MAX_TAGS:
        raise FeedError(url, f"more than {MAX_TAGS} tags")
    try:
        # No content-location: relative ids would change with it, and links are resolved later on our own terms.
        parsed = feedparser.parse(
            io.BytesIO(mended.encode("utf-8")),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            resolve_relative_uris=False,
            sanitize_html=False,  # content is only ever read as text, by a parser that drops scripts
        )
    except _PARSER_FAULTS as exc:
        raise FeedError(url, f"unreadable ({type(exc).__name__})") from exc
    if not parsed.get("version") and not parsed.entries:
        raise FeedError(url, _what_it_is(text))
    entries = list(parsed.entries)
    if parsed.bozo:
        problems.append(_bozo_problem(parsed.get("bozo_exception")))
        if len(entries) > len(ENTRY_END.findall(mended)):
            entries.pop()  # cut off in the middle: half an entry would be taken for another one
            problems.append("the last entry is cut off, left out")
    feed = parsed.feed
    return _Document(
        title=text_of_markup(_text(feed, "title")),
        language=clean_line(_text(feed, "language"))[:20] or None,
        ttl_s=_ttl_s(_text(feed, "ttl")),
        entries=[_raw_entry(entry) for entry in entries],
        problems=problems,
    )


def _is_html(text: str) -> bool:
    start = 0
    for _ in range(_MAX_PREAMBLES):
        preamble = _PREAMBLE.match(text, start)
        if preamble is None:
            break
        start = preamble.end()
    return _HTML_START.match(text, start) is not None


def _bozo_problem(exception: object) -> str:
    if isinstance(exception, SAXParseException):
        return f"XML not well-formed (line {exception.getLineNumber()}: {exception.getMessage()})"
    return f"XML not as it should be ({type(exception).__name__})"


def _what_it_is(text: str) -> str:
    if _is_html(text):
        return "an HTML page, not a feed"
    if text.startswith("<"):
        return "XML, but not a feed"
    beginning = text[:1000]
    is_binary = len(NOT_XML.findall(beginning)) > _MAX_CONTROL_SHARE * len(beginning)
    return "binary data, not a feed" if is_binary else "text, not a feed"


def _raw_entry(entry: Any) -> RawEntry:
    date_text, published_at = _date(entry)
    return RawEntry(
        guid=clean_line(unescape(_text(entry, "id"))),  # feedparser's loose half leaves it escaped
        link=_link(entry),
        title=text_of_markup(_text(entry, "title")),
        content_html=_content(entry),
        date_text=date_text,
        published_at=published_at,
        authors=_authors(entry),
    )


def _text(mapping: Any, key: str) -> str:
    # dict.get: feedparser's own falls back from "updated" to "published", with a warning
    found = dict.get(mapping, key)
    return found if isinstance(found, str) else ""


def _link(entry: Any) -> str:
    if link := _text(entry, "link"):
        return link
    links = [link for link in dict.get(entry, "links") or () if isinstance(link, dict)]
    return next((_text(link, "href") for link in links if link.get("rel") == "alternate"), "")


def _content(entry: Any) -> str:
    """The longest text the entry carries: feeds put teasers and full texts in either place."""
    found = [_as_markup(part) for part in dict.get(entry, "content") or ()]
    found.append(
        _as_markup(dict.get(entry, "summary_detail") or {"value": _text(entry, "summary")})
    )
    return max(found, key=len)


def _as_markup(part: Any) -> str:
    kind = _text(part, "type") or "text/html"
    if kind == "text/plain":
        return markup_of_text(_text(part, "value"))
    return _text(part, "value") if kind.endswith(("html", "xml")) else ""


def _date(entry: Any) -> tuple[str, datetime | None]:
    """The date as written and as read, UTC: first publication before last change."""
    texts = [text for key in ("published", "created", "updated") if (text := _text(entry, key))]
    for key in ("published_parsed", "created_parsed", "updated_parsed"):
        if parsed := dict.get(entry, key):
            try:
                return texts[0] if texts else "", datetime.fromtimestamp(timegm(parsed), UTC)
            except (ValueError, OverflowError, OSError):
                continue
    return texts[0] if texts else "", None


def _authors(entry: Any) -> tuple[str, ...]:
    names = [_text(author, "name") for author in dict.get(entry, "authors") or ()]
    return tuple(map(_name, filter(None, names))) or (_name(_text(entry, "author")),)


def _name(author: str) -> str:
    """The name of RSS's "desk@courier.example (Tom Reyes)", of which feedparser leaves pieces of the address."""
    return text_of_markup(author.rpartition("(")[2].removesuffix(")"))


def _ttl_s(minutes: str) -> int | None:
    """RSS's <ttl>, which is in minutes; at most a week."""
    minutes = minutes.strip()
    if not (minutes.isascii() and minutes.isdigit()):
        return None
    return min(int(minutes[:9]) * 60, 7 * 86_400) or None
