"""Canonical URLs: one spelling for each address, and nothing but http(s)."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.urls import canonical_url, site_of

BASE = "https://courier.example/feeds/all.xml"

SAME = [
    ("HTTP://WWW.Courier.EXAMPLE:80/a", "http://www.courier.example/a"),
    ("https://courier.example:443", "https://courier.example/"),
    ("https://courier.example:8443/a", "https://courier.example:8443/a"),
    ("https://courier.example/a#comments", "https://courier.example/a"),
    ("https://courier.example/a?", "https://courier.example/a"),
    ("https://courier.example/a/./b/../c/", "https://courier.example/a/c/"),
    ("https://courier.example/../../a", "https://courier.example/a"),
    ("https://courier.example/%7eann/%e2%82%ac", "https://courier.example/~ann/%E2%82%AC"),
    ("https://courier.example/ä b", "https://courier.example/%C3%A4%20b"),
    ("https://courier.example/100%", "https://courier.example/100%25"),
    ("https://reader:secret@courier.example/a", "https://courier.example/a"),
    ("  https://courier.example/a\n", "https://courier.example/a"),
    ("https://bücher.example/", "https://xn--bcher-kva.example/"),
    ("https://courier.example./a", "https://courier.example/a"),
    ("http://[2001:DB8::0:1]:80/a", "http://[2001:db8::1]/a"),
    ("https://courier.example//a//b", "https://courier.example//a//b"),
]

TRACKED = [
    "utm_source=rss&utm_medium=feed",
    "UTM_Campaign=x",
    "fbclid=1",
    "gclid=1&dclid=2",
    "mc_cid=1&mc_eid=2",
    "ref=partner",
    "cmpid=rss",
    "at_medium=RSS&at_campaign=KARANGA",
    "smid=tw-share",
    "source=rss",
    "%75tm_source=x",
    "&&",
]

MEANINGFUL = [
    "id=7",
    "p=12&page=2",
    "source=ministry",
    "session=2026",
    "keyword=sea+wall",
    "reference=A%2F1",
    "q=a%26b",
    "b=2&a=1",
    "v",
]

NO_ADDRESS = [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "mailto:desk@courier.example",
    "ftp://courier.example/a",
    "",
    "  ",
    "//",
    "http://",
    "http:/a",
    "http://[::1",
    "http://[fe80::1%25eth0]/",
    "http://courier.example:99999/",
    "http://cou rier.example/",
    "http://cou<rier.example/",
    "http://" + "a" * 300 + "/",
    "http://courier.example/" + "a" * 5000,
    "not a link",
]


@pytest.mark.parametrize(("url", "canonical"), SAME)
def test_spellings_of_one_address_become_one(url, canonical):
    assert canonical_url(url) == canonical


@pytest.mark.parametrize("query", TRACKED)
def test_tracking_parameters_are_removed(query):
    assert canonical_url(f"https://courier.example/a?{query}") == "https://courier.example/a"
    assert (
        canonical_url(f"https://courier.example/a?id=7&{query}&p=1")
        == "https://courier.example/a?id=7&p=1"
    )


@pytest.mark.parametrize("query", MEANINGFUL)
def test_parameters_that_choose_the_article_stay_as_they_are(query):
    url = f"https://courier.example/a?{query}"
    assert canonical_url(url) == url


@pytest.mark.parametrize("url", NO_ADDRESS)
@pytest.mark.parametrize("base", [None, BASE])
def test_what_is_no_http_url_is_refused(url, base):
    with pytest.raises(ValueError, match=r".+"):
        canonical_url(url, base)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("/a", "https://courier.example/a"),
        ("../b?x=1", "https://courier.example/b?x=1"),
        ("//other.example/c", "https://other.example/c"),
        ("/", "https://courier.example/"),
        ("story one.html", None),
        ("/story one.html", "https://courier.example/story%20one.html"),
    ],
)
def test_relative_urls_are_relative_to_the_base(url, canonical):
    if canonical is None:
        with pytest.raises(ValueError, match="words"):
            canonical_url(url, BASE)
    else:
        assert canonical_url(url, BASE) == canonical


@pytest.mark.parametrize(
    "host", ["www.courier.example", "m.courier.example", "amp.courier.example"]
)
def test_variants_of_a_host_are_one_site(host):
    assert site_of(f"https://{host}/a") == site_of("https://courier.example/b")


def test_other_hosts_and_ports_are_other_sites():
    hosts = [
        "127.0.0.1:8099",
        "127.0.0.11:8099",
        "127.0.0.1:8098",
        "ann.blog.example",
        "bob.blog.example",
        "m.example",
    ]
    assert len({site_of(f"http://{host}/") for host in hosts}) == len(hosts)


URL_CHARACTERS = string.ascii_letters + string.digits + "/?#&=%.:@;+-_~ äß€[]\\<>\"'|^`{}\t\n"


@given(
    st.sampled_from(["http://", "https://", "HTTP://", "//", ""]),
    st.text(URL_CHARACTERS, max_size=60),
    st.sampled_from([None, BASE]),
)
def test_canonical_form_of_a_canonical_url_is_itself(scheme, rest, base):
    try:
        once = canonical_url(scheme + rest, base)
    except ValueError:
        assume(False)
    assert canonical_url(once) == once
    assert canonical_url(once, BASE) == once


@given(st.text(max_size=80), st.sampled_from([None, BASE]))
def test_any_text_gives_an_http_url_or_a_value_error(text, base):
    try:
        url = canonical_url(text, base)
    except ValueError:
        return
    assert url.startswith(("http://", "https://"))
    assert url.isascii()
    assert "#" not in url
