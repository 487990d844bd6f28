"""Servers and URLs that mean ill: every one ends as an error of our own, within its bounds."""

import gzip
import socket
import ssl
import time
import tracemalloc
import zlib
from functools import partial

import pytest
import trustme
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.errors import FetchError, Refused, Timeout, TooLarge, Unreachable
from agent.network import AllowedNetwork, Network
from tests.agent import web as bad
from tests.agent.web import Reply, Web, ask, named, new_fetcher, redirect

TOTAL_S = 0.6


@pytest.fixture
def web():
    with Web() as web:
        yield web


def fetch(url, **limits):
    return ask(new_fetcher(**limits), url)


# ------------------------------------------------------------------------------------ size and time
@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (bad.slow_drip, Timeout, "time allowed"),
        (bad.slow_headers, Timeout, "time allowed"),
        (bad.silence, Timeout, "in time"),
        (bad.endless, TooLarge, "bytes sent"),
        (bad.endless_headers, Unreachable, "not proper HTTP"),
        (bad.short_body, Unreachable, "body cut short"),
        (bad.short_chunks, Unreachable, "body cut short"),
        (bad.reset, Unreachable, "connection lost"),
        (bad.hang_up, Unreachable, "not proper HTTP"),
        (bad.gibberish, Unreachable, "not proper HTTP"),
        (bad.gzip_bomb(8), TooLarge, "once decompressed"),
        (Reply(200, b"x" * 100_001), TooLarge, "bytes promised"),
        (Reply(200, b"", (("Content-Length", "9" * 19),)), TooLarge, "bytes promised"),
        (Reply(200, b"x", (("Content-Length", "-1"),)), Unreachable, "not proper HTTP"),
        (Reply(200, b"x", (("Content-Encoding", "br"),)), Refused, "content coding 'br'"),
        (Reply(200, b"x", (("Content-Encoding", "gzip, gzip"),)), Refused, "content coding"),
        (Reply(200, b"plain", (("Content-Encoding", "gzip"),)), Unreachable, "broken gzip"),
        (
            Reply(200, gzip.compress(b"news" * 99)[:-9], (("Content-Encoding", "gzip"),)),
            Unreachable,
            "body cut short",
        ),
    ],
)
def test_a_bad_body_ends_as_its_own_error_in_time(web, answer, error, reason):
    web.routes["/a"] = answer
    started = time.monotonic()
    with pytest.raises(error, match=reason) as caught:
        fetch(web.url("/a"), total_s=TOTAL_S, read_timeout_s=TOTAL_S / 2)
    assert time.monotonic() - started < TOTAL_S + 3
    assert caught.value.url == web.url("/a")


def test_the_time_allowed_covers_all_hops(web):
    def late(seen):
        web.closing.wait(0.25)
        return redirect(seen.path + "x")

    web.routes |= {"/" + "x" * i: late for i in range(6)}
    with pytest.raises(Timeout):
        fetch(web.url("/"), total_s=TOTAL_S)
    assert len(web.requests) < 6


def test_a_bomb_does_not_expand_in_memory(web):
    web.routes["/a"] = bad.gzip_bomb(64)
    tracemalloc.start()
    with pytest.raises(TooLarge):
        fetch(web.url("/a"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 2**20


def test_a_body_of_exactly_the_bound_is_taken(web):
    web.routes |= {"/a": Reply(200, b"x" * 100_000), "/b": bad.gzipped(b"y" * 200_000)}
    assert len(fetch(web.url("/a")).body) == 100_000
    assert len(fetch(web.url("/b")).body) == 200_000


@pytest.mark.parametrize("coding", ["deflate", "Deflate", "raw deflate", "x-gzip", "identity", ""])
def test_codings_in_use_are_understood(web, coding):
    text = b"<rss/>" * 100
    packed = {
        "deflate": zlib.compress(text),
        "raw deflate": zlib.compress(text)[2:-4],
        "x-gzip": gzip.compress(text),
    }.get(coding.lower(), text)
    header = (("Content-Encoding", coding.removeprefix("raw ")),) if coding else ()
    web.routes["/a"] = Reply(200, packed, header)
    assert fetch(web.url("/a")).body == text


# ---------------------------------------------------------------------------------------- addresses
@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:70/",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://user:secret@127.0.0.1/",
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://a%00b/",
        "//",
    ],
)
def test_a_redirect_to_no_proper_place_is_refused(web, location):
    web.routes["/a"] = redirect(location)
    with pytest.raises(Refused):
        fetch(web.url("/a"))


