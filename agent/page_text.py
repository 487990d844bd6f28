"""HTML -> the article's own words, and what the page says of itself.

The one door to trafilatura. The same HTML always gives the same text: nothing is remembered from page to page. Safe to
call from several threads. Judges nothing: whether the text is an article is decided by the caller.
"""

import re
from dataclasses import dataclass
from datetime import datetime

import trafilatura
from lxml import etree
from lxml.html import HtmlElement
from trafilatura.utils import load_html

from agent.page_facts import PageFacts, page_facts
from agent.plain_text import PARAGRAPH_BREAK, clean_text

MAX_TEXT_CHARS = 200_000
"""Longer articles are cut at a paragraph: no news is longer, and every sentence costs a question."""

MAX_ELEMENTS = 30_000
"""A page of more elements is not read. News pages have 800 as a rule and 5,000 at most."""

_MAX_COMPARED_ELEMENTS = (
    8_000  # in larger pages only rules are used: comparing extractors takes quadratic time
)
_MIN_SURE_CHARS = 1_500  # a shorter precise extraction is checked against a balanced one ...
_MIN_KEPT_SHARE = 0.3  # ... and given up when it holds a smaller share of that one's text than this

# Parts of a page that are never the article, by whole words of their id or class: "commentary" stays.
_FURNITURE = re.compile(
    r"(?:^|\s)(?:comments?|comment-?(?:list|section|thread|area|box|form)s?|disqus_thread|ad-?slot|advert"
    r"|advertisement|advertising|newsletter|newsletter-?sign-?up|cookie|cookie-?(?:banner|consent|notice)"
    r"|related|related-?(?:stories|articles|posts|links|news)|share|share-?(?:bar|buttons|tools)|social-?share"
    r"|outbrain|taboola)(?:\s|$)",
    re.IGNORECASE,
)
_CONTROL = re.compile(
    r"|click(?: here)?(?: to .{1,20})?|close|e-?mail|enlarge|expand|like|listen|log in|more|next|open|play|previous"
    r"|print|read more|save|share|show more|sign (?:in|up)|skip.{0,20}|subscribe|top|tweet|watch|x|\u00d7",
    re.IGNORECASE,
)
_FURNITURE_TAGS = ("div", "section", "aside", "ul", "ol", "form", "details")
_MAX_FURNITURE_SHARE = 0.3  # an element with more of the page's text is the page itself
_COLUMN_PARTS = ("table", "article", "aside", "nav", "section", "form", "h1", "h2")
_TABLE_PARTS = ("table", "tbody", "thead", "tfoot", "tr", "td", "th")

# fmt: off
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4",
    "h5", "h6", "header", "hr", "html", "li", "main", "nav", "ol", "p", "pre", "section", "table",
    "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
))
_SILENT = frozenset((
    "script", "style", "template", "noscript", "iframe", "object", "svg", "math", "head", "title",
    "textarea", "select", "button",
))
# fmt: on

