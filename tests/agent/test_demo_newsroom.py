import http.client
import json
import re
from collections import Counter
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen
from xml.etree import ElementTree

import pytest
import yaml

from agent.demo import QUESTIONS, DemoNewsroom
from agent.demo.edition import DAYS, FIRST_DAY, load_edition
from agent.demo.pages import page_body


@pytest.fixture
def room():
    with DemoNewsroom() as room:
        yield room


@pytest.fixture(scope="module")
def edition():
    return load_edition()


def get(url, **headers):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        connection.request(
            "GET", parts.path, headers={it.replace("_", "-"): headers[it] for it in headers}
        )
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()


def feeds_of(room):
    return yaml.safe_load(get(room.url + "/feeds.yaml")[2])["feeds"]


def links_of(room):
    """Article links of all feeds, however the feed spells them."""
    links = []
    for feed in feeds_of(room):
        body = get(feed["url"])[2]
        if feed["url"].endswith(".json"):
            links += [item["url"] for item in json.loads(body)["items"]]
            continue
        for node in ElementTree.fromstring(body).iter():
            if node.tag == "item":
                links.append(node.findtext("link"))
            if node.tag.endswith("}entry"):
                link = node.find("{*}link")
                assert link is not None
                links.append(link.get("href"))
    return links


# --------------------------------------------------------------------------------------- serving
def test_every_feed_of_the_list_is_served_in_its_form(room):
    feeds = feeds_of(room)
    types = Counter(get(feed["url"])[1]["Content-Type"].split(";")[0] for feed in feeds)
    assert len(feeds) == 12
    assert set(types) == {"application/rss+xml", "application/atom+xml", "application/feed+json"}
    assert [urlsplit(feed["url"]).path for feed in feeds] == list(room.feed_paths)


def test_outlets_are_hosts_on_loopback_with_one_port(room):
    urls = [urlsplit(feed["url"]) for feed in feeds_of(room)]
    assert {url.port for url in urls} == {room.port}
    assert all(url.hostname.startswith("127.0.0.") for url in urls)


def test_a_day_publishes_its_articles_and_keeps_the_earlier_ones(room, edition):
    seen: set[str] = set()
    for day in range(1, DAYS + 1):
        room.day = day
        links = links_of(room)
        assert len(links) == len(set(links))
        assert seen < set(links)
        assert len(links) == sum(article.day <= day for article in edition.articles)
        seen = set(links)
    assert len(seen) == len(edition.articles) == 42


def test_every_linked_page_is_served(room):
    room.day = DAYS
    for link in links_of(room):
        status, headers, body = get(link)
        assert status == 200
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"<article>" in body


def test_tomorrows_article_is_not_found_today(room, edition):
    later = next(article for article in edition.articles if article.day == 2)
    assert get(room.url + later.path)[0] == 404
    room.day = 2
    assert get(room.url + later.path)[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/articles/", "/articles/none.html", "/articles/kestrel-bridge-closed", "/../x"]
)
def test_other_paths_are_not_found(room, path):
    assert get(room.url + path)[0] == 404


def test_unchanged_feed_answers_not_modified_to_either_validator(room):
    url = room.url + room.feed_paths[0]
    _, headers, body = get(url)
    etag, modified = headers["ETag"], headers["Last-Modified"]
    for validators in ({"If_None_Match": etag}, {"If_Modified_Since": modified}):
        status, _, empty = get(url, **validators)
        assert (status, empty) == (304, b"")
    room.day = 2
    for validators in ({"If_None_Match": etag}, {"If_Modified_Since": modified}):
        status, _, changed = get(url, **validators)
        assert status == 200
        assert changed != body


def test_etag_wins_over_the_date(room):
    url = room.url + room.feed_paths[0]
    modified = get(url)[1]["Last-Modified"]
    assert get(url, If_None_Match='"other"', If_Modified_Since=modified)[0] == 200


def test_nonsense_validators_bring_the_whole_feed(room):
    assert get(room.url + room.feed_paths[0], If_Modified_Since="yesterday")[0] == 200


