"""Entry and page -> article: each case of tests/data/pages is a page (if there is one) and what must come of it."""

import gc
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.articles import extract_article, language_of
from agent.errors import ExtractionError
from agent.page_text import MAX_ELEMENTS, MAX_TEXT_CHARS, read_page, text_of_html
from kb import Article, Entry, Feed, FullText, content_id

CASES = Path(__file__).parent.parent / "data" / "pages"
NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)
FEED = {"url": "https://courier.example/feed.xml", "title": "Courier RSS"}


@dataclass(frozen=True)
class ServedPage:
    url: str
    body: bytes
    charset: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def read_case(case):
    return json.loads((CASES / f"{case}.json").read_text(encoding="utf-8"))


def moment(text):
    return datetime.fromisoformat(text) if text else None


def extract(case) -> Article:
    spec = read_case(case)
    page = None
    if "page" in spec:
        page = ServedPage(body=(CASES / f"{case}.html").read_bytes(), **spec["page"])
    entry = Entry(
        id="e1",
        feed_url=FEED["url"],
        link=spec["entry"]["link"],
        title=spec["entry"]["title"],
        content_html=spec["entry"].get("content_html"),
        published_at=moment(spec["entry"].get("published_at")),
    )
    feed = {**FEED, **spec.get("feed", {})}
    feed["full_text"] = FullText(feed.get("full_text", "auto"))
    return extract_article(page, entry=entry, feed=Feed(**feed), fetched_at=NOW)


def check(case):
    spec = read_case(case)
    if "error" in spec:
        with pytest.raises(ExtractionError) as failure:
            extract(case)
        assert failure.value.reason == spec["error"]
        return
    article = extract(case)
    for name, expected in spec["expected"].items():
        value = moment(expected) if name == "published_at" else expected
        assert getattr(article, name) == value, name
    for furniture in spec.get("lacks", ()):
        assert furniture not in article.text
    assert article.id == content_id(article.url)


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.json")))
def test_page_becomes_the_expected_article(case):
    check(case)


def test_entry_without_link_is_an_article_of_its_own():
    assert extract("entry_without_link").url == "entry:e1"


def test_texts_too_short_have_no_language():
    assert language_of("Nuevo récord en Madrid") == "und"


def test_same_pages_give_same_articles_in_any_order_and_thread():
    cases = [path.stem for path in CASES.glob("*.json") if "expected" in read_case(path.stem)]
    alone = {case: extract(case) for case in cases}
    with ThreadPoolExecutor(4) as pool:
        together = dict(zip(reversed(cases), pool.map(extract, reversed(cases)), strict=True))
    assert together == alone


def test_repeated_paragraphs_are_not_remembered_from_page_to_page():
    assert len({extract("layout_semantic").text for _ in range(5)}) == 1


def test_long_article_is_cut_at_a_paragraph():
    paragraphs = (
        f"<p>The council met for the {n}th time and put the vote off until the next week.</p>"
        for n in range(4000)
    )
    markup = f"<html><body><article>{''.join(paragraphs)}</article></body></html>"
    text = read_page(markup, url="https://courier.example/long", before=NOW).text
    assert MAX_TEXT_CHARS - 200 < len(text) <= MAX_TEXT_CHARS
    assert text.endswith("until the next week.")


def test_page_of_too_many_elements_is_not_read():
    markup = (
        f"<html><body><article>{'<p>Words to read.</p>' * MAX_ELEMENTS}</article></body></html>"
    )
    assert read_page(markup, url="https://courier.example/x", before=NOW).text == ""


def test_deep_nesting_is_survived():
    markup = f"<html><body>{'<div>' * 100_000}text</body></html>"
    assert isinstance(read_page(markup, url="https://courier.example/x", before=NOW).text, str)
    assert isinstance(text_of_html("<b>" * 100_000 + "text"), str)


def test_extraction_leaves_nothing_behind():
    for _ in range(3):
        extract("layout_semantic")
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(20):
        extract("layout_semantic")
    gc.collect()
    assert len(gc.get_objects()) - before < 200


PIECES = st.sampled_from(
    ["<p>", "</p>", "<table>", "<td>", "<script>", "</script>", "<!--", "<![CDATA[", "<svg>", "&#xD800;", "\x00",
     "<meta charset=utf-7>", "<link rel=canonical href='http://[::1'>", "<time datetime=x>", "word. ", "\ufffe",
     "<script type='application/ld+json'>{\"@type\": \"Article\", \"publisher\": [", "<title>", "<h1>", "|", "- "]
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300), st.lists(PIECES, max_size=40).map(lambda p: "".join(p).encode())
    )
)
def test_any_bytes_give_an_article_or_an_extraction_error(body):
    entry = Entry(
        "e1", FEED["url"], "https://courier.example/x", "Some title", body.decode("latin-1"), None
    )
    page = ServedPage("https://courier.example/x", body, charset="utf-8")
    try:
        article = extract_article(
            page, entry=entry, feed=Feed(FEED["url"], FEED["title"]), fetched_at=NOW
        )
    except ExtractionError:
        return
    assert article.text == article.text.strip()
    assert not any(ord(char) < 32 and char != "\n" for char in article.text)
    assert "\n" not in article.text.replace("\n\n", "")
