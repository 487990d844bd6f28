"""An entry and its page -> an article: which text, which address, which date, whose.

Pure. The page's text is preferred to the feed's, the feed's date to the page's.
"""

import functools
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlsplit

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from agent.charsets import decode
from agent.entries import MAX_AHEAD, sane_date
from agent.errors import ExtractionError
from agent.page_facts import PageFacts, is_syndication_note
from agent.page_text import PageText, read_page, text_of_html
from agent.plain_text import PARAGRAPH_BREAK
from agent.urls import canonical_url, site_of
from kb import Article, Entry, Feed, FullText, content_id, hash_of_text

MIN_PAGE_CHARS = 100
"""A page with less text than this is a video, a gallery or an error, not an article."""

MIN_FEED_CHARS = 200
"""A feed's own content with less is a teaser; it does not stand for an article."""

MIN_LANGUAGE_CHARS = 60
"""In shorter texts the language is not to be told ("und")."""

MIN_LANGUAGE_PROBABILITY = 0.5

_MUCH_SHORTER = 0.5  # a page with less than this share of the feed's text has lost the article
_DOUBTFUL_CHARS = (
    1_000  # a shorter page must share a word with its headline: it may be a consent or error page
)
_MIN_TITLE_WORDS = 3  # fewer words may all be missing from a page by chance
_MIN_HEADER_AGE = timedelta(minutes=5)  # a younger Last-Modified dates the reply, not the article
_LANGUAGE_CHARS = 4_000
_MAX_FALLBACK_TITLE_CHARS = 120
_MAX_SITE_NAME_CHARS = 80

_META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE
)
_TITLE_SEPARATOR = re.compile(r"\s+[|\u2013\u2014\u00b7\u00bb:-]+\s+")
_CUT_OFF = re.compile(r"\s*(?:\u2026|\.\.\.|\[(?:\u2026|\.\.\.)\]|\((?:\u2026|\.\.\.)\))\s*$")
_SENTENCE_END = re.compile(r"[.!?][\"'\u201d\u2019)]*(?=\s)")

_IDENTIFIER_LOCK = threading.Lock()


class Page(Protocol):
    """What extraction needs of a fetched page."""

    @property
    def url(self) -> str:
        """Where it was found in the end, after redirects."""

    @property
    def body(self) -> bytes:
        """Decompressed."""

    @property
    def charset(self) -> str | None:
        """As the HTTP header has it."""

    @property
    def headers(self) -> Mapping[str, str]:
        """By lower-case name."""


@dataclass(frozen=True, slots=True)
class _Source:
    """The text that was chosen, where it stands, and what the page around it says."""

    text: str
    text_source: str
    url: str
    canonical_elsewhere: str | None
    facts: PageFacts


def extract_article(
    page: Page | None, *, entry: Entry, feed: Feed, fetched_at: datetime
) -> Article:
    """Make an article of an entry and its page, or of the entry alone.

    Args:
        page: None when there is no page, or it could not be had.
        entry: its date and title are preferred to the page's.
        feed: its rule says where the text may come from.
        fetched_at: also the present, for dates that cannot be.

    Raises:
        ExtractionError: neither the page nor the feed holds enough text.
    """
    url = _page_url(page, entry)
    read = PageText("", PageFacts())
    if page is not None and feed.full_text is not FullText.FEED:
        read = _read(page, entry, url=url, before=fetched_at + MAX_AHEAD)
    source = _chosen_source(read, entry, feed, url)
    title = entry.title or source.facts.title or _beginning(source.text)
    text = _without_headline(source.text, title)
    headers = page.headers if page is not None and source.text_source == "page" else {}
    published_at, date_source = _date(entry, source.facts, headers, now=fetched_at)
    return Article(
        id=content_id(source.url),
        url=source.url,
        title=title,
        text=text,
        publisher=_publisher(source, title, feed),
        language=language_of(f"{title}\n{text}"),
        published_at=published_at,
        date_source=date_source,
        fetched_at=fetched_at,
        feed_url=feed.url,
        text_source=source.text_source,
        canonical_elsewhere=source.canonical_elsewhere,
        text_hash=hash_of_text(text),
    )


def language_of(text: str) -> str:
    """Name the language of a text by its ISO 639-1 code; "und" when it is too short or too mixed to tell."""
    if len(text) < MIN_LANGUAGE_CHARS:
        return "und"
    language, probability = _identifier().classify(text[:_LANGUAGE_CHARS])
    return language if probability >= MIN_LANGUAGE_PROBABILITY else "und"


def _identifier() -> LanguageIdentifier:
    with _IDENTIFIER_LOCK:  # loading takes a second: not once for each thread
        return _load_identifier()


@functools.cache
def _load_identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(
        [label for label in identifier.labels if len(label) == 2]
    )  # of ISO 639-1
    return identifier


# ------------------------------------------------------------------------------------- which text, which address
def _read(page: Page, entry: Entry, *, url: str, before: datetime) -> PageText:
    markup = decode(page.body, (page.charset, _meta_charset(page.body))).text
    read = read_page(markup, url=url, before=before)
    return read if _is_about(entry.title, read) else PageText("", PageFacts())


