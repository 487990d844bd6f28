"""What a page says of itself in its markup: title, site, canonical address, publication date.

Read from meta elements, JSON-LD and <time>, never guessed from prose. The one door to htmldate.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from htmldate import find_date
from lxml.html import Element, HtmlElement

from agent.plain_text import clean_line, text_of_markup

_LINKED_DATA = ".//script[@type='application/ld+json']"
_MAX_LINKED_DATA_CHARS = 1_000_000
_EXACT_DATES = (
    ".//meta[@property='article:published_time' or @name='article:published_time']/@content",
    ".//meta[@itemprop='datePublished']/@content",
    ".//*[@itemprop='datePublished']/@datetime",
    ".//article//time[@pubdate]/@datetime",
)
_TIMES = ".//time[@datetime]"

# "This article first appeared in The Courier." as a paragraph of its own, and what WordPress puts under its feeds.
_SYNDICATION = re.compile(
    r"this (?:article|story|post|column|piece|essay)\b.{0,80}?\b"
    r"(?:(?:first|originally) (?:appeared|ran|published)|(?:appeared|published) (?:first|originally)|"
    r"(?:is|was|has been) (?:republished|reprinted))\b.{0,200}"
    r"|the (?:post|article) .{1,250} appeared first on .{1,80}",
    re.IGNORECASE,
)
_MAX_SYNDICATION_CHARS = 350


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What a page says of itself; "" or None for what it does not say.

    Attributes:
        title: the headline as the page gives it to others.
        page_title: the <title> element, with the site's name in it as often as not.
        canonical: rel=canonical as written.
        origin: where the text says that it first appeared, as written in its link.
        published_at: to the second where the page says so, else midnight UTC.
    """

    title: str = ""
    page_title: str = ""
    site_name: str = ""
    canonical: str | None = None
    origin: str | None = None
    published_at: datetime | None = None


def page_facts(tree: HtmlElement, *, url: str, before: datetime) -> PageFacts:
    """Read what a parsed page says of itself; the tree is left as it is.

    Args:
        tree: the whole page.
        url: its address: some publishers date their articles there.
        before: the date is looked for up to this moment only.
    """
    linked = list(_linked_articles(tree))
    page_title = clean_line(tree.findtext(".//title") or "")
    site_names = (_meta(tree, "og:site_name"), *map(_publisher, linked))
    headings = (clean_line(heading.text_content()) for heading in tree.iterfind(".//h1"))
    titles = (
        _meta(tree, "og:title"),
        *(_text(article, "headline") for article in linked),
        *headings,
    )
    return PageFacts(
        title=next(filter(None, titles), page_title),
        page_title=page_title,
        site_name=next(filter(None, site_names), "").removeprefix("@"),
        canonical=next(
            (link.get("href") for link in tree.iterfind(".//link[@rel='canonical']")), None
        ),
        origin=_origin(tree),
        published_at=_exact_date(tree, linked) or _day(tree, url=url, before=before),
    )


def is_syndication_note(paragraph: str) -> bool:
    """Tell whether a paragraph only says where the article comes from."""
    return (
        len(paragraph) <= _MAX_SYNDICATION_CHARS and _SYNDICATION.fullmatch(paragraph) is not None
    )


def _origin(tree: HtmlElement) -> str | None:
    for paragraph in tree.iter("p"):
        link = paragraph.find(".//a[@href]")
        if link is not None and is_syndication_note(clean_line(paragraph.text_content())):
            return str(link.get("href"))
    return None


def _meta(tree: HtmlElement, name: str) -> str:
    for key in ("property", "name"):
        for meta in tree.iterfind(f".//meta[@{key}='{name}']"):
            if found := clean_line(meta.get("content") or ""):
                return found
    return ""


def _linked_articles(tree: HtmlElement) -> Iterator[dict[str, Any]]:
    """The JSON-LD objects of a page that are articles."""
    for script in tree.iterfind(_LINKED_DATA):
        if not script.text or len(script.text) > _MAX_LINKED_DATA_CHARS:
            continue
        try:
            linked = json.loads(script.text, strict=False)
        except (ValueError, RecursionError):
            continue
        graph = linked.get("@graph", linked) if isinstance(linked, dict) else linked
        for node in graph if isinstance(graph, list) else [graph]:
            if isinstance(node, dict) and "Article" in str(
                node.get("@type")
            ):  # NewsArticle, ["Article"]
                yield node


def _publisher(article: dict[str, Any]) -> str:
    publisher = article.get("publisher")
    if isinstance(publisher, list):
        publisher = publisher[0] if publisher else None
    return _text(publisher, "name") if isinstance(publisher, dict) else ""


def _text(mapping: dict[str, Any], key: str) -> str:
    found = mapping.get(key)
    return text_of_markup(found) if isinstance(found, str) else ""


def _exact_date(tree: HtmlElement, linked: list[dict[str, Any]]) -> datetime | None:
    written = [_text(article, "datePublished") for article in linked]
    written += [found for path in _EXACT_DATES for found in tree.xpath(path)]
    times = tree.findall(_TIMES)
    written += [times[0].get("datetime", "")] if len(times) == 1 else []
    for text in written:
        try:
            moment = datetime.fromisoformat(text.strip())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _day(tree: HtmlElement, *, url: str, before: datetime) -> datetime | None:
    """The date in markup of the many other kinds that htmldate knows, or in the address.

    It is shown the markup only: in prose it would take any date for the publication's.
    """
    markup = Element("html")
    markup.extend(deepcopy(element) for element in tree.iter("meta"))
    for element in markup:
        element.tail = None
    day = find_date(
        markup,
        extensive_search=False,
        original_date=True,
        url=url,
        max_date=before.strftime("%Y-%m-%d"),
    )
    return datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None
