"""The suite's own promise: no test leaves the machine."""

import os
import socket

import pytest

from tests.conftest import NetworkRefused


@pytest.mark.parametrize("host", ["10.0.0.1", "192.0.2.1", "2001:db8::1", "example.org"])
def test_connections_off_the_machine_are_refused(host):
    with pytest.raises(NetworkRefused, match=host):
        socket.create_connection((host, 80), timeout=1)


def test_datagrams_off_the_machine_are_refused():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        pytest.raises(NetworkRefused),
    ):
        sender.sendto(b"?", ("192.0.2.1", 53))


def test_reserved_names_do_not_resolve():
    with pytest.raises(socket.gaierror):
        socket.create_connection(("newsroom.invalid", 80), timeout=1)


def test_loopback_is_reached():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), timeout=5) as caller,
    ):
        assert caller.getpeername() == listener.getsockname()


def test_settings_of_the_developer_do_not_reach_a_test():
    assert {name for name in os.environ if name.startswith("TIDINGS_")} <= {"TIDINGS_DATA"}
