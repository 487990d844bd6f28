"""`tidings run`: owns the home, ticks, and answers other commands over loopback until it is told to stop.

SIGTERM and SIGINT drain: no new fetch begins, the article in hand is finished, the rest stays queued. SIGHUP reads
the list of feeds again.
"""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import uvicorn

from agent.app import open_service
from agent.errors import AgentError, ConfigError
from agent.remote import DaemonAddress, new_token, remove_address, write_address
from agent.schedule import start_ticking
from agent.serve import create_api
from agent.service import Service
from agent.settings import Settings
from kb import KBError

logger = logging.getLogger(__name__)

POLL_S = 0.2
"""How often the main thread looks for a signal's flag."""


def run_daemon(
    settings: Settings,
    home: Path,
    *,
    subscribe: Callable[[Service], object],
    announce: Callable[[str], None],
) -> None:
    """Serve `home` until SIGTERM or SIGINT.

    Args:
        settings: all of them.
        home: the folder to own.
        subscribe: reads the list of feeds into the store; called at the start and at every SIGHUP.
        announce: told once where the daemon listens.
    """
    stop, reload = threading.Event(), threading.Event()
    with _signals(stop, reload), open_service(settings, home, stop=stop) as service:
        subscribe(service)
        with _listening(service, settings, home, stop) as url:
            announce(url)
            end_ticks = start_ticking(
                lambda: _tick(service, stop),
                every_s=settings.schedule.tick_s,
                misfire_grace_s=settings.schedule.misfire_grace_s,
            )
            while not stop.wait(POLL_S):
                if reload.is_set():
                    reload.clear()
                    _reload(service, subscribe)
            end_ticks()
            _drain(service, settings.schedule.drain_s)


def _tick(service: Service, stop: threading.Event) -> None:
    """Ingest what is due; trouble is logged and left for the next tick."""
    if stop.is_set():
        return
    try:
        report = service.ingest_due()
    except (AgentError, KBError) as error:
        logger.error("tick failed", extra={"reason": str(error)})
        return
    logger.info(
        "tick done",
        extra={
            "feeds_ok": report.feeds_ok,
            "feeds_failed": report.feeds_failed,
            "articles": report.articles,
            "added": report.added,
            "seconds": report.seconds,
        },
    )


def _reload(service: Service, subscribe: Callable[[Service], object]) -> None:
    """Read the list of feeds again; a broken list leaves the old subscriptions in force."""
    try:
        subscribe(service)
        logger.info("feeds read again")
    except ConfigError as error:
        logger.error("feeds not read again", extra={"reason": str(error)})


def _drain(service: Service, drain_s: float) -> None:
    """Wait for the ingest in hand, at most `drain_s` seconds; what is left is taken up at the next start."""
    started = time.monotonic()
    drained = service.wait_until_idle(drain_s)
    logger.info(
        "drained"
        if drained
        else "stopped while still learning; the rest is taken up at the next start",
        extra={"seconds": round(time.monotonic() - started, 2)},
    )


@contextlib.contextmanager
def _signals(stop: threading.Event, reload: threading.Event) -> Iterator[None]:
    """Turn signals into flags for the time of the block."""
    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
    before = {number: signal.getsignal(number) for number in handlers}
    for number, flag in handlers.items():
        signal.signal(number, _raise_flag(flag))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_flag(flag: threading.Event) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: flag.set()


@contextlib.contextmanager
def _listening(
    service: Service, settings: Settings, home: Path, stop: threading.Event
) -> Iterator[str]:
    """Answer HTTP in a thread, and write the address into the home for the time of the block."""
    token = new_token()
    listener = socket.create_server((settings.serve.host, settings.serve.port))
    host, port = listener.getsockname()[:2]
    url = f"http://{host}:{port}"
    api = create_api(service, token=token, is_draining=stop.is_set)
    server = uvicorn.Server(uvicorn.Config(api, log_config=None, access_log=False, lifespan="off"))
    thread = threading.Thread(target=_serve, args=(server, listener), name="http", daemon=True)
    thread.start()
    write_address(home, DaemonAddress(url, token, os.getpid()))
    try:
        yield url
    finally:
        remove_address(home)
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    server.run(sockets=[listener])
