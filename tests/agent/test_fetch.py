"""Fetching as it should go: validators, redirects, statuses, headers, holds."""

import threading
from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import BadStatus, Gone, RateLimited, Refused, Unreachable
from agent.fetch import FetchedPage, FetchLimits, NotModified
from agent.fetched import charset_of
from tests.agent.web import (
    LOOPBACK,
    NOW,
    Reply,
    Web,
    ask,
    conditional,
    gzipped,
    named,
    new_fetcher,
    redirect,
    silence,
)


@pytest.fixture
def web():
    with Web() as web:
        yield web


def fetch_feed(url, *, etag=None, last_modified=None, **limits):
    return ask(new_fetcher(**limits), url, etag=etag, last_modified=last_modified)


def test_a_page_comes_with_everything_said_about_it(web):
    headers = (
        ("Content-Type", 'text/html; Charset="ISO-8859-15"'),
        ("ETag", '"a"'),
        ("Last-Modified", "Sun, 01 Mar 2026 08:00:00 GMT"),
        ("Cache-Control", "public"),
        ("Cache-Control", "max-age=60"),
    )
    web.routes["/a"] = Reply(200, b"caf\xe9", headers)
    page = new_fetcher().fetch_page(web.url("/a#part"))
    assert page == FetchedPage(
        url=web.url("/a"),
        body=b"caf\xe9",
        content_type='text/html; Charset="ISO-8859-15"',
        charset="iso8859-15",
        headers=page.headers,
        etag='"a"',
        last_modified="Sun, 01 Mar 2026 08:00:00 GMT",
        permanent_url=None,
        fetched_at=NOW,
        received_bytes=4,
    )
    assert page.headers["cache-control"] == "public, max-age=60"


def test_requests_say_who_asks_and_send_nothing_else(web):
    web.routes["/a"] = Reply(200, b"x", (("Set-Cookie", "id=1; Path=/"),))
    fetcher = new_fetcher(user_agent="tidings/9 (+mailto:me@example.org)", obey_robots=False)
    fetcher.fetch_page(web.url("/a"))
    fetcher.fetch_page(web.url("/a"))
    for seen in web.requests:
        assert seen.headers.pop("accept")
        assert seen.headers == {
            "host": f"127.0.0.1:{web.port}",
            "user-agent": "tidings/9 (+mailto:me@example.org)",
            "accept-encoding": "gzip, deflate",
            "connection": "close",
        }


