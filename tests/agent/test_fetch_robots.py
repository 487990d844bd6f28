"""robots.txt: obeyed for pages, on every hop, asked for once, and harmless whatever it holds."""

import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import RateLimited, Refused, Unreachable
from agent.politeness import ROBOTS_MAX_BYTES, RobotsRules
from tests.agent import web as bad
from tests.agent.web import NOW, Reply, Web, ask, gzipped, new_fetcher, redirect

PRIVATE = b"User-agent: *\nDisallow: /private/\n"


@pytest.fixture
def web():
    with Web() as web:
        web.routes |= {"/page": Reply(200, b"p"), "/private/page": Reply(200, b"p")}
        yield web


def allows(text, url="http://a.example/x/y?z=1"):
    return RobotsRules.parse(text.encode()).allows(url)


def test_pages_are_fetched_where_robots_txt_lets_us_and_feeds_anywhere(web):
    web.routes["/robots.txt"] = Reply(200, PRIVATE)
    fetcher = new_fetcher()
    assert fetcher.fetch_page(web.url("/page")).body == b"p"
    with pytest.raises(Refused, match=r"disallowed by robots\.txt"):
        fetcher.fetch_page(web.url("/private/page"))
    assert ask(fetcher, web.url("/private/page")).body == b"p"
    assert not new_fetcher(obey_robots=False).fetch_page(web.url("/private/page")).permanent_url
    assert len(web.asked("/robots.txt")) == 1


def test_a_redirect_does_not_lead_around_robots_txt(web):
    web.routes |= {"/robots.txt": Reply(200, PRIVATE), "/a": redirect("/private/page")}
    with pytest.raises(Refused, match=r"robots\.txt"):
        new_fetcher().fetch_page(web.url("/a"))
    assert not web.asked("/private/page")


def test_each_site_has_its_own_robots_txt(web):
    with Web(host="127.0.0.2") as other:
        other.routes |= {"/robots.txt": Reply(200, PRIVATE), "/private/page": Reply(200, b"p")}
        web.routes["/a"] = redirect(other.url("/private/page"))
        fetcher = new_fetcher()
        assert fetcher.fetch_page(web.url("/private/page")).body == b"p"
        with pytest.raises(Refused, match=r"robots\.txt"):
            fetcher.fetch_page(web.url("/a"))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_no_robots_txt_forbids_nothing(web, status):
    web.routes["/robots.txt"] = Reply(status)
    assert new_fetcher().fetch_page(web.url("/page")).body == b"p"


@pytest.mark.parametrize(
    "answer", [Reply(500), Reply(503), bad.silence, bad.reset, bad.short_body, bad.hang_up]
)
def test_a_site_whose_robots_txt_cannot_be_had_is_left_alone_for_a_while(web, answer):
    web.routes["/robots.txt"] = answer
    now = [NOW]
    fetcher = new_fetcher(clock=lambda: now[0], read_timeout_s=0.2)
    for _ in range(2):
        with pytest.raises(Unreachable, match=r"robots\.txt"):
            fetcher.fetch_page(web.url("/page"))
    assert [seen.path for seen in web.requests] == ["/robots.txt"]
    now[0] += timedelta(minutes=11)
    web.routes["/robots.txt"] = Reply(404)
    assert fetcher.fetch_page(web.url("/page")).body == b"p"


def test_a_rate_limit_on_robots_txt_is_one_on_the_site(web):
    web.routes["/robots.txt"] = Reply(503, b"", (("Retry-After", "60"),))
    with pytest.raises(RateLimited) as caught:
        new_fetcher().fetch_page(web.url("/page"))
    assert caught.value.retry_at == NOW + timedelta(seconds=60)
    assert caught.value.url == web.url("/page")


