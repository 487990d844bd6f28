"""Bytes -> a feed and its entries: RSS 0.9x, 1.0 and 2.0, Atom, JSON Feed.

Pure: never fetches. A feed that can be read in part is read in part, and what was wrong with it is told beside the
entries; only bytes that are no feed at all are refused.
"""

import io
import re
from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.sax import SAXException, SAXParseException

import feedparser

from agent.charsets import Decoded, decode
from agent.entries import FeedContext, RawEntry, clean_entries
from agent.errors import FeedError
from agent.json_feed import read_json_feed
from agent.plain_text import clean_line, markup_of_text, text_of_markup
from kb import Entry

MAX_ENTRIES = 500
"""Entries kept of one check, by default: real feeds hold 10 to 100."""

MAX_READ_ENTRIES = 10_000
"""Entries read of one document, in its order (0.3 ms each); what stands between them and the end is not looked at."""

MAX_TAGS = 1_000_000
"""A document with more is refused: feedparser takes 0.02 ms for each, and no feed of any use needs them."""

_XML_CHARSET = re.compile(
    rb"""^.{0,4}<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""", re.DOTALL
)
_CHARSET_PARAMETER = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CHARACTER_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,9})|([0-9]{1,9}));")
_HTML_START = re.compile(r"<(!doctype\s+html|html)\b", re.IGNORECASE)
_PREAMBLE = re.compile(r"\s+|<\?[^>]*>|<!--.*?-->", re.DOTALL)
_MAX_PREAMBLES = 20
_FEED_ELEMENT = re.compile(r"<(\w+:)?(rss|feed|rdf|channel)\b", re.IGNORECASE)
_ENTRY_START = re.compile(r"<(?:\w+:)?(?:item|entry)[\s>/]", re.IGNORECASE)
_ENTRY_END = re.compile(r"</(?:\w+:)?(?:item|entry)\s*>", re.IGNORECASE)

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
    text, problems = _mended_xml(text)
    if text.count("<") > MAX_TAGS:
        raise FeedError(url, f"more than {MAX_TAGS} tags")
    try:
        # No content-location: relative ids would change with it, and links are resolved later on our own terms.
        parsed = feedparser.parse(
            io.BytesIO(text.encode("utf-8")),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            resolve_relative_uris=False,
            sanitize_html=False,  # content is only ever read as text, by a parser that drops scripts
        )
    except _PARSER_FAULTS as exc:
        raise FeedError(url, f"unreadable ({type(exc).__name__})") from exc
    if not parsed.version and not parsed.entries:
        raise FeedError(url, _what_it_is(text))
    entries = list(parsed.entries)
    if parsed.bozo:
        problems.append(_bozo_problem(parsed.get("bozo_exception")))
        if len(entries) > len(_ENTRY_END.findall(text)):
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


def _mended_xml(text: str) -> tuple[str, list[str]]:
    """Remove what no XML parser lets pass, and what is past the number of entries that are read."""
    problems = []
    mended = _CHARACTER_REFERENCE.sub(_valid_reference, _NOT_XML.sub("", text))
    if mended != text:
        problems.append("characters that XML forbids removed")
    starts = [found.start() for found in _ENTRY_START.finditer(mended)]
    if len(starts) > MAX_READ_ENTRIES:
        ends = [found.end() for found in _ENTRY_END.finditer(mended)]
        rest = max(ends[-1:], default=len(mended))
        mended = mended[: starts[MAX_READ_ENTRIES]] + mended[max(rest, starts[MAX_READ_ENTRIES]) :]
        problems.append(
            f"{len(starts) - MAX_READ_ENTRIES} entries past {MAX_READ_ENTRIES} not read"
        )
    return mended, problems


def _valid_reference(reference: re.Match[str]) -> str:
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    is_valid = code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD
    return reference[0] if is_valid or 0x10000 <= code <= 0x10FFFF else ""


def _bozo_problem(exception: object) -> str:
    if isinstance(exception, SAXParseException):
        return f"XML not well-formed (line {exception.getLineNumber()}: {exception.getMessage()})"
    return f"XML not as it should be ({type(exception).__name__})"


def _what_it_is(text: str) -> str:
    if _is_html(text):
        return "an HTML page, not a feed"
    if text.startswith("<"):
        return "XML, but not a feed"
    printable = sum(character.isprintable() or character.isspace() for character in text[:1000])
    return "text, not a feed" if printable > 0.9 * len(text[:1000]) else "binary data, not a feed"


def _raw_entry(entry: Any) -> RawEntry:
    date_text, published_at = _date(entry)
    return RawEntry(
        guid=clean_line(_text(entry, "id")),
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
    return tuple(text_of_markup(name) for name in names if name) or (
        text_of_markup(_text(entry, "author")),
    )


def _ttl_s(minutes: str) -> int | None:
    """RSS's <ttl>, which is in minutes; at most a week."""
    minutes = minutes.strip()
    if not (minutes.isascii() and minutes.isdigit()):
        return None
    return min(int(minutes[:9]) * 60, 7 * 86_400) or None
