"""Good manners towards hosts, shared by every thread: gaps, caps, holds, and robots.txt.

The key of a gap, a cap and a hold is the host's name (or address), whatever the port. Nothing here
uses the network.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from protego import Protego

from agent.errors import RateLimited, Refused
from agent.freshness import MAX_RETRY_AFTER

ROBOTS_TOKEN = "tidings"
"""The name by which robots.txt may speak to us."""

ROBOTS_MAX_BYTES = 500 * 1024
"""RFC 9309, 2.5: at least this much is read; what lies beyond is ignored."""

ROBOTS_LIFETIME = timedelta(hours=24)
"""RFC 9309, 2.4: a cached robots.txt should not be used for longer."""

ROBOTS_RETRY = timedelta(minutes=10)
"""How long a site whose robots.txt cannot be had is left alone before it is asked again."""

MAX_HOSTS = 10_000
"""Hosts remembered; beyond that the idle ones, or the oldest rules, are forgotten."""

_TURN_CHECK_S = 0.1
_USER_AGENT_LINE = re.compile(r"\s*user(?:-|\s*)agent\s*[:\s]\s*(?P<value>[^#]*)", re.IGNORECASE)
_PRODUCT_TOKEN = re.compile(r"[a-z_-]+")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one host may be asked."""

    gap_s: float  # from the start of one request to the start of the next
    gap_jitter: float  # up to this share of the gap is added at random
    max_per_host: int  # requests under way at once
    patience_s: float  # a hold that ends this soon is waited for; a longer one is an error at once


@dataclass(slots=True)
class _Host:
    gap_s: float
    last_start: float = float(
        "-inf"
    )  # of the latest turn given, perhaps yet to come; monotonic clock
    stretch: float = 1.0  # what chance makes of the gap that follows it
    active: int = 0
    held_until: datetime | None = None
    held_by_status: int = 429

    @property
    def free_at(self) -> float:
        return self.last_start + self.gap_s * self.stretch


