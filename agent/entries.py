"""What a feed says of its entries -> clean entries: identity, address, date; what was wrong stands beside them.

Knows nothing of feed formats, and never refuses an entry for being broken: what cannot be mended is left out of it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.plain_text import clean_line
from agent.urls import canonical_url
from kb import Entry, content_id

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Nothing on the web is older: an earlier date is a default or a mistake."""

MAX_AHEAD = timedelta(days=1)
"""Clocks and time zones differ by less; a later date is a mistake or a trick to stay on top."""

MAX_TITLE_CHARS = 1000
MAX_AUTHORS = 10


@dataclass(frozen=True, slots=True)
class RawEntry:
    """One entry as its feed has it: "" for what is missing."""

    guid: str
    link: str
    title: str
    content_html: str
    date_text: str
    published_at: datetime | None  # what `date_text` was read as
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedContext:
    """What cleaning needs to know beside the entries.

    Attributes:
        feed_url: the subscription's URL; entry ids derive from it.
        base_url: what relative links are relative to.
        now: dates past it by more than `MAX_AHEAD` are dropped.
        max_entries: how many entries are kept, newest first.
    """

    feed_url: str
    base_url: str
    now: datetime
    max_entries: int


def clean_entries(
    raw_entries: Sequence[RawEntry], context: FeedContext
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Clean, deduplicate and bound the entries of one feed; keep their order.

    Returns:
        The entries, and the feed's problems: each kind once, with the number of entries that have it.
    """
    links = _own_links(raw_entries, [_link(raw, context) for raw in raw_entries])
    links_of_guid: dict[str, set[str | None]] = {}
    for raw, link in zip(raw_entries, links, strict=True):
        links_of_guid.setdefault(raw.guid, set()).add(link.url)
    entries: list[Entry] = []
    left_out: Counter[str] = Counter()
    seen: set[str] = set()
    for raw, link in zip(raw_entries, links, strict=True):
        if not (raw.title or raw.content_html or link.url):
            left_out["empty, left out"] += 1
            continue
        entry = _entry(raw, link, context, is_guid_shared=len(links_of_guid[raw.guid]) > 1)
        if entry.id in seen or (link.url and link.url in seen):
            left_out["repeated, left out"] += 1
            continue
        seen.update((entry.id, link.url or entry.id))
        entries.append(entry)
    kept = _newest(entries, context.max_entries)
    return tuple(kept), _problems(kept, left_out, dropped=len(entries) - len(kept), context=context)


def sane_date(moment: datetime | None, now: datetime) -> tuple[datetime | None, str | None]:
    """Return a publication date in UTC, or None and what is wrong with it."""
    if moment is None:
        return None, "date invalid"
    try:
        moment = moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None, "date invalid"
    if moment > now + MAX_AHEAD:
        return None, "date in the future"
    return (moment, None) if moment >= EARLIEST else (None, "date before 1990")


@dataclass(frozen=True, slots=True)
class _Link:
    url: str | None
    problem: str | None = None


def _link(raw: RawEntry, context: FeedContext) -> _Link:
    if not raw.link.strip():
        return _Link(None, "link missing")
    try:
        return _Link(canonical_url(raw.link, context.base_url))
    except ValueError:
        return _Link(None, "link invalid")


def _own_links(raw_entries: Sequence[RawEntry], links: Sequence[_Link]) -> list[_Link]:
    """Take the link away from entries that all lead to one page, which is then the article of none of them.

    Such as "/#story-1", "/#story-2", and feeds that link to their home page throughout. Two entries with one link
    are an article and its correction.
    """
    titles: dict[str | None, set[str]] = {}
    fragments: dict[str | None, set[str]] = {}
    for raw, link in zip(raw_entries, links, strict=True):
        titles.setdefault(link.url, set()).add(raw.title)
        fragments.setdefault(link.url, set()).add(raw.link.partition("#")[2])
    return [
        _Link(None, "link shared")
        if link.url
        and len(titles[link.url]) > 1
        and (len(titles[link.url]) > 2 or len(fragments[link.url]) > 1)
        else link
        for link in links
    ]


def _entry(raw: RawEntry, link: _Link, context: FeedContext, *, is_guid_shared: bool) -> Entry:
    published_at: datetime | None = None
    date_problem: str | None = "date missing"
    if raw.date_text.strip() or raw.published_at:
        published_at, date_problem = sane_date(raw.published_at, context.now)
    problems = (
        link.problem,
        date_problem,
        None if raw.title else "title missing",
        None if raw.guid else "id missing",
        "id shared" if raw.guid and is_guid_shared else None,
    )
    identity = _identity(raw, link.url, is_guid_shared=is_guid_shared)
    return Entry(
        id=content_id(context.feed_url, identity),
        feed_url=context.feed_url,
        link=link.url,
        title=raw.title[:MAX_TITLE_CHARS],
        content_html=raw.content_html or None,
        published_at=published_at,
        authors=tuple(dict.fromkeys(filter(None, map(clean_line, raw.authors))))[:MAX_AUTHORS],
        problems=tuple(filter(None, problems)),
    )


def _identity(raw: RawEntry, link: str | None, *, is_guid_shared: bool) -> str:
    if not raw.guid:
        return link or content_id(raw.title, raw.content_html)
    # A guid that stands on different articles says nothing; the link tells them apart, whichever comes first.
    return f"{raw.guid}\n{link or raw.title}" if is_guid_shared else raw.guid


def _newest(entries: list[Entry], max_entries: int) -> list[Entry]:
    """The newest entries in feed order; undated ones count as old, earlier places as newer."""
    if len(entries) <= max_entries:
        return entries
    places = sorted(
        range(len(entries)),
        key=lambda place: (-(entries[place].published_at or EARLIEST).timestamp(), place),
    )
    return [entries[place] for place in sorted(places[:max_entries])]


def _problems(
    entries: list[Entry], left_out: Counter[str], *, dropped: int, context: FeedContext
) -> tuple[str, ...]:
    counts = Counter(problem for entry in entries for problem in entry.problems) + left_out
    problems = [f"{counts[problem]} entries: {problem}" for problem in sorted(counts)]
    if dropped:
        problems.append(f"{dropped} entries past the newest {context.max_entries} left out")
    return tuple(problems)
