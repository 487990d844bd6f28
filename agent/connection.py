"""One GET over one checked connection: the door to httpcore, the engine inside httpx.

httpcore is used bare because it lets us stand between the name and the socket: each connection goes
to an address that was checked a moment before, TLS still sees the host's name, and every read is
held to one deadline. A connection carries one request and is closed: no cookies, no proxy, no
credentials, nothing remembered.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpcore

from agent.errors import Timeout, Unreachable
from agent.network import (
    STOP_CHECK_S,
    AllowedNetwork,
    Deadline,
    Network,
    look_up,
    permitted_addresses,
)

_REASONS = (
    (httpcore.ConnectError, "no connection"),
    (httpcore.ReadError, "connection lost"),
    (httpcore.WriteError, "connection lost"),
    (httpcore.RemoteProtocolError, "not proper HTTP"),
)


@dataclass(frozen=True, slots=True)
class Route:
    """How to get out: what may be reached and how patient each step is."""

    network: Network
    allowed: tuple[AllowedNetwork, ...]
    connect_s: float
    read_s: float


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request, ready to send. `headers` hold everything that is sent, Host included."""

    url: str  # the URL that errors name: the one asked for, however many redirects ago
    scheme: str
    host: str
    port: int
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Incoming:
    """A reply whose body has not been read.

    Header names are lower-case; values are decoded as latin-1, so that no byte is lost.
    """

    status: int
    headers: dict[str, str]
    chunks: Callable[[], Iterable[bytes]]  # the body as received, still compressed


@contextmanager
def exchange(request: Outgoing, route: Route, deadline: Deadline) -> Iterator[Incoming]:
    """Send the request and yield the reply; the connection ends with the block.

    Raises:
        Timeout, Unreachable, Refused: In the block too, while the body is read.
    """
    backend = _CheckedBackend(request.url, route, deadline)
    address = httpcore.URL(
        scheme=request.scheme, host=request.host, port=request.port, target=request.target
    )
    timeouts = {"connect": route.connect_s, "read": route.read_s, "write": route.read_s}
    try:
        with (
            httpcore.ConnectionPool(
                ssl_context=route.network.ssl_context,
                max_keepalive_connections=0,
                network_backend=backend,
            ) as pool,
            pool.stream(
                "GET", address, headers=list(request.headers), extensions={"timeout": timeouts}
            ) as response,
        ):
            yield Incoming(response.status, _joined(response.headers), response.iter_stream)
    except httpcore.TimeoutException as exc:
        raise Timeout(request.url, "no answer in time") from exc
    except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
        raise Unreachable(request.url, _reason(exc)) from exc


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses only, within the deadline of the one request it serves."""

    def __init__(self, url: str, route: Route, deadline: Deadline) -> None:
        self._url = url
        self._route = route
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - httpcore's signature; the route's is used
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        found = look_up(
            self._url, host, port, resolve=self._route.network.resolve, deadline=self._deadline
        )
        addresses = permitted_addresses(self._url, found, port=port, allowed=self._route.allowed)
        connect_by = time.monotonic() + self._route.connect_s
        failure: Exception = httpcore.ConnectTimeout()
        for i, address in enumerate(addresses):
            # Each address gets a fair share, so that a dead IPv6 route leaves time for IPv4.
            share_s = (connect_by - time.monotonic()) / (len(addresses) - i)
            if share_s <= 0:
                break
            try:
                stream = httpcore.SyncBackend().connect_tcp(
                    address, port, timeout=min(share_s, self._deadline.remaining_s())
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
            else:
                return _TimedStream(stream, self._deadline, connect_by)
        raise failure

    def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - httpcore's signature, refused whatever is given
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("not over a socket file")


class _TimedStream(httpcore.NetworkStream):
    """A stream whose reads end at the deadline, however the bytes drip, even in headers."""

    def __init__(
        self, stream: httpcore.NetworkStream, deadline: Deadline, connect_by: float
    ) -> None:
        self._stream = stream
        self._deadline = deadline
        self._connect_by = connect_by

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        idle_until = time.monotonic() + (timeout or 0.0)
        while True:
            left_s = idle_until - time.monotonic()
            if left_s <= 0:
                raise httpcore.ReadTimeout
            try:
                return self._stream.read(
                    max_bytes, timeout=min(STOP_CHECK_S, left_s, self._deadline.remaining_s())
                )
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=min(timeout or 0.0, self._deadline.remaining_s()))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: Any,  # Any: the signature of httpcore's own base class
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - connecting and TLS share one allowance
    ) -> httpcore.NetworkStream:
        left_s = min(self._connect_by - time.monotonic(), self._deadline.remaining_s())
        if left_s <= 0:
            raise httpcore.ConnectTimeout
        stream = self._stream.start_tls(ssl_context, server_hostname, timeout=left_s)
        return _TimedStream(stream, self._deadline, self._connect_by)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Join repeated headers by commas, as RFC 9110 section 5.3 says they may be."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _reason(exc: Exception) -> str:
    text = str(exc)
    if "without sending complete message body" in text or "incomplete chunked read" in text:
        return "body cut short"
    if "SSL" in text or "certificate" in text:
        return "TLS failed: " + text.rpartition("] ")[2]
    return next((reason for kind, reason in _REASONS if isinstance(exc, kind)), "connection failed")