@pytest.mark.parametrize("fetch_kind", ["feed", "page"])
def test_a_redirect_to_another_port_of_this_machine_is_refused(web, fetch_kind):
    with Web() as canary:
        web.routes["/a"] = redirect(canary.url("/admin"))
        fetcher = new_fetcher(allow_private=(AllowedNetwork.parse(f"127.0.0.0/8:{web.port}"),))
        fetch_it = fetcher.fetch_page if fetch_kind == "page" else partial(ask, fetcher)
        with pytest.raises(Refused, match="loopback address"):
            fetch_it(web.url("/a"))
        assert not canary.requests
    assert web.asked("/a")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
)
def test_this_machine_is_not_reached_under_any_name(web, host):
    with pytest.raises(Refused, match="loopback address"):
        fetch(web.url("/a", host=host), allow_private=())
    assert not web.requests


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "0"])
def test_this_machine_is_not_reached_under_any_number(web, host):
    def system(host, port):  # how the system's resolver reads numbers
        return [socket.inet_ntoa(socket.inet_aton(host))]

    network = Network(system, bad.own_network().ssl_context)
    with pytest.raises(Refused):
        fetch(web.url("/a", host=host), network=network, allow_private=())
    assert not web.requests


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "169.254.169.254", "100.64.0.1", "fe80::1", "::ffff:192.168.1.1"]
)
def test_a_public_name_with_a_private_address_is_refused(address):
    with pytest.raises(Refused, match="is not allowed"):
        fetch("http://innocent.example/", network=named(address))


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(web):
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    web.routes["/a"] = Reply(200, b"checked")
    network = Network(rebinding, bad.own_network().ssl_context)
    only = (AllowedNetwork.parse(f"127.0.0.1/32:{web.port}"),)
    url = web.url("/a", host="rebind.example")
    assert fetch(url, network=network, allow_private=only).body == b"checked"
    assert asked == ["rebind.example"]
    with pytest.raises(Refused):  # the next connection is checked anew
        fetch(url, network=network, allow_private=only)


def test_forbidden_addresses_among_permitted_ones_are_passed_over(web):
    web.routes["/a"] = Reply(200, b"x")
    only = (AllowedNetwork.parse(f"127.0.0.1:{web.port}"),)
    network = named("10.0.0.1", "127.0.0.7", "127.0.0.1")
    assert fetch(web.url("/a", host="mixed.example"), network=network, allow_private=only).body


def test_the_next_address_is_tried_when_one_is_dead(web):
    web.routes["/a"] = Reply(200, b"x")
    network = named("127.0.0.9", "127.0.0.1")  # nobody listens on the first
    assert fetch(web.url("/a", host="two.example"), network=network).body == b"x"


def test_a_resolver_that_never_answers_ends_in_time(web):
    def hanging(host, port):
        web.closing.wait(30)
        return []

    network = Network(hanging, bad.own_network().ssl_context)
    with pytest.raises(Timeout):
        fetch("http://slow.example/", network=network, total_s=TOTAL_S)


# ---------------------------------------------------------------------------------------------- TLS
@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def serving(authority, *names):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_tls_is_checked_against_the_name_though_the_address_is_pinned(authority):
    network = named("127.0.0.1", tls=trusting(authority))
    with Web(tls=serving(authority, "news.example")) as web:
        web.routes["/a"] = Reply(200, b"secret")
        assert fetch(web.url("/a", host="news.example"), network=network).body == b"secret"
        with pytest.raises(Unreachable, match="TLS failed"):
            fetch(web.url("/a", host="other.example"), network=network)


def test_a_pause_in_tls_is_waited_for(authority):
    def late(seen):
        server.closing.wait(0.4)  # longer than the fetcher reads in one go
        return Reply(200, b"late")

    with Web(tls=serving(authority, "news.example")) as server:
        server.routes["/a"] = late
        network = named("127.0.0.1", tls=trusting(authority))
        assert fetch(server.url("/a", host="news.example"), network=network).body == b"late"


def test_an_unknown_authority_is_not_trusted(authority):
    with Web(tls=serving(authority, "127.0.0.1")) as web:
        web.routes["/a"] = Reply(200, b"secret")
        with pytest.raises(Unreachable, match="TLS failed"):
            fetch(web.url("/a"))


def test_stalling_tls_ends_in_time(web):
    url = web.url("/a").replace("http:", "https:")  # a plain server waits for a request line
    with pytest.raises(FetchError):
        fetch(url, connect_timeout_s=0.3, total_s=TOTAL_S)


# -------------------------------------------------------------------------------- whatever comes in
SCHEMES = st.sampled_from(
    ["http://", "https://", "http:", "HTTP://", "//", "file://", "", "http://u@"]
)
HOSTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["[::1]", "[", "a..b", "xn--", "1.2.3", "ａ.com", "x" * 300]),
)
PORTS = st.one_of(st.just(""), st.integers(-5, 70_000).map(":{}".format), st.text(max_size=3))
URLS = st.builds("{}{}{}/{}".format, SCHEMES, HOSTS, PORTS, st.text(max_size=10))


def unreachable_web(host, port):
    """Resolve as the system would refuse to, or to an address that may not be reached."""
    host.encode("idna")
    return ["192.0.2.1"]


OFFLINE = Network(unreachable_web, bad.own_network().ssl_context)


@settings(deadline=None)
@example("http://xn--/")
@example("http://a/\ud800")
@example("http://" + "a" * 70_000)
@example("http://a\x00b/")
@example("http://[::1%25eth0]/")
@given(st.one_of(st.text(), URLS))
def test_any_text_as_a_url_raises_only_fetch_errors(url):
    fetcher = new_fetcher(network=OFFLINE, obey_robots=False)
    with pytest.raises(FetchError):
        fetcher.fetch_page(url)
    with pytest.raises(FetchError):
        fetcher.fetch_feed(url, etag=url, last_modified=url)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400))
def test_any_bytes_as_an_answer_raise_only_fetch_errors(answer):
    RAW_WEB.routes["/a"] = bad.Raw(lambda handler: handler.wfile.write(answer))
    RAW_WEB.routes["/b"] = bad.Raw(
        lambda handler: handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: " + answer)
    )
    for path in ("/a", "/b"):
        try:
            fetch(RAW_WEB.url(path), total_s=TOTAL_S)
        except FetchError:
            continue


RAW_WEB = Web()


@pytest.fixture(autouse=True, scope="module")
def raw_web():
    with RAW_WEB:
        yield
