"""Puts the parts together: the only file that knows the settings, the model, the store and the network at once."""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import platformdirs

from agent.collect import Collector
from agent.errors import ConfigError
from agent.fetch import Fetcher
from agent.fetch_limits import FetchLimits
from agent.freshness import CheckPolicy
from agent.judgement import load_judgement
from agent.network import AllowedNetwork
from agent.service import Service
from agent.settings import FetchSettings, ScheduleSettings, Settings
from kb import HomeLock, KnowledgeBase

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The wall clock; everything else is handed its time."""
    return datetime.now(UTC)


def home_folder(settings: Settings, flag: Path | None) -> Path:
    """The home: `--home`, else TIDINGS_HOME, else the user's data folder of this platform."""
    return (flag or settings.home or platformdirs.user_data_path("tidings")).expanduser().resolve()


@contextmanager
def open_service(settings: Settings, home: Path, *, stop: Event | None = None) -> Iterator[Service]:
    """Take the home's lock, open its store with the shipped model, and give the commands over it.

    Raises:
        StoreBusy: another process owns the home.
        StoreError, MigrationError: the store cannot be opened.
        ModelError, ConfigError: the weights cannot be loaded.
    """
    stop = stop or Event()
    with HomeLock(home, wait_s=settings.kb.lock_wait_s), new_collector(settings, stop) as collector:
        judgement = load_judgement(settings)
        kb = KnowledgeBase.open(
            home,
            judgement.reading.embedder,
            judgement.answerability,
            rereader=judgement.rereader,
            recall=judgement.recall,
            database_url=settings.kb.database_url,
            chroma_url=settings.kb.chroma_url,
        )
        try:
            yield Service(kb, judgement, settings, home=home, collector=collector)
        finally:
            kb.close()


@contextmanager
def new_collector(settings: Settings, stop: Event) -> Iterator[Collector]:
    """A collector with its own connections and politeness, closed at the end."""
    fetcher = Fetcher(
        fetch_limits(settings.fetch), clock=utc_now, random=random.Random(), stop=stop
    )
    with fetcher:
        yield Collector(
            fetcher=fetcher,
            clock=utc_now,
            policy=check_policy(settings.schedule),
            max_parallel=settings.fetch.max_parallel,
            max_entries=settings.fetch.max_entries,
            stop=stop,
        )


def fetch_limits(settings: FetchSettings) -> FetchLimits:
    """The fetcher's bounds, as the user set them.

    Raises:
        ConfigError: an entry of `allow_private` is no network.
    """
    try:
        allowed = tuple(AllowedNetwork.parse(text) for text in settings.allow_private)
    except ValueError as exc:
        raise ConfigError(f"TIDINGS_FETCH__ALLOW_PRIVATE: {exc}") from exc
    return FetchLimits(
        connect_timeout_s=settings.connect_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        total_s=settings.total_s,
        max_bytes=settings.max_bytes,
        max_decompressed_bytes=settings.max_decompressed_bytes,
        max_redirects=settings.max_redirects,
        user_agent=settings.identity,
        host_gap_s=settings.host_gap_s,
        host_gap_jitter=settings.host_gap_jitter,
        max_per_host=settings.max_per_host,
        max_crawl_delay_s=settings.max_crawl_delay_s,
        hold_patience_s=settings.hold_patience_s,
        allow_private=allowed,
        obey_robots=settings.obey_robots,
    )


def check_policy(settings: ScheduleSettings) -> CheckPolicy:
    """The bounds of a feed's interval, as the user set them."""
    return CheckPolicy(
        min_interval_s=settings.min_interval_s,
        max_interval_s=settings.max_interval_s,
        spread=settings.interval_jitter,
    )
