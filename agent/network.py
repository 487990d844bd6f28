"""Which addresses may be reached, and for how long: the checks that stand before every connection.

A host name is resolved once per connection; what came back is checked, and only a checked address
is handed on to be connected to, so that a name cannot point elsewhere a moment later. This module
opens no connection itself.
"""

import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agent.errors import Refused, Timeout, Unreachable

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Sequence[str]]
"""(host, port) -> numeric addresses, best first; OSError or ValueError for unknown names."""

STOP_CHECK_S = 0.25
"""How long a blocking step may run before it looks whether the program is stopping."""

MAX_ADDRESSES = 4
"""Addresses tried per host: a name with hundreds of them must not buy hundreds of attempts."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_BRACKETED = re.compile(r"\[(?P<host>[^\]]+)\](?P<prefix>/\d+)?(?::(?P<port>\d+))?")
_BARE_IPV4 = re.compile(r"(?P<host>[\d.]+)(?P<prefix>/\d+)?(?::(?P<port>\d+))?")


@dataclass(frozen=True, slots=True)
class AllowedNetwork:
    """A private network that may be fetched from all the same; `port` None means its every port."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "AllowedNetwork":
        """Read `127.0.0.0/8:8099`, `10.0.0.7`, `[::1]/128:8099`, `[::1]:8099` or `fd00::/8`.

        Raises:
            ValueError: Not such a text, host bits set, or a port out of range.
        """
        text = text.strip()
        match = _BRACKETED.fullmatch(text) or _BARE_IPV4.fullmatch(text)
        network, port = text, None
        if match:
            network = match["host"] + (match["prefix"] or "")
            port = int(match["port"]) if match["port"] else None
        if port is not None and not 0 < port < 65536:
            raise ValueError(f"{text!r}: port out of range")
        try:
            return cls(ipaddress.ip_network(network), port)
        except ValueError as exc:
            raise ValueError(f"{text!r} is no network such as 127.0.0.0/8:8099: {exc}") from exc

    def __str__(self) -> str:
        if self.port is None:
            return str(self.network)
        if self.network.version == 4:
            return f"{self.network}:{self.port}"
        host, _, prefix = str(self.network).partition("/")
        return f"[{host}]/{prefix}:{self.port}"

    def admits(self, address: IPAddress, port: int) -> bool:
        """Whether a connection to this address and port is allowed by this entry."""
        return address in self.network and self.port in (None, port)


class Deadline:
    """The time one exchange may take on the network, and the program's wish to stop."""

    def __init__(self, url: str, seconds: float, stop: threading.Event) -> None:
        self._url = url
        self._stop = stop
        self._ends_at = time.monotonic() + seconds

    def remaining_s(self) -> float:
        """Seconds left, above zero.

        Raises:
            Timeout: None are left.
            Refused: The program is stopping.
        """
        if self._stop.is_set():
            raise Refused(self._url, "stopping")
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise Timeout(self._url, "no end of it in the time allowed")
        return left


@dataclass(frozen=True, slots=True)
class Network:
    """The machine's own view of the network; tests hand in another."""

    resolve: Resolver
    ssl_context: ssl.SSLContext


def resolve_name(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host, in the order it prefers; may block for long."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def unwrap(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 one carries (mapped, 6to4, NAT64), else the address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def refusal(address: IPAddress) -> str | None:
    """Say why an address is not part of the public network; None when it is."""
    address = unwrap(address)
    kinds = (
        ("loopback", address.is_loopback),
        ("link-local", address.is_link_local),
        ("multicast", address.is_multicast),
        ("unspecified", address.is_unspecified),
        ("reserved", address.is_reserved),
        ("private", not address.is_global or getattr(address, "is_site_local", False)),
    )
    return next((f"{kind} address" for kind, holds in kinds if holds), None)


def permitted_addresses(
    url: str, found: Sequence[str], *, port: int, allowed: Sequence[AllowedNetwork]
) -> tuple[str, ...]:
    """Keep the addresses that may be connected to, in order, at most `MAX_ADDRESSES`.

    Raises:
        Refused: Addresses were found, and none of them may be.
        Unreachable: None was found.
    """
    kept: list[str] = []
    reasons: list[str] = []
    for text in found:
        address = ipaddress.ip_address(text)
        reason = refusal(address)
        if reason and not any(network.admits(unwrap(address), port) for network in allowed):
            reasons.append(reason)
        else:
            kept.append(text)
    if kept:
        return tuple(kept[:MAX_ADDRESSES])
    if reasons:
        raise Refused(url, f"{reasons[0]}, port {port}, is not allowed")
    raise Unreachable(url, "host has no address")


def look_up(
    url: str, host: str, port: int, *, resolve: Resolver, deadline: Deadline
) -> Sequence[str]:
    """Resolve within the deadline; the system's resolver knows none, so it runs in its own thread.

    Raises:
        Unreachable: The name is unknown or cannot be one.
        Timeout, Refused: See `Deadline.remaining_s`.
    """
    answers: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        answer: Sequence[str] | Exception = OSError("the resolver failed")
        try:
            answer = resolve(host, port)
        except (OSError, ValueError) as exc:  # UnicodeError, a ValueError, for labels that are none
            answer = exc
        finally:
            answers.put(answer)

    # A daemon thread: a name server that never answers must not keep the program from ending.
    threading.Thread(target=ask, name="resolve", daemon=True).start()
    while True:
        try:
            answer = answers.get(timeout=min(STOP_CHECK_S, deadline.remaining_s()))
        except queue.Empty:
            continue
        if isinstance(answer, Exception):
            raise Unreachable(url, "host name not found") from answer
        return answer


def parse_allowed_networks(texts: Iterable[str]) -> tuple[AllowedNetwork, ...]:
    """Read each text as `AllowedNetwork.parse` does.

    Raises:
        ValueError: One of them is no network.
    """
    return tuple(AllowedNetwork.parse(text) for text in texts)