_FAULTS = (
    etree.LxmlError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    AssertionError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class PageText:
    """A page read: its article's text, "" when nothing in it reads like one, and what it says of itself."""

    text: str
    facts: PageFacts


def read_page(markup: str, *, url: str, before: datetime) -> PageText:
    """Read a decoded article page; dates in it that are past `before` are not looked for."""
    try:
        tree = load_html(markup)
        if tree is None or (element_count := sum(1 for _ in tree.iter())) > MAX_ELEMENTS:
            return PageText("", PageFacts())
        facts = page_facts(tree, url=url, before=before)
        _unwrap_layout_tables(tree)
        _drop_furniture(tree)
        _drop_controls(tree)
        is_large = element_count > _MAX_COMPARED_ELEMENTS
        return PageText(_bounded(_article_text(tree, is_large=is_large)), facts)
    except _FAULTS:  # lxml and trafilatura on markup they were not made for
        return PageText("", PageFacts())


def text_of_html(markup: str) -> str:
    """Turn a piece of HTML, such as a feed's content, into paragraphs; all of its text is kept, scripts are not."""
    try:
        tree = load_html(f"<html><body><div></div><div>{markup}</div></body></html>")
        if tree is None:
            return ""
        _drop_controls(tree)
        return _bounded(clean_text(_flowing_text(tree)))
    except _FAULTS:
        return ""


def _article_text(tree: HtmlElement, *, is_large: bool) -> str:
    text = _extracted(tree, favor_precision=not is_large, fast=is_large)
    if len(text) >= _MIN_SURE_CHARS or is_large:
        return text
    balanced = _extracted(tree, favor_precision=False, fast=False)
    return balanced if len(text) < _MIN_KEPT_SHARE * len(balanced) else text


def _extracted(tree: HtmlElement, *, favor_precision: bool, fast: bool) -> str:
    document = trafilatura.bare_extraction(
        tree,
        fast=fast,
        favor_precision=favor_precision,
        include_comments=False,
        deduplicate=False,  # it would remember paragraphs from page to page
    )
    if document is None or isinstance(document, dict) or not document.text:
        return ""
    return clean_text("\n".join(map(_without_marker, document.text.split("\n"))))


def _without_marker(line: str) -> str:
    """Take the list and table marks off a line that trafilatura put there."""
    line = line.strip()
    if line.startswith("|") or line.endswith("|"):
        cells = (cell.strip() for cell in line.split("|"))
        return ", ".join(cell for cell in cells if cell.strip("-"))
    return line.removeprefix("- ")


def _drop_furniture(tree: HtmlElement) -> None:
    """Remove comments, adverts and the like from the tree itself, so that no extractor can fall back on them."""
    body = tree.find("body")
    if body is None:
        return
    limit = _MAX_FURNITURE_SHARE * _text_chars(body)
    for element in list(body.iter(*_FURNITURE_TAGS)):
        words = f"{element.get('class', '')} {element.get('id', '')}"
        if (
            _FURNITURE.search(words)
            and element.getparent() is not None
            and _text_chars(element) <= limit
        ):
            element.drop_tree()


def _drop_controls(tree: HtmlElement) -> None:
    """Remove links that do something instead of leading somewhere; one that stands on words of a sentence stays."""
    for link in list(tree.iter("a")):
        is_script = (
            (link.get("href") or "").strip().lower().startswith(("javascript:", "data:", "#"))
        )
        if (
            is_script
            and _CONTROL.fullmatch(link.text_content().strip())
            and link.getparent() is not None
        ):
            link.drop_tree()


def _unwrap_layout_tables(tree: HtmlElement) -> None:
    """Make plain blocks of tables that lay out a page, as was done before there was CSS."""
    for table in list(tree.iter("table")):
        if any(_is_column(cell) for cell in table.iter("td")):
            for part in table.iter(*_TABLE_PARTS):
                part.tag = "div"


def _is_column(cell: HtmlElement) -> bool:
    """Tell a column of a page from a cell with figures."""
    return len(cell.findall("p")) > 1 or next(cell.iter(*_COLUMN_PARTS), None) is not None


def _text_chars(element: HtmlElement) -> int:
    return sum(
        len(text)
        for node in element.iter()
        if node.tag not in _SILENT
        for text in (node.text, node.tail)
        if text and not text.isspace()
    )


def _flowing_text(tree: HtmlElement) -> str:
    """All text in document order, a line for each block. Walks, not recurses: markup may be nested deep."""
    pieces: list[str] = []
    silent_depth = 0
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        is_silent = element.tag in _SILENT
        is_start = event == "start"
        silent_depth += is_silent if is_start else -is_silent
        if element.tag in _BLOCKS:
            pieces.append("\n")
        found = element.text if is_start else element.tail
        if found and not silent_depth:
            pieces.append(re.sub(r"\s+", " ", found))
    return "".join(pieces)


def _bounded(text: str) -> str:
    if len(text) <= MAX_TEXT_CHARS:
        return text
    cut = text.rfind(PARAGRAPH_BREAK, 0, MAX_TEXT_CHARS)
    return text[: cut if cut > 0 else MAX_TEXT_CHARS]
