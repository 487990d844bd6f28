"""A small web on loopback that can misbehave: what a test asks for, and what it was asked."""

import gzip
import random
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from agent.fetch import Fetcher, FetchLimits
from agent.network import AllowedNetwork, Network, resolve_name

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DRIP_S = 0.02
LOOPBACK = (AllowedNetwork.parse("127.0.0.0/8"),)


@dataclass(frozen=True, slots=True)
class Reply:
    """An ordinary answer; `headers` are pairs, so that one may come twice."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    at: float  # time.monotonic()


@dataclass(frozen=True, slots=True)
class Raw:
    """Writes whatever it likes to `handler.wfile`; the connection ends with it."""

    write: Callable[["WebHandler"], object]


Answer = Reply | Raw | Callable[[Seen], Reply]


@dataclass
class Web:
    """One server on one port of one loopback address; use it as a context manager."""

    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    routes: dict[str, Answer] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)
    most_at_once: int = 0
    closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Web":
        handler = type("BoundHandler", (WebHandler,), {"web": self})
        self._server = _QuietServer((self.host, self.port), handler)
        self._active = 0
        self._lock = threading.Lock()
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, path: str, *, host: str | None = None) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{host or self.host}:{self.port}{path}"

    def asked(self, path: str) -> list[Seen]:
        return [seen for seen in self.requests if seen.path == path]

    @contextmanager
    def counted(self, seen: Seen) -> Iterator[None]:
        with self._lock:
            self.requests.append(seen)
            self._active += 1
            self.most_at_once = max(self.most_at_once, self._active)
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients hang up on misbehaving servers, as they should."""


class WebHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    web: Web

    def do_GET(self) -> None:
        # latin-1 both ways, as http.server reads headers: bytes are kept.
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.path, headers, time.monotonic())
        answer = self.web.routes.get(self.path.partition("?")[0], Reply(404, b"nothing here"))
        with self.web.counted(seen):
            if isinstance(answer, Raw):
                self.close_connection = True
                answer.write(self)
            else:
                self.send(answer if isinstance(answer, Reply) else answer(seen))

    def send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status != 304 and not any(n.lower() == "content-length" for n, _ in reply.headers):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.status != 304:
            self.wfile.write(reply.body)

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(NOW, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing: `Web.requests` is the log."""


# ------------------------------------------------------------------------------------- good answers
def conditional(
    body: bytes, *, etag: str | None = None, last_modified: str | None = None
) -> Answer:
    """200 with validators, and 304 to whoever sends one of them back as it was given."""
    headers = tuple(
        (name, value) for name, value in (("ETag", etag), ("Last-Modified", last_modified)) if value
    )

    def answer(seen: Seen) -> Reply:
        sent = (seen.headers.get("if-none-match"), seen.headers.get("if-modified-since"))
        is_known = (etag and sent[0] == etag) or (not etag and sent[1] == last_modified)
        return Reply(304, headers=headers) if is_known else Reply(200, body, headers)

    return answer


def redirect(to: str, status: int = 302) -> Reply:
    return Reply(status, b"", (("Location", to),))


def gzipped(body: bytes) -> Reply:
    return Reply(200, gzip.compress(body), (("Content-Encoding", "gzip"),))


@cache
def gzip_bomb(mebibytes: int) -> Reply:
    """Little to send, much to unpack."""
    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(press.compress(bytes(2**20)) for _ in range(mebibytes)) + press.flush()
    return Reply(200, body, (("Content-Encoding", "gzip"),))


# -------------------------------------------------------------------------------------- bad answers
def _head(handler: WebHandler, *lines: str) -> None:
    handler.wfile.write("\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin-1"))


@Raw
def slow_drip(handler: WebHandler) -> None:
    """A byte now and then: never idle, never finished."""
    _head(handler, "Content-Length: 100000")
    while not handler.web.closing.wait(DRIP_S):
        handler.wfile.write(b"x")


@Raw
def slow_headers(handler: WebHandler) -> None:
    """A header that never ends, a byte now and then."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.web.closing.wait(DRIP_S):
        handler.wfile.write(b"x")


@Raw
def silence(handler: WebHandler) -> None:
    """A connection taken, and not a byte."""
    handler.web.closing.wait(30)


@Raw
def endless(handler: WebHandler) -> None:
    """A body without length and without end."""
    _head(handler, "Content-Type: text/xml")
    while not handler.web.closing.is_set():
        handler.wfile.write(b"<item/>" * 9000)


@Raw
def endless_headers(handler: WebHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.web.closing.is_set():
        handler.wfile.write(b"X-More: " + b"y" * 8000 + b"\r\n")


@Raw
def short_body(handler: WebHandler) -> None:
    """Less than was promised."""
    _head(handler, "Content-Length: 1000")
    handler.wfile.write(b"half")


@Raw
def short_chunks(handler: WebHandler) -> None:
    """A chunked body whose last chunk never comes."""
    _head(handler, "Transfer-Encoding: chunked")
    handler.wfile.write(b"4\r\nhalf\r\n")


@Raw
def reset(handler: WebHandler) -> None:
    """Half a body, then a TCP reset."""
    _head(handler, "Content-Length: 1000")
    handler.wfile.write(b"half")
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.rfile.close()
    handler.connection.close()


@Raw
def hang_up(handler: WebHandler) -> None:
    """Not one byte of an answer."""


@Raw
def gibberish(handler: WebHandler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")


# ----------------------------------------------------------------------------------------- fetchers
@cache
def own_network() -> Network:
    return Network(resolve_name, httpx.create_ssl_context(trust_env=False))


def named(*addresses: str, tls: ssl.SSLContext | None = None) -> Network:
    """A network in which every name has these addresses."""
    return Network(lambda _host, _port: addresses, tls or own_network().ssl_context)


def new_fetcher(
    *,
    network: Network | None = None,
    stop: threading.Event | None = None,
    clock: Callable[[], datetime] = lambda: NOW,
    **limits: Any,
) -> Fetcher:
    """A fetcher with small bounds and no gap, allowed on loopback, other than that by `limits`."""
    small: dict[str, Any] = {
        "connect_timeout_s": 2.0,
        "read_timeout_s": 1.0,
        "total_s": 2.0,
        "max_bytes": 100_000,
        "max_decompressed_bytes": 200_000,
        "host_gap_s": 0.0,
        "allow_private": LOOPBACK,
    }
    return Fetcher(
        FetchLimits(**(small | limits)),
        clock=clock,
        random=random.Random(0),
        stop=stop,
        network=network or own_network(),
    )


def ask(
    fetcher: Fetcher, url: str, *, etag: str | None = None, last_modified: str | None = None
) -> Any:
    """Fetch as a feed; the test knows whether a page or a 304 comes back."""
    return fetcher.fetch_feed(url, etag=etag, last_modified=last_modified)