def test_head_brings_no_body(room):
    connection = http.client.HTTPConnection("127.0.0.1", room.port, timeout=10)
    connection.request("HEAD", "/robots.txt")
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, b"")
    connection.close()


def test_days_outside_the_three_are_refused(room):
    for day in (0, 4):
        with pytest.raises(ValueError, match="days 1 to 3"):
            room.day = day
    assert room.day == 1


def test_nothing_is_served_after_the_end():
    with DemoNewsroom() as room:
        url = room.url + "/feeds.yaml"
        urlopen(url).close()
    with pytest.raises(OSError, match=r"refused|reset"):
        urlopen(url)


def test_a_port_may_be_chosen(room):
    port = room.port
    room.__exit__(None, None, None)
    with DemoNewsroom(port=port) as again:
        assert again.port == port
        assert get(again.url + "/feeds.yaml")[0] == 200


def test_same_port_gives_the_same_bytes():
    bodies = []
    port = 0
    for _ in range(2):
        with DemoNewsroom(port=port) as room:
            port = room.port
            bodies.append([get(room.url + path)[2] for path in room.feed_paths])
    assert bodies[0] == bodies[1]


def test_missing_page_is_an_error_for_a_plain_client(room):
    with pytest.raises(HTTPError, match="404") as caught:
        urlopen(room.url + "/nothing")
    caught.value.close()


# ------------------------------------------------------------------------------------------ content
def test_articles_are_dated_on_their_day(edition):
    for article in edition.articles:
        assert (article.published_at.date() - FIRST_DAY).days == article.day - 1


def test_articles_have_the_length_of_short_news(edition):
    lengths = {it.id: sum(len(text.split()) for text in it.paragraphs) for it in edition.articles}
    assert {name: words for name, words in lengths.items() if not 100 <= words <= 220} == {}


def test_every_outlet_prints_on_the_first_day(edition):
    assert all(edition.printed(outlet, until_day=1) for outlet in edition.outlets)


def test_copies_print_the_same_words_and_name_the_original(room, edition):
    room.day = DAYS
    copies = [article for article in edition.articles if article.copy_of]
    by_id = {article.id: article for article in edition.articles}
    assert len(copies) == 2
    for copy in copies:
        original = by_id[copy.copy_of]
        assert copy.paragraphs == original.paragraphs
        assert copy.outlet != original.outlet
        assert copy.published_at > original.published_at
        body = get(room.url + copy.path)[2].decode()
        canonical = re.search(r'rel="canonical" href="([^"]+)"', body)
        assert canonical
        assert urlsplit(canonical[1]).path == original.path


def test_comments_stand_on_the_page_and_not_in_the_news(edition):
    commented = [article for article in edition.articles if article.comments]
    assert len(commented) > 10
    for article in commented:
        body = page_body(article, (), lambda it: it.path, article.path).decode()
        news, after = body.split("</article>", 1)
        for comment in article.comments:
            assert comment not in " ".join(article.paragraphs)
            assert comment not in news
            assert "comment-body" in after


def test_text_is_escaped_in_pages(edition):
    article = next(it for it in edition.articles if it.id == "kestrel-bridge-closed")
    body = page_body(article, (), lambda it: "/a?b=1&c=<x>", "/a?b=1&c=<x>").decode()
    assert "&quot;We are not going to gamble" in body
    assert "<x>" not in body


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_answers_stand_in_the_news_of_their_day_or_in_no_news(edition, question):
    days = {
        answer: {
            article.day
            for article in edition.articles
            if any(answer in paragraph for paragraph in article.paragraphs)
        }
        for answer in question.answers
    }
    assert all(days.values())
    if question.known_from_day is None:
        assert days == {}
    else:
        assert question.known_from_day in days[question.answers[0]]


def test_questions_cover_every_day_and_the_unknown():
    assert {question.known_from_day for question in QUESTIONS} == {1, 2, 3, None}
