"""URL -> `FetchedPage` or `NotModified`: politely, within bounds, and nowhere it must not go.

Redirects are followed by hand, each hop checked like a first request. What is fetched is bytes:
nothing here reads it.
"""

import logging
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import httpx

from agent.body import ACCEPTED_CODINGS, BoundedBody
from agent.connection import Incoming, Outgoing, Route, exchange
from agent.errors import BadStatus, Gone, RateLimited, Refused, Timeout, TooLarge, Unreachable
from agent.fetch_limits import FetchLimits
from agent.fetched import FetchedPage, NotModified, charset_of, sendable_validator
from agent.freshness import retry_after
from agent.network import Deadline, Network, resolve_name
from agent.politeness import ROBOTS_MAX_BYTES, HostTurns, Pace, RobotsCache

__all__ = ["FetchLimits", "FetchedPage", "Fetcher", "NotModified"]

logger = logging.getLogger(__name__)

MAX_URL_CHARS = 8192

HOLD_WITHOUT_WORD = timedelta(seconds=60)
"""How long a host is left alone after a 429 that names no time."""

_FEED_TYPES = (
    b"application/rss+xml, application/atom+xml, application/feed+json, "
    b"application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)
_PAGE_TYPES = b"text/html, application/xhtml+xml, */*;q=0.5"
_ROBOTS_TYPES = b"text/plain, */*;q=0.5"

_BODY_STATUSES = frozenset({200, 203})
_PERMANENT = frozenset({301, 308})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]+:[0-9a-f:.]*")


@dataclass(frozen=True, slots=True)
class _Ask:
    """What is asked for, the same on every hop."""

    url: str  # as the caller gave it; errors name it
    accept: bytes
    total_s: float
    max_received: int
    max_decoded: int
    validators: tuple[tuple[bytes, bytes], ...] = ()
    obeys_robots: bool = False
    cuts_at_bound: bool = False  # keep the beginning of a body that is too large


@dataclass(frozen=True, slots=True)
class _Way:
    """How far redirects have led."""

    url: httpx.URL
    permanent_url: str | None = None  # the end of the permanent redirects at its start
    is_permanent: bool = True  # no temporary redirect so far

    def onward(self, target: httpx.URL, status: int) -> "_Way":
        is_permanent = self.is_permanent and status in _PERMANENT
        return _Way(target, str(target) if is_permanent else self.permanent_url, is_permanent)


@dataclass(frozen=True, slots=True)
class _Reply:
    """One hop's reply. `body` is read only where it is wanted."""

    status: int
    headers: dict[str, str]
    body: bytes
    received_bytes: int


class _TooManyRedirects(Refused):
    """Told apart: a robots.txt behind too many redirects counts as absent (RFC 9309, 2.3.1.2)."""


