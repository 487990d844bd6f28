"""Shared by all tests: loopback only, no settings from outside, real data where it is given."""

import ipaddress
import os
import platform
import socket
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.embedders import HashEmbedder

LOOPBACK_NAMES = {"localhost", "", None}


class NetworkRefused(AssertionError):
    """A test tried to leave the machine."""


def pytest_report_header() -> str:
    names = ("torch", "chromadb", "sqlmodel", "feedparser", "httpx", "trafilatura")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return f"tidings {version('tidings')} on Python {platform.python_version()}: {versions}"


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection and name that leads off this machine."""
    connect, connect_ex, sendto = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.socket.sendto,
    )
    getaddrinfo = socket.getaddrinfo

    def guarded_connect(self, address):
        _refuse_outside(address)
        return connect(self, address)

    def guarded_connect_ex(self, address):
        _refuse_outside(address)
        return connect_ex(self, address)

    def guarded_sendto(self, payload, *flags_and_address):
        _refuse_outside(flags_and_address[-1])
        return sendto(self, payload, *flags_and_address)

    def guarded_getaddrinfo(host, *args, **kwargs):
        _refuse_outside((host, 0))
        return getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket.socket, "sendto", guarded_sendto)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)


def _refuse_outside(address: object) -> None:
    if not isinstance(address, tuple):  # a Unix socket's path
        return
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    if host in LOOPBACK_NAMES:
        return
    if host.endswith(".invalid"):  # RFC 6761: no such name exists, and no server need be asked
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if not _is_loopback(host):
        raise NetworkRefused(f"a test may reach loopback only, not {host}")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings out of the tests."""
    for name in list(os.environ):
        if name.startswith("TIDINGS_") and name != "TIDINGS_DATA":
            monkeypatch.delenv(name)


@pytest.fixture
def tidings_data() -> Path:
    """The folder of real data; a test that needs it is skipped where there is none."""
    named = os.environ.get("TIDINGS_DATA")
    if not named:
        pytest.skip("TIDINGS_DATA names no data folder")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip(f"TIDINGS_DATA is not a folder: {folder}")
    return folder


@pytest.fixture
def hash_embedder() -> HashEmbedder:
    return HashEmbedder()