def test_a_proxy_from_the_environment_is_not_trusted(web, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    web.routes["/a"] = Reply(200, b"x")
    assert fetch_feed(web.url("/a")).body == b"x"


@pytest.mark.parametrize(
    "etag",
    ['"plain"', 'W/"weak"', "no-quotes", '"with, comma"', '"caf\xc3\xa9"', '"\xff\x80"', '""'],
)
def test_an_etag_goes_back_byte_for_byte(web, etag):
    web.routes["/feed"] = conditional(b"<rss/>", etag=etag)
    first = fetch_feed(web.url("/feed"))
    assert first.etag == etag
    second = fetch_feed(web.url("/feed"), etag=first.etag)
    assert isinstance(second, NotModified)
    assert second.headers["etag"] == etag
    assert web.requests[-1].headers["if-none-match"] == etag


@pytest.mark.parametrize("date", ["Sun, 01 Mar 2026 08:00:00 GMT", "yesterday, about noon"])
def test_a_last_modified_goes_back_as_it_came(web, date):
    web.routes["/feed"] = conditional(b"<rss/>", last_modified=date)
    first = fetch_feed(web.url("/feed"))
    second = fetch_feed(web.url("/feed"), last_modified=first.last_modified)
    assert isinstance(second, NotModified)


@pytest.mark.parametrize("etag", ["", "a\r\nX-Evil: 1", " padded ", "x" * 5000, "snow\u2603man"])
def test_a_validator_that_cannot_be_sent_is_left_out(web, etag):
    web.routes["/feed"] = Reply(200, b"<rss/>")
    assert fetch_feed(web.url("/feed"), etag=etag).body == b"<rss/>"
    assert "if-none-match" not in web.requests[-1].headers
    assert "x-evil" not in web.requests[-1].headers


def test_validators_survive_a_redirect(web):
    web.routes["/old"] = redirect("/feed")
    web.routes["/feed"] = conditional(b"<rss/>", etag='"1"')
    reply = fetch_feed(web.url("/old"), etag='"1"')
    assert isinstance(reply, NotModified)
    assert reply.url == web.url("/feed")


def test_a_304_that_nobody_asked_for_is_an_error(web):
    web.routes["/feed"] = Reply(304)
    with pytest.raises(BadStatus) as caught:
        fetch_feed(web.url("/feed"))
    assert caught.value.status == 304


# ---------------------------------------------------------------------------------------- redirects
@pytest.mark.parametrize(
    ("statuses", "stored"),
    [
        ((301,), 1),
        ((308,), 1),
        ((301, 308, 301), 3),
        ((302,), None),
        ((303,), None),
        ((307,), None),
        ((302, 301), None),
        ((301, 302, 308), 1),
        ((), None),
    ],
)
def test_permanent_redirects_are_stored_up_to_the_first_temporary_one(web, statuses, stored):
    for i, status in enumerate(statuses):
        web.routes[f"/{i}"] = redirect(f"/{i + 1}", status)
    web.routes[f"/{len(statuses)}"] = Reply(200, b"here")
    page = fetch_feed(web.url("/0"))
    assert page.body == b"here"
    assert page.url == web.url(f"/{len(statuses)}")
    assert page.permanent_url == (web.url(f"/{stored}") if stored else None)


def test_five_redirects_are_followed_and_a_sixth_is_not(web):
    web.routes |= {f"/{i}": redirect(f"/{i + 1}") for i in range(6)}
    web.routes["/6"] = Reply(200, b"far")
    assert fetch_feed(web.url("/1")).body == b"far"
    with pytest.raises(Refused, match="more than 5 redirects"):
        fetch_feed(web.url("/0"))


def test_a_redirect_loop_ends(web):
    web.routes |= {"/a": redirect("/b"), "/b": redirect("/a")}
    with pytest.raises(Refused, match="redirects"):
        fetch_feed(web.url("/a"))
    assert len(web.requests) == 6


@pytest.mark.parametrize("location", ["b c", "./b%20c", "//{host}/b%20c", "?x=/../b", "#top"])
def test_locations_are_read_like_browsers_do(web, location):
    web.routes["/a"] = lambda seen: (
        Reply(200, b"")
        if seen.path != "/a"
        else redirect(location.format(host=f"127.0.0.1:{web.port}"))
    )
    web.routes["/b%20c"] = Reply(200, b"")
    if location == "#top":
        with pytest.raises(Refused, match="redirects"):
            fetch_feed(web.url("/a"))
    else:
        assert fetch_feed(web.url("/a")).url in (web.url("/b%20c"), web.url("/a?x=/../b"))


def test_a_location_in_raw_utf8_is_understood(web):
    web.routes["/a"] = redirect("/caf\xc3\xa9")  # the bytes of "é" in UTF-8, written as latin-1
    web.routes["/caf%C3%A9"] = Reply(200, b"x")
    assert fetch_feed(web.url("/a")).url == web.url("/caf%C3%A9")


def test_a_redirect_without_location_is_an_error(web):
    web.routes["/a"] = Reply(302)
    with pytest.raises(BadStatus, match="HTTP 302"):
        fetch_feed(web.url("/a"))


# ----------------------------------------------------------------------------------------- statuses
@pytest.mark.parametrize("status", [201, 204, 206, 400, 401, 403, 404, 418, 451, 500, 502, 504])
def test_a_status_without_a_usable_body_is_an_error(web, status):
    web.routes["/a"] = Reply(status, b"")
    with pytest.raises(BadStatus) as caught:
        fetch_feed(web.url("/a"))
    assert caught.value.status == status
    assert not isinstance(caught.value, Gone)


def test_410_is_gone(web):
    web.routes |= {"/a": Reply(410), "/b": redirect("/a", 301)}
    for path in ("/a", "/b"):
        with pytest.raises(Gone) as caught:
            fetch_feed(web.url(path))
        assert caught.value.url == web.url(path)


def test_410_behind_a_temporary_redirect_does_not_end_a_feed(web):
    web.routes |= {"/a": redirect("/b", 302), "/b": Reply(410)}
    with pytest.raises(BadStatus) as caught:
        fetch_feed(web.url("/a"))
    assert not isinstance(caught.value, Gone)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_holds_the_host_for_everybody(web, status, form):
    until = NOW + timedelta(seconds=90)
    text = "90" if form == "seconds" else format_datetime(until, usegmt=True)
    web.routes |= {
        "/a": Reply(status, b"", (("Retry-After", text),)),
        "/b": Reply(200, b"x"),
    }
    now = [NOW]
    fetcher = new_fetcher(clock=lambda: now[0])
    for path in ("/a", "/b", "/b"):
        with pytest.raises(RateLimited) as caught:
            ask(fetcher, web.url(path))
        assert (caught.value.status, caught.value.retry_at) == (status, until)
    assert [seen.path for seen in web.requests] == ["/a"]
    now[0] = until
    assert ask(fetcher, web.url("/b")).body == b"x"


def test_429_without_a_time_holds_the_host_for_a_while(web):
    web.routes["/a"] = Reply(429)
    fetcher = new_fetcher()
    with pytest.raises(RateLimited) as caught:
        ask(fetcher, web.url("/a"))
    assert caught.value.retry_at is None
    with pytest.raises(RateLimited):
        ask(fetcher, web.url("/b"))
    assert len(web.requests) == 1


def test_503_without_a_time_concerns_that_url_only(web):
    web.routes |= {"/a": Reply(503), "/b": Reply(200, b"x")}
    fetcher = new_fetcher()
    with pytest.raises(RateLimited) as caught:
        ask(fetcher, web.url("/a"))
    assert caught.value.retry_at is None
    assert ask(fetcher, web.url("/b")).body == b"x"


# --------------------------------------------------------------------------------------------- rest
def test_received_bytes_count_what_came_over_the_wire(web):
    web.routes["/a"] = gzipped(b"a" * 10_000)
    with new_fetcher() as fetcher:
        page = ask(fetcher, web.url("/a"))
        assert page.body == b"a" * 10_000
        assert fetcher.received_bytes == page.received_bytes < 200


def test_many_threads_share_one_fetcher(web):
    web.routes["/a"] = Reply(200, b"x" * 50_000)
    fetcher = new_fetcher(max_per_host=3)
    bodies = []
    threads = [
        threading.Thread(target=lambda: bodies.append(fetcher.fetch_page(web.url("/a")).body))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"x" * 50_000] * 12
    assert web.most_at_once <= 3
    assert len(web.asked("/robots.txt")) == 1
    assert fetcher.received_bytes == 12 * 50_000


def test_a_gap_is_kept_between_requests_to_one_host(web):
    web.routes["/a"] = Reply(200, b"x")
    fetcher = new_fetcher(host_gap_s=0.2)
    for _ in range(3):
        ask(fetcher, web.url("/a"))
    assert web.requests[2].at - web.requests[0].at > 0.3  # 0.4 less what arriving may take


def test_a_stopped_fetcher_refuses(web):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Refused) as caught:
        new_fetcher(stop=stop).fetch_page(web.url("/a"))
    assert caught.value.reason == "stopping"
    assert not web.requests


