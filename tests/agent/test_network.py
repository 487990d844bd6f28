"""Which addresses count as public, and what a setting may open."""

import ipaddress
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import Refused, Timeout, Unreachable
from agent.network import (
    MAX_ADDRESSES,
    AllowedNetwork,
    Deadline,
    look_up,
    parse_allowed_networks,
    permitted_addresses,
    refusal,
)

URL = "http://news.example/"


@pytest.mark.parametrize(
    ("text", "network", "port"),
    [
        ("127.0.0.0/8:8099", "127.0.0.0/8", 8099),
        ("127.0.0.0/8", "127.0.0.0/8", None),
        ("10.0.0.7", "10.0.0.7/32", None),
        (" 10.0.0.7:80 ", "10.0.0.7/32", 80),
        ("[::1]/128:8099", "::1/128", 8099),
        ("[::1]:8099", "::1/128", 8099),
        ("[fd00::]/8", "fd00::/8", None),
        ("fd00::/8", "fd00::/8", None),
        ("::1", "::1/128", None),
        ("0.0.0.0/0", "0.0.0.0/0", None),
    ],
)
def test_a_network_and_port_is_read(text, network, port):
    assert AllowedNetwork.parse(text) == AllowedNetwork(ipaddress.ip_network(network), port)


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "localhost:80", "127.0.0.1/8", "127.0.0.0/33", "1.2.3", "10.0.0.0/8:0",
     "10.0.0.0/8:65536", "10.0.0.0/8:http", "10.0.0.0/8:", "[::1", "[10.0.0.0]/8:80:90", "::1]:80",
     "10.0.0.0/8,10.1.0.0/16"],
)  # fmt: skip
def test_what_is_no_network_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"network|port out of range"):
        AllowedNetwork.parse(text)


@given(st.ip_addresses(), st.integers(0, 32), st.none() | st.integers(1, 65535))
def test_what_is_written_can_be_read_again(address, prefix, port):
    allowed = AllowedNetwork(ipaddress.ip_network((address, prefix), strict=False), port)
    assert AllowedNetwork.parse(str(allowed)) == allowed


def test_a_list_is_read_entry_by_entry():
    first, second = parse_allowed_networks(["10.0.0.0/8:80", "::1"])
    assert (str(first), str(second)) == ("10.0.0.0/8:80", "::1/128")


# ---------------------------------------------------------------------------------------- addresses
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:7f00:1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("::ffff:192.168.0.1", "private"),
        ("64:ff9b::a00:1", "private"),
        ("100.64.0.1", "private"),
        ("100.127.255.255", "private"),
        ("192.0.0.1", "private"),
        ("192.0.2.1", "private"),
        ("198.18.0.1", "private"),
        ("198.51.100.1", "private"),
        ("203.0.113.1", "private"),
        ("0.1.2.3", "private"),
        ("fc00::1", "private"),
        ("fdff::1", "private"),
        ("2001:db8::1", "private"),
        ("2001::1", "private"),
        ("fec0::1", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::7f00:1", "reserved"),
    ],
)
def test_special_addresses_are_refused_by_their_kind(address, reason):
    assert refusal(ipaddress.ip_address(address)) == f"{reason} address"


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"],
)
def test_public_addresses_pass(address):
    assert refusal(ipaddress.ip_address(address)) is None


@given(st.ip_addresses(v=4))
def test_wrapping_an_address_changes_nothing(address):
    plain = refusal(address)
    assert refusal(ipaddress.IPv6Address(f"::ffff:{address}")) == plain
    assert (
        refusal(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address)))
        == plain
    )


def test_an_allowed_network_opens_its_own_port_only():
    allowed = parse_allowed_networks(["127.0.0.0/8:8099"])
    assert permitted_addresses(URL, ["127.0.0.1"], port=8099, allowed=allowed) == ("127.0.0.1",)
    mapped = permitted_addresses(URL, ["::ffff:127.0.0.1"], port=8099, allowed=allowed)
    assert mapped == ("::ffff:127.0.0.1",)
    for address, port in (("127.0.0.1", 8098), ("10.0.0.1", 8099), ("::1", 8099)):
        with pytest.raises(Refused, match=f"port {port}, is not allowed"):
            permitted_addresses(URL, [address], port=port, allowed=allowed)


def test_only_permitted_addresses_are_kept_in_order_and_a_few_of_them():
    found = ["10.0.0.1", "1.1.1.1", "127.0.0.1", "2606:4700::1"]
    assert permitted_addresses(URL, found, port=80, allowed=()) == ("1.1.1.1", "2606:4700::1")
    many = [f"1.1.1.{i}" for i in range(200)]
    assert permitted_addresses(URL, many, port=80, allowed=()) == tuple(many[:MAX_ADDRESSES])


def test_a_name_without_addresses_is_unreachable():
    with pytest.raises(Unreachable, match="no address"):
        permitted_addresses(URL, [], port=80, allowed=())


# ------------------------------------------------------------------------------ names and deadlines
def deadline(seconds=5.0, *, stop=None):
    return Deadline(URL, seconds, stop or threading.Event())


def test_a_name_is_looked_up():
    found = look_up(URL, "a.example", 80, resolve=lambda *asked: [str(asked)], deadline=deadline())
    assert found == ["('a.example', 80)"]


@pytest.mark.parametrize("failure", [OSError("no such name"), UnicodeError("label too long")])
def test_a_name_that_cannot_be_looked_up_is_unreachable(failure):
    def resolve(host, port):
        raise failure

    with pytest.raises(Unreachable, match="host name not found"):
        look_up(URL, "a.example", 80, resolve=resolve, deadline=deadline())


def test_looking_up_ends_with_the_deadline_and_with_the_program():
    release = threading.Event()

    def resolve(host, port):
        release.wait(30)
        return []

    with pytest.raises(Timeout):
        look_up(URL, "a.example", 80, resolve=resolve, deadline=deadline(0.05))
    stop = threading.Event()
    stop.set()
    with pytest.raises(Refused, match="stopping"):
        look_up(URL, "a.example", 80, resolve=resolve, deadline=deadline(stop=stop))
    release.set()


def test_a_deadline_without_time_has_passed():
    assert deadline().remaining_s() > 0
    for seconds in (0.0, -1.0):
        with pytest.raises(Timeout):
            deadline(seconds).remaining_s()