class Fetcher:
    """Fetches for all threads of a run; remembers hosts' paces, holds and robots.txt between calls.

    Args:
        limits: The bounds.
        clock: Gives the present as an aware UTC datetime.
        random: Jitter of the gaps.
        stop: Once set, waits end and everything is refused with the reason "stopping".
        network: The machine's resolver and trusted certificates by default.
    """

    def __init__(
        self,
        limits: FetchLimits,
        *,
        clock: Callable[[], datetime],
        random: random.Random,
        stop: threading.Event | None = None,
        network: Network | None = None,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._stop = stop or threading.Event()
        pace = Pace(
            limits.host_gap_s, limits.host_gap_jitter, limits.max_per_host, limits.hold_patience_s
        )
        self._turns = HostTurns(pace, clock=clock, random=random, stop=self._stop)
        self._robots = RobotsCache()
        network = network or Network(resolve_name, httpx.create_ssl_context(trust_env=False))
        self._route = Route(
            network, limits.allow_private, limits.connect_timeout_s, limits.read_timeout_s
        )
        self._count_lock = threading.Lock()
        self._received_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: no connection outlives its request."""

    @property
    def received_bytes(self) -> int:
        """Body bytes received so far, as they came, of good replies and bad."""
        return self._received_bytes

    def fetch_feed(
        self, url: str, *, etag: str | None, last_modified: str | None
    ) -> FetchedPage | NotModified:
        """Fetch a feed unless it is what the validators stand for; robots.txt is not asked.

        Raises:
            FetchError: Nothing else; see `agent.errors` for what each kind means.
        """
        validators = _validators(etag, last_modified)
        return self._follow(self._ask(url, _FEED_TYPES, validators=validators), url)

    def fetch_page(self, url: str) -> FetchedPage:
        """Fetch an article page if its site's robots.txt lets us.

        Raises:
            FetchError: Nothing else.
        """
        page = self._follow(self._ask(url, _PAGE_TYPES, obeys_robots=self._limits.obey_robots), url)
        assert isinstance(page, FetchedPage)  # without validators, a 304 is a BadStatus
        return page

    def _ask(
        self,
        url: str,
        accept: bytes,
        *,
        validators: tuple[tuple[bytes, bytes], ...] = (),
        obeys_robots: bool = False,
    ) -> _Ask:
        limits = self._limits
        return _Ask(
            url=url,
            accept=accept,
            total_s=limits.total_s,
            max_received=limits.max_bytes,
            max_decoded=limits.max_decompressed_bytes,
            validators=validators,
            obeys_robots=obeys_robots,
        )

    def _follow(self, ask: _Ask, start: str) -> FetchedPage | NotModified:
        """Make the first request and follow where it leads, each hop checked like the first."""
        way, left_s = _Way(_checked_url(ask, start)), ask.total_s
        for _ in range(self._limits.max_redirects + 1):
            if ask.obeys_robots:
                self._ask_robots(ask, way.url)
            with self._turns.turn(_host_key(way.url), url=ask.url):
                started = time.monotonic()
                reply = self._get(ask, way.url, left_s)
                left_s -= time.monotonic() - started
            logger.debug("asked", extra={"url": str(way.url), "status": reply.status})
            location = reply.headers.get("location")
            if reply.status not in _REDIRECTS or location is None:
                return self._result(ask, way, reply)
            way = way.onward(_checked_url(ask, location, base=way.url), reply.status)
        raise _TooManyRedirects(ask.url, f"more than {self._limits.max_redirects} redirects")

    def _get(self, ask: _Ask, current: httpx.URL, seconds: float) -> _Reply:
        deadline = Deadline(ask.url, seconds, self._stop)
        with exchange(self._outgoing(ask, current), self._route, deadline) as incoming:
            if incoming.status not in _BODY_STATUSES:
                return _Reply(incoming.status, incoming.headers, b"", 0)
            body = BoundedBody(
                ask.url,
                incoming.headers.get("content-encoding", ""),
                max_received=ask.max_received,
                max_decoded=ask.max_decoded,
            )
            try:
                content = _read(body, incoming, ask, deadline)
            finally:
                with self._count_lock:
                    self._received_bytes += body.received_bytes
            return _Reply(incoming.status, incoming.headers, content, body.received_bytes)

    def _outgoing(self, ask: _Ask, current: httpx.URL) -> Outgoing:
        headers = (
            (b"Host", current.netloc),
            (b"User-Agent", self._limits.user_agent.encode("ascii")),
            (b"Accept", ask.accept),
            (b"Accept-Encoding", ACCEPTED_CODINGS.encode("ascii")),
            (b"Connection", b"close"),
            *ask.validators,
        )
        host = current.raw_host.decode("ascii")
        return Outgoing(ask.url, current.scheme, host, _port(current), current.raw_path, headers)

    def _result(self, ask: _Ask, way: _Way, reply: _Reply) -> FetchedPage | NotModified:
        now, headers, url = self._clock(), reply.headers, str(way.url)
        if reply.status in _BODY_STATUSES:
            content_type = headers.get("content-type", "")
            return FetchedPage(
                url=url,
                body=reply.body,
                content_type=content_type,
                charset=charset_of(content_type),
                headers=headers,
                etag=sendable_validator(headers.get("etag")),
                last_modified=sendable_validator(headers.get("last-modified")),
                permanent_url=way.permanent_url,
                fetched_at=now,
                received_bytes=reply.received_bytes,
            )
        if reply.status == 304 and ask.validators:
            return NotModified(url, headers, way.permanent_url, now)
        if reply.status in (429, 503):
            raise self._rate_limited(ask, way.url, reply, now)
        # A 410 behind a temporary redirect says nothing for good about the address we know.
        if reply.status == 410 and way.is_permanent:
            raise Gone(ask.url)
        raise BadStatus(ask.url, reply.status)

    def _rate_limited(
        self, ask: _Ask, current: httpx.URL, reply: _Reply, now: datetime
    ) -> RateLimited:
        """Hold the host for every thread, and say until when."""
        retry_at = retry_after(reply.headers, now)
        if retry_at is not None:
            self._turns.hold(_host_key(current), retry_at, status=reply.status)
        elif reply.status == 429:
            self._turns.hold(_host_key(current), now + HOLD_WITHOUT_WORD, status=reply.status)
        return RateLimited(ask.url, reply.status, retry_at)

    def _ask_robots(self, ask: _Ask, current: httpx.URL) -> None:
        """Let the page pass, or refuse it, by the robots.txt of its site."""
        site = f"{current.scheme}://{current.netloc.decode('ascii')}"
        rules = self._robots.rules_for(
            site, now=self._clock(), load=lambda: self._load_robots(ask.url, site)
        )
        if rules is None:
            raise Unreachable(ask.url, "robots.txt cannot be had, leaving the site alone for now")
        if rules.crawl_delay_s is not None:
            gap_s = min(rules.crawl_delay_s, self._limits.max_crawl_delay_s)
            self._turns.slow_down(_host_key(current), gap_s)
        if not rules.allows(str(current)):
            raise Refused(ask.url, "disallowed by robots.txt")

    def _load_robots(self, url: str, site: str) -> bytes | None:
        """Fetch a robots.txt: b"" where there is none, None where nobody can tell."""
        ask = _Ask(
            url=url,
            accept=_ROBOTS_TYPES,
            total_s=self._limits.total_s,
            max_received=ROBOTS_MAX_BYTES,
            max_decoded=ROBOTS_MAX_BYTES,
            cuts_at_bound=True,
        )
        try:
            page = self._follow(ask, site + "/robots.txt")
        except _TooManyRedirects:
            return b""
        except BadStatus as error:
            return None if error.status >= 500 else b""
        except RateLimited as error:
            if error.retry_at is not None:
                raise
            return None
        except (Timeout, Unreachable):
            return None
        assert isinstance(page, FetchedPage)  # asked without validators
        return page.body


def _read(body: BoundedBody, incoming: Incoming, ask: _Ask, deadline: Deadline) -> bytes:
    """Read the whole body, or its beginning where that is enough."""
    promised = incoming.headers.get("content-length", "")
    if promised.isdecimal() and float(promised) > ask.max_received and not ask.cuts_at_bound:
        raise TooLarge(ask.url, f"more than {ask.max_received} bytes promised")
    try:
        for chunk in incoming.chunks():
            body.add(chunk)
            deadline.remaining_s()
    except TooLarge:
        if not ask.cuts_at_bound:
            raise
        return body.content
    return body.finish()


def _checked_url(ask: _Ask, text: str, base: httpx.URL | None = None) -> httpx.URL:
    """Read a URL, relative to `base` where one is given; the address is checked when it is known.

    Raises:
        Refused: It is no http(s) URL, or one that we do not follow.
    """
    if len(text) > MAX_URL_CHARS:
        raise Refused(ask.url, f"URL of more than {MAX_URL_CHARS} characters")
    try:
        # A Location in raw UTF-8 came in as latin-1.
        url = (
            base.join(text.encode("latin-1").decode("utf-8", "replace"))
            if base
            else httpx.URL(text)
        )
        url = url.copy_with(fragment=None)
        host = url.raw_host.decode("ascii")
    except (httpx.InvalidURL, ValueError) as exc:  # UnicodeError and IDNAError are ValueErrors
        raise Refused(ask.url, "no proper URL") from exc
    if url.scheme not in ("http", "https"):
        raise Refused(ask.url, f"scheme {url.scheme[:20]!r} is not http or https")
    if url.userinfo:
        raise Refused(ask.url, "URL with user name or password")
    if not _HOST_NAME.fullmatch(host) or len(host) > 253:
        raise Refused(ask.url, "no proper host name")
    if not 0 < _port(url) < 65536:
        raise Refused(ask.url, "port out of range")
    return url


def _port(url: httpx.URL) -> int:
    return url.port if url.port is not None else {"http": 80, "https": 443}[url.scheme]


def _host_key(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").rstrip(".")


def _validators(etag: str | None, last_modified: str | None) -> tuple[tuple[bytes, bytes], ...]:
    """Put stored validators into headers byte for byte; one that could not be sent is left out."""
    given = ((b"If-None-Match", etag), (b"If-Modified-Since", last_modified))
    return tuple(
        (name, kept.encode("latin-1"))
        for name, value in given
        if (kept := sendable_validator(value))
    )