class HostTurns:
    """Gives each thread its turn at a host."""

    def __init__(
        self,
        pace: Pace,
        *,
        clock: Callable[[], datetime],
        random: random.Random,
        stop: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pace = pace
        self._clock = clock
        self._random = random
        self._stop = stop
        self._monotonic = monotonic
        self._hosts: dict[str, _Host] = {}
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, host: str, *, url: str) -> Iterator[None]:
        """Wait for this host's turn and keep its place for the length of the block.

        Raises:
            RateLimited: The host asked to be left alone for longer than our patience.
            Refused: The program is stopping.
        """
        known = self._enter(host, url)
        try:
            self._wait(known, url)
            yield
        finally:
            with self._changed:
                known.active -= 1
                self._changed.notify_all()

    def hold(self, host: str, until: datetime, *, status: int) -> None:
        """Leave the host alone until then; an earlier hold that lasts longer stays."""
        with self._changed:
            known = self._known(host)
            if known.held_until is None or known.held_until < until:
                known.held_until, known.held_by_status = until, status

    def slow_down(self, host: str, gap_s: float) -> None:
        """Leave at least this gap between requests to the host from now on."""
        with self._changed:
            known = self._known(host)
            known.gap_s = max(known.gap_s, gap_s)

    def _enter(self, host: str, url: str) -> _Host:
        with self._changed:
            known = self._known(host)
            while True:
                self._refuse_when_held(known, url)
                if known.active < self._pace.max_per_host:
                    break
                self._changed.wait(_TURN_CHECK_S)
                self._refuse_when_stopping(url)
            known.active += 1
            return known

    def _wait(self, known: _Host, url: str) -> None:
        while True:
            wait_s = self._reserve(known) - self._monotonic()
            self._refuse_when_stopping(url)
            if wait_s > 0 and self._stop.wait(wait_s):
                raise Refused(url, "stopping")
            self._refuse_when_held(known, url)  # a hold may have come while we waited
            if self._hold_left_s(known) <= 0:
                return

    def _reserve(self, known: _Host) -> float:
        """Take the host's next free moment, so that those who wait line up instead of racing."""
        with self._changed:
            held_s = min(self._hold_left_s(known), self._pace.patience_s)
            start = max(self._monotonic() + held_s, known.free_at)
            known.last_start = start
            known.stretch = 1.0 + self._pace.gap_jitter * self._random.random()
            return start

    def _refuse_when_held(self, known: _Host, url: str) -> None:
        if self._hold_left_s(known) > self._pace.patience_s:
            raise RateLimited(url, known.held_by_status, known.held_until)

    def _refuse_when_stopping(self, url: str) -> None:
        if self._stop.is_set():
            raise Refused(url, "stopping")

    def _hold_left_s(self, known: _Host) -> float:
        if known.held_until is None:
            return 0.0
        left = known.held_until - self._clock()
        if left > MAX_RETRY_AFTER:  # the wall clock was set back: nobody asked for this long
            return 0.0
        return max(0.0, left.total_seconds())

    def _known(self, host: str) -> _Host:
        if host not in self._hosts and len(self._hosts) >= MAX_HOSTS:
            self._forget_idle()
        return self._hosts.setdefault(host, _Host(self._pace.gap_s))

    def _forget_idle(self) -> None:
        now = self._monotonic()
        self._hosts = {
            name: known
            for name, known in self._hosts.items()
            if known.active or known.free_at > now or self._hold_left_s(known) > 0
        }


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What one robots.txt says to us."""

    crawl_delay_s: float | None
    _rules: Protego

    @classmethod
    def parse(cls, body: bytes) -> "RobotsRules":
        """Read a robots.txt, whatever it holds: text that says nothing forbids nothing."""
        rules = Protego.parse(_for_us(body.decode("utf-8", "replace").removeprefix("\ufeff")))
        return cls(rules.crawl_delay(ROBOTS_TOKEN), rules)

    def allows(self, url: str) -> bool:
        """Whether this URL, on the site of this robots.txt, may be fetched."""
        return bool(self._rules.can_fetch(url, ROBOTS_TOKEN))


def _for_us(text: str) -> str:
    """Name every agent but ours and `*` alike.

    protego stores every rule once for each agent of its group: thousands of invented agents in one
    hostile file would otherwise fill the memory. It also makes our name match as a whole (RFC 9309,
    2.2.1), never by a part of it.
    """
    lines = []
    for line in text.splitlines():
        match = _USER_AGENT_LINE.match(line)
        if match:
            value = match["value"].strip().lower()
            token = _PRODUCT_TOKEN.match(value)
            is_ours = token is not None and token[0] == ROBOTS_TOKEN
            agent = "*" if value == "*" else ROBOTS_TOKEN if is_ours else "other"
            lines.append(f"User-agent: {agent}")
        else:
            lines.append(line)
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Cached:
    rules: RobotsRules | None
    good_until: datetime


class RobotsCache:
    """The robots.txt of each site, asked for once however many threads need it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cached: dict[str, _Cached] = {}
        self._loading: dict[str, threading.Lock] = {}

    def rules_for(
        self, site: str, *, now: datetime, load: Callable[[], bytes | None]
    ) -> RobotsRules | None:
        """Return the site's rules, or None: it cannot say, and is to be left alone for a while.

        Args:
            site: Scheme, host and port.
            now: The present; a remembered answer has an end.
            load: Brings the text, b"" where there is none, None where it cannot be had. What it
                raises is passed on, and nothing is remembered.
        """
        with self._lock:
            loading = self._loading.setdefault(site, threading.Lock())
        with loading:
            cached = self._cached.get(site)
            if cached is None or not now < cached.good_until <= now + ROBOTS_LIFETIME:
                cached = self._remember(site, now, load())
            return cached.rules

    def _remember(self, site: str, now: datetime, body: bytes | None) -> _Cached:
        if body is None:
            cached = _Cached(None, now + ROBOTS_RETRY)
        else:
            cached = _Cached(RobotsRules.parse(body), now + ROBOTS_LIFETIME)
        with self._lock:
            while len(self._cached) >= MAX_HOSTS:
                oldest = next(iter(self._cached))
                del self._cached[oldest]
                self._loading.pop(oldest, None)
            self._cached[site] = cached
        return cached