def test_stopping_ends_a_read_in_progress(web):
    web.routes["/a"] = silence
    stop = threading.Event()
    fetcher = new_fetcher(stop=stop, read_timeout_s=30, total_s=60)
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    with pytest.raises(Refused, match="stopping"):
        ask(fetcher, web.url("/a"))
    timer.join()


def test_stopping_ends_a_wait_for_a_turn(web):
    web.routes["/a"] = Reply(200, b"x")
    stop = threading.Event()
    fetcher = new_fetcher(stop=stop, host_gap_s=60)
    ask(fetcher, web.url("/a"))
    timer = threading.Timer(0.1, stop.set)
    timer.start()
    with pytest.raises(Refused, match="stopping"):
        ask(fetcher, web.url("/a"))
    timer.join()


def test_names_with_other_letters_are_asked_for_by_their_ascii_form(web):
    web.routes["/"] = Reply(200, b"x")
    fetcher = new_fetcher(network=named("127.0.0.1"))
    page = ask(fetcher, f"http://BÜCHER.example:{web.port}")
    assert web.requests[0].headers["host"] == f"xn--bcher-kva.example:{web.port}"
    assert page.url == f"http://xn--bcher-kva.example:{web.port}"


def test_nobody_listening_is_unreachable():
    with Web() as gone:
        url = gone.url("/")
    with pytest.raises(Unreachable, match="no connection"):
        fetch_feed(url)


def test_an_unknown_name_is_unreachable():
    with pytest.raises(Unreachable, match="host name not found"):
        fetch_feed("http://newsroom.invalid/")


@pytest.mark.parametrize("user_agent", ["", "two\nlines", "caf\xe9"])
def test_a_user_agent_that_cannot_be_sent_is_a_callers_mistake(user_agent):
    with pytest.raises(ValueError, match="user_agent"):
        FetchLimits(user_agent=user_agent, allow_private=LOOPBACK)


@given(st.text())
def test_the_charset_of_any_header_can_be_decoded(text):
    for header in (text, "text/html; charset=" + text):
        charset = charset_of(header)
        assert charset is None or b" ".decode(charset, "replace") is not None


@pytest.mark.parametrize(
    ("header", "charset"),
    [
        ("text/html", None),
        ("text/html;charset=utf-8", "utf-8"),
        ("text/xml; boundary=x; charset='windows-1252'", "cp1252"),
        ("text/html; charset=hex", None),
        ("text/html; charset=no-such", None),
        ("text/html; charset=", None),
    ],
)
def test_charsets_are_those_of_the_header(header, charset):
    assert charset_of(header) == charset