def test_redirects_of_robots_txt_are_followed_and_endless_ones_count_as_none(web):
    web.routes |= {"/robots.txt": redirect("/r"), "/r": Reply(200, PRIVATE)}
    with pytest.raises(Refused, match="disallowed"):
        new_fetcher().fetch_page(web.url("/private/page"))
    web.routes["/r"] = redirect("/robots.txt")
    assert new_fetcher().fetch_page(web.url("/private/page")).body == b"p"


def test_only_the_beginning_of_a_huge_robots_txt_is_read(web):
    early = b"User-agent: *\nDisallow: /private/\n" + b"# more\n" * 100_000
    assert len(early) > ROBOTS_MAX_BYTES
    for answer in (Reply(200, early), gzipped(early)):
        web.routes["/robots.txt"] = answer
        fetcher = new_fetcher()
        assert fetcher.fetch_page(web.url("/page")).body == b"p"
        with pytest.raises(Refused, match="disallowed"):
            fetcher.fetch_page(web.url("/private/page"))


def test_rules_are_asked_for_again_after_a_day(web):
    web.routes["/robots.txt"] = Reply(200, PRIVATE)
    now = [NOW]
    fetcher = new_fetcher(clock=lambda: now[0])
    for hours in (0, 23, 25):
        now[0] = NOW + timedelta(hours=hours)
        fetcher.fetch_page(web.url("/page"))
    assert len(web.asked("/robots.txt")) == 2


def test_a_crawl_delay_slows_us_down_up_to_our_cap(web):
    web.routes["/robots.txt"] = Reply(200, b"User-agent: tidings\nCrawl-delay: 600\n")
    fetcher = new_fetcher(max_crawl_delay_s=0.15, host_gap_jitter=0.0)
    for _ in range(3):
        fetcher.fetch_page(web.url("/page"))
    _, second, third = (seen.at for seen in web.asked("/page"))
    assert 0.1 < third - second < 60


# -------------------------------------------------------------------------------------------- rules
@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /", False),
        ("\ufeffUser-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow:", True),
        ("User-agent: *\nDisallow: /x\nAllow: /x/y", True),
        ("User-agent: *\nDisallow: /x/y$", True),
        ("User-agent: *\nDisallow: /*?z=", False),
        ("user-agent: Tidings/1.0\r\ndisallow: /x", False),
        ("User-agent: *\nDisallow: /\n\nUser-agent: TIDINGS\nAllow: /", True),
        ("User-agent: tidingsbot\nDisallow: /", True),
        ("User-agent: t\nDisallow: /", True),
        ("User-agent: googlebot\nUser-agent: tidings\nDisallow: /", False),
        ("User-agent: other\nDisallow: /\nUser-agent: another\nDisallow: /x", True),
        ("<html><body>Not found</body></html>", True),
    ],
)
def test_rules_speak_to_us_by_name_or_to_all(text, allowed):
    assert allows(text) is allowed


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_robots_txt_can_be_read(text):
    for robots in (text, "User-agent: *\nDisallow: " + text, "User-agent: *\nCrawl-delay: " + text):
        rules = RobotsRules.parse(robots.encode("utf-8", "surrogatepass"))
        assert rules.allows("http://a.example/") in (True, False)
        assert rules.crawl_delay_s is None or rules.crawl_delay_s >= 0


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"User-agent: a{i}\n" for i in range(15_000)) + "Allow: /\n" * 25_000,
        "User-agent: *\n" + "Disallow: " + "/*a" * 150_000 + "b",
        "User-agent: *\n" + "Disallow: /*a*a*a*a*a*a*a*b\n" * 17_000,
        "User-agent" + " " * 500_000,
    ],
    ids=["agents", "one pattern", "patterns", "blanks"],
)
def test_a_hostile_robots_txt_costs_little(text):
    started = time.monotonic()
    rules = RobotsRules.parse(text.encode()[:ROBOTS_MAX_BYTES])
    assert rules.allows("http://a.example/" + "a" * 8000)
    assert time.monotonic() - started < 5
