"""When to ask again: what servers say about it in their headers, and what a feed's history says.

Pure: the present comes in as an argument, and a feed's share of chance comes from its URL.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the fetcher reads headers here without waking the store
    from kb import FeedState

MAX_RETRY_AFTER = timedelta(hours=24)
"""The longest that a server can make us wait: its slip must not silence a feed for a year."""

MAX_FRESHNESS_S = 365 * 24 * 3600.0
"""RFC 9111 knows no bound; beyond a year a number is a way of saying "for ever"."""

WEEK_S = 7 * 24 * 3600.0
SILENCE_SHARE = 0.25
"""A feed silent for a day is asked again a quarter of a day later."""

_MIN_SPAN_S = 3600.0
_NUMBER = re.compile(r"\d+(?:\.\d*)?")


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """Bounds of the time between two checks of a feed."""

    min_interval_s: float = 300.0
    """Never sooner, whatever interval the feed is given."""

    max_interval_s: float = 24 * 3600.0
    """Never later for slow or failing feeds, unless the feed's own interval is longer."""

    spread: float = 0.1
    """Share of the wait added on top, other for every feed: no two that failed meet again."""


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """Read Retry-After in either form; None without it. At most `MAX_RETRY_AFTER` ahead."""
    text = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        wait_s = float(text)
    else:
        moment = _http_date(text)
        if moment is None:
            return None
        # Against the server's own clock, where it tells it: ours may be wrong.
        wait_s = (moment - (_http_date(headers.get("date", "")) or now)).total_seconds()
    return now + timedelta(seconds=min(max(wait_s, 0.0), MAX_RETRY_AFTER.total_seconds()))


def freshness_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds for which the reply says it stays good (RFC 9111, 4.2); None when it does not say."""
    directives = _directives(headers.get("cache-control", ""))
    if "no-cache" in directives or "no-store" in directives:
        return 0.0
    max_age = directives.get("max-age", "")
    if _NUMBER.fullmatch(max_age):
        age = headers.get("age", "").strip()
        lifetime_s = float(max_age) - (float(age) if _NUMBER.fullmatch(age) else 0.0)
    elif "expires" in headers:
        expires_at = _http_date(headers["expires"])
        if expires_at is None:
            return 0.0  # RFC 9111, 5.3: a date that is none, above all "0", means already stale
        sent_at = _http_date(headers.get("date", "")) or now
        lifetime_s = (expires_at - sent_at).total_seconds()
    else:
        return None
    if lifetime_s != lifetime_s:  # inf - inf, from two absurd numbers
        return 0.0
    return min(max(lifetime_s, 0.0), MAX_FRESHNESS_S)


def entries_per_week(published: Iterable[datetime | None], now: datetime) -> float | None:
    """Estimate how many entries a feed posts in a week from the dates it shows; None without dates.

    A feed shows its latest entries only: when all are from this week, the span they cover counts.
    """
    dates = [date for date in published if date is not None and date <= now]
    if not dates:
        return None
    recent = sum((now - date).total_seconds() <= WEEK_S for date in dates)
    span_s = min((now - min(dates)).total_seconds(), WEEK_S)
    return recent * WEEK_S / max(span_s, _MIN_SPAN_S)


def next_check_at(
    policy: CheckPolicy,
    state: "FeedState",
    *,
    now: datetime,
    server_s: float | None = None,
    hold_until: datetime | None = None,
    weekly_entries: float | None = None,
) -> datetime:
    """Say when a feed is to be asked again: the longest wait anything asks for, within bounds.

    Args:
        policy: The bounds.
        state: The feed's history; `error_count` counts the failure at hand too.
        now: The moment of the check.
        server_s: The longest wait the server or the feed asks for: freshness, `ttl`.
        hold_until: The server's Retry-After: never earlier than this.
        weekly_entries: How often the feed posts, see `entries_per_week`.
    """
    own_s = max(float(state.feed.interval_s), policy.min_interval_s)
    longest_s = max(policy.max_interval_s, own_s)
    wanted_s = max(
        own_s,
        _posting_gap_s(state, now, weekly_entries, longest_s),
        server_s or 0.0,
        _back_off_s(state, own_s, longest_s),
    )
    wait_s = min(wanted_s, longest_s)
    if hold_until is not None:
        wait_s = max(
            wait_s, min((hold_until - now).total_seconds(), MAX_RETRY_AFTER.total_seconds())
        )
    return now + timedelta(seconds=wait_s * (1.0 + policy.spread * _share_of(state)))


def _posting_gap_s(
    state: "FeedState", now: datetime, weekly_entries: float | None, longest_s: float
) -> float:
    """Seconds between posts, by the feed's rate or its silence, whichever promises news sooner."""
    estimates: list[float] = []
    if weekly_entries is not None:
        estimates.append(WEEK_S / weekly_entries if weekly_entries > 0 else longest_s)
    if state.last_entry_at is not None:
        estimates.append(SILENCE_SHARE * max(0.0, (now - state.last_entry_at).total_seconds()))
    return min(estimates, default=0.0)


def _back_off_s(state: "FeedState", own_s: float, longest_s: float) -> float:
    """Double the interval with every failure in a row; the first is retried after one interval."""
    if state.error_count <= 0:
        return 0.0
    doublings = min(state.error_count - 1, 64)
    return min(own_s * float(2**doublings), longest_s)


def _share_of(state: "FeedState") -> float:
    """A feed's own number in 0..1, another after every failure: chance without dice."""
    seed = f"{state.feed.url}\n{state.error_count}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(seed).digest()[:8], "big") / 2.0**64


def _directives(text: str) -> dict[str, str]:
    """Read Cache-Control; of a directive that is given twice the first one holds."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def _http_date(text: str) -> datetime | None:
    """Read an HTTP date in any of its three forms; None when it is none."""
    try:
        date = parsedate_to_datetime(text)
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
