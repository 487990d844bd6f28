"""feeds.yaml and OPML -> feeds, or an error that names the place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigError
from agent.feed_list import load_feeds, parse_feeds_yaml
from kb import Feed, FullText

ROOT = Path(__file__).parent.parent.parent

WHOLE = """\
feeds:
  - title: "The Courier: Local"
    url: "https://courier.example/feed.xml"
    tags: [local, "sea, sky", local]
    interval: 90m
    full_text: feed
  - url: http://127.0.0.11:8099/feeds/a.json
    interval: 1s
"""

BROKEN = [
    ("", "feeds.yaml: empty; it should begin with 'feeds:'"),
    ("# nothing\n", "feeds.yaml: empty; it should begin with 'feeds:'"),
    ("- url: https://a.example/", "feeds.yaml:1: not a mapping; it should begin with 'feeds:'"),
    ("feeds:\n", "feeds.yaml:1: feeds: empty"),
    ("feeds: []\n", "feeds.yaml:1: feeds: empty"),
    ("feeds: none\n", "feeds.yaml:1: feeds: not a list of feeds"),
    ("feed:\n- url: https://a.example/", "feeds.yaml:1: unknown key 'feed'; only 'feeds' stands here"),
    ("feeds:\n  - https://a.example/", "feeds.yaml:2: entry 1: not a mapping with a url"),
    ("feeds:\n  - title: A\n", "feeds.yaml:2: entry 1: url: missing"),
    ("feeds:\n  - title: A\n    url:\n", "feeds.yaml:3: entry 1: url: empty"),
    ("feeds:\n  - url: [a]\n", "feeds.yaml:2: entry 1: url: not a text"),
    ("feeds:\n  - url: https://a.example/\n\n  - url: ftp://b.example/\n",
     "feeds.yaml:4: entry 2: url: not an http(s) URL"),
    ("feeds:\n  - url: https://a.example/\n    tag: x\n",
     "feeds.yaml:3: entry 1: unknown key 'tag'; known are title, url, tags, interval, full_text"),
    ("feeds:\n  - url: https://a.example/\n    url: https://b.example/\n",
     "feeds.yaml:3: entry 1: url: given twice"),
    ("feeds:\n  - url: https://a.example/\n  - title: B\n    url: HTTPS://A.example:443\n",
     "feeds.yaml:4: entry 2: url: already listed in line 2"),
    ("feeds:\n  - url: https://a.example/\n    tags: news\n", "feeds.yaml:3: entry 1: tags: not a list"),
    ("feeds:\n  - url: https://a.example/\n    tags: [[news]]\n", "feeds.yaml:3: entry 1: tags: not a text"),
    ("feeds:\n  - url: https://a.example/\n    interval: soon\n",
     "feeds.yaml:3: entry 1: interval: 'soon' is no time; write 30, 90s, 60m, 6h or 1d"),
    ("feeds:\n  - url: https://a.example/\n    interval: 4m\n",
     "feeds.yaml:3: entry 1: interval: 240 s is not within 300 s to 30 days"),
    ("feeds:\n  - url: https://a.example/\n    interval: 31d\n",
     "feeds.yaml:3: entry 1: interval: 2678400 s is not within 300 s to 30 days"),
    ("feeds:\n  - url: https://a.example/\n    full_text: all\n",
     "feeds.yaml:3: entry 1: full_text: 'all' is not one of auto, page, feed"),
    ("feeds:\n  - url: 'https://a.example/\n", "feeds.yaml:3: not YAML: found unexpected end of stream"),
    ("feeds: []\n---\nfeeds: []\n", "feeds.yaml:2: not YAML: but found another document"),
    ("feeds: \x00", "feeds.yaml: not YAML: unacceptable character #x0000: special characters are not allowed"),
    ("[" * 5000, "feeds.yaml: not YAML: maximum recursion depth exceeded"),
    ("<html></html>", "feeds.yaml: XML, but not OPML"),
    ("<opml version='2.0'><body/></opml>", "feeds.yaml: no feeds in it"),
    ("<opml version='2.0'><body><outline text='A' xmlUrl='https://a.example/'/>"
     "<outline text='B' xmlUrl='javascript:x'/></body></opml>",
     "feeds.yaml: feed 2: xmlUrl: not an http(s) URL"),
]  # fmt: skip


def test_whole_list_is_read():
    assert load_feeds("feeds.yaml", text=WHOLE) == (
        Feed(
            url="https://courier.example/feed.xml",
            title="The Courier: Local",
            tags=("local", "sea, sky"),
            interval_s=5400,
            full_text=FullText.FEED,
        ),
        Feed(url="http://127.0.0.11:8099/feeds/a.json", title="127.0.0.11:8099", interval_s=1),
    )


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_broken_list_is_refused_with_its_place(text, message):
    with pytest.raises(ConfigError) as failure:
        load_feeds("feeds.yaml", text=text)
    assert str(failure.value).startswith(message)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("30", 1800), ("600s", 600), ("45m", 2700), ("6h", 21600), ("1d", 86400)],
)
def test_interval_is_minutes_or_has_a_unit(interval, seconds):
    text = f"feeds:\n  - url: https://a.example/\n    interval: {interval}\n"
    assert load_feeds("x", text=text)[0].interval_s == seconds


def test_opml_folders_become_tags_and_a_feed_in_two_folders_is_one_feed():
    text = """<?xml version="1.0"?>
    <!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]>
    <opml version="2.0"><head><title>&x;</title></head><body>
      <outline text="World"><outline text="Courier" type="rss" xmlUrl="https://courier.example/feed.xml"/></outline>
      <outline text="Sea"><outline text="Courier" type="rss" xmlUrl="https://courier.example/feed.xml"/></outline>
      <outline type="rss" xmlUrl="https://gazette.example/rss"/>
    </body></opml>"""
    assert load_feeds("list.opml", text=text) == (
        Feed("https://courier.example/feed.xml", "Courier", ("World", "Sea")),
        Feed("https://gazette.example/rss", "gazette.example"),
    )


def test_opml_text_is_never_taken_for_an_address():
    with pytest.raises(ConfigError):
        load_feeds("list", text="http://127.0.0.1:9/list.opml")


def test_file_is_read_with_or_without_a_byte_order_mark(tmp_path):
    path = tmp_path / "feeds.yaml"
    path.write_text(WHOLE, encoding="utf-8-sig")
    assert load_feeds(str(path)) == load_feeds("x", text=WHOLE)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read: No such file"):
        load_feeds(str(tmp_path / "absent.yaml"))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_feeds(str(tmp_path))
    (tmp_path / "latin.yaml").write_bytes("feeds: [é]".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"latin\.yaml: not UTF-8 text"):
        load_feeds(str(tmp_path / "latin.yaml"))


def test_our_own_list_is_in_order():
    feeds = load_feeds(str(ROOT / "feeds.yaml"))
    assert 15 <= len(feeds) <= 25
    assert all(feed.url.startswith("https://") and feed.tags for feed in feeds)


@given(st.text(alphabet="feds:url-[]{}&*!|>'\"#\n \t<?xml0a/.", max_size=80))
def test_any_text_gives_feeds_or_a_config_error(text):
    try:
        feeds = parse_feeds_yaml(text, name="x")
    except ConfigError:
        return
    assert feeds