def _chosen_source(read: PageText, entry: Entry, feed: Feed, url: str) -> _Source:
    page_text = _without_syndication(read.text)
    feed_text = ""
    if feed.full_text is not FullText.PAGE and entry.content_html:
        feed_text = _whole_sentences(_without_syndication(text_of_html(entry.content_html)))
    has_page = len(page_text) >= MIN_PAGE_CHARS
    has_feed = len(feed_text) >= MIN_FEED_CHARS
    if has_page and not (has_feed and len(page_text) < _MUCH_SHORTER * len(feed_text)):
        own_url, elsewhere = _addresses(read.facts, url)
        return _Source(page_text, "page", own_url, elsewhere, read.facts)
    if has_feed:
        return _Source(feed_text, "feed", entry.link or f"entry:{entry.id}", None, read.facts)
    raise ExtractionError(url, "too little text" if page_text or feed_text else "no text")


def _page_url(page: Page | None, entry: Entry) -> str:
    if page is None:
        return entry.link or f"entry:{entry.id}"
    return canonical_url(page.url)


def _addresses(facts: PageFacts, url: str) -> tuple[str, str | None]:
    """The article's own address, and that of the article on another site of which it is a copy."""
    canonical = _article_url(facts.canonical, url)
    if canonical and site_of(canonical) == site_of(url):
        return canonical, _elsewhere(facts.origin, url)
    return url, canonical or _elsewhere(facts.origin, url)


def _elsewhere(written: str | None, url: str) -> str | None:
    found = _article_url(written, url)
    return found if found and site_of(found) != site_of(url) else None


def _article_url(written: str | None, url: str) -> str | None:
    """A link of the page, when it can lead to an article: some templates name the home page on every page."""
    if not written:
        return None
    try:
        found = canonical_url(written, url)
    except ValueError:
        return None
    return None if urlsplit(found).path == "/" and not urlsplit(found).query else found


def _is_about(title: str, read: PageText) -> bool:
    """Tell a short article from a consent, login or error page served in its place."""
    words = set(re.findall(r"\w{4,}", title.casefold()))
    if len(read.text) >= _DOUBTFUL_CHARS or len(words) < _MIN_TITLE_WORDS:
        return True
    said = f"{read.facts.title} {read.facts.page_title} {read.text}".casefold()
    return any(word in said for word in words)


def _meta_charset(body: bytes) -> str | None:
    found = _META_CHARSET.search(body[:4096])
    return found[1].decode("ascii", "replace") if found else None


# ----------------------------------------------------------------------------------------- what is left of the text
def _without_syndication(text: str) -> str:
    paragraphs = text.split(PARAGRAPH_BREAK)
    return PARAGRAPH_BREAK.join(p for p in paragraphs if not is_syndication_note(p))


def _whole_sentences(text: str) -> str:
    """Drop the broken-off sentence at the end of a feed's teaser: half a sentence may say the opposite of the whole."""
    if not (cut := _CUT_OFF.search(text)):
        return text
    ends = [end.end() for end in _SENTENCE_END.finditer(text, 0, cut.start())]
    return text[: ends[-1]] if ends else text[: cut.start()]


def _without_headline(text: str, title: str) -> str:
    first, _, rest = text.partition(PARAGRAPH_BREAK)
    return rest if rest and first.casefold() == title.casefold() else text


def _beginning(text: str) -> str:
    first = text.partition(PARAGRAPH_BREAK)[0]
    if len(first) <= _MAX_FALLBACK_TITLE_CHARS:
        return first
    return first[:_MAX_FALLBACK_TITLE_CHARS].rsplit(" ", 1)[0] + "\u2026"


# ------------------------------------------------------------------------------------------------ when, and whose
def _date(
    entry: Entry, facts: PageFacts, headers: Mapping[str, str], *, now: datetime
) -> tuple[datetime | None, str]:
    if entry.published_at:
        return entry.published_at, "feed"
    if facts.published_at and (dated := sane_date(facts.published_at, now)[0]):
        return dated, "page"
    modified_at = _last_modified(headers)
    if (
        modified_at
        and modified_at <= now - _MIN_HEADER_AGE
        and (dated := sane_date(modified_at, now)[0])
    ):
        return dated, "header"
    return None, "none"


def _last_modified(headers: Mapping[str, str]) -> datetime | None:
    try:
        moment = parsedate_to_datetime(headers.get("last-modified", ""))
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _publisher(source: _Source, title: str, feed: Feed) -> str:
    """The page's word for its site, else the feed's title where the feed is of that site, else the host."""
    if name := source.facts.site_name or _title_suffix(source.facts.page_title, title):
        return name
    if source.url.startswith("entry:"):
        return feed.title
    try:
        article_site, feed_site = site_of(source.url), site_of(canonical_url(feed.url))
    except ValueError:
        return feed.title
    is_own = article_site == feed_site or feed_site.endswith(f".{article_site}")
    return feed.title if is_own and feed.title else article_site


def _title_suffix(page_title: str, title: str) -> str:
    """Read the site's name in a <title>: "Bridge opens | The Courier", where the headline is known."""
    if not title or not page_title.startswith(title):
        return ""
    separator = _TITLE_SEPARATOR.match(page_title, len(title))
    if separator is None:
        return ""
    name = page_title[separator.end() :].split(separator[0])[
        -1
    ]  # "Bridge opens | Local | The Courier"
    return name if len(name) <= _MAX_SITE_NAME_CHARS else ""
