"""The demo's articles as feeds and as web pages with the furniture of real ones."""

import json
from collections.abc import Callable, Sequence
from email.utils import format_datetime
from html import escape
from xml.etree import ElementTree

from agent.demo.edition import DemoArticle, Outlet

Locate = Callable[[DemoArticle], str]
"""The URL of an article's page."""

ATOM = "http://www.w3.org/2005/Atom"

CONTENT_TYPES = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}


def feed_body(outlet: Outlet, articles: Sequence[DemoArticle], locate: Locate, home: str) -> bytes:
    """The outlet's feed in its own form.

    Args:
        outlet: whose feed it is.
        articles: newest first.
        locate: gives each article's URL.
        home: URL of the outlet.
    """
    if outlet.form == "json":
        return _json_feed(outlet, articles, locate, home)
    build = _atom if outlet.form == "atom" else _rss
    root = build(outlet, articles, locate, home)
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _rss(
    outlet: Outlet, articles: Sequence[DemoArticle], locate: Locate, home: str
) -> ElementTree.Element:
    root = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(root, "channel")
    _texts(channel, title=outlet.name, link=home, description=f"News from {outlet.name}")
    _texts(channel, language="en")
    for article in articles:
        item = ElementTree.SubElement(channel, "item")
        _texts(item, title=article.title, link=locate(article), description=article.summary)
        ElementTree.SubElement(item, "guid", isPermaLink="false").text = _guid(article)
        _texts(item, pubDate=format_datetime(article.published_at, usegmt=True))
    return root


def _atom(
    outlet: Outlet, articles: Sequence[DemoArticle], locate: Locate, home: str
) -> ElementTree.Element:
    root = ElementTree.Element("feed", xmlns=ATOM)
    _texts(root, title=outlet.name, id=f"tag:{outlet.key}.invalid,2025:feed")
    ElementTree.SubElement(root, "link", href=home)
    if articles:
        _texts(root, updated=articles[0].published_at.isoformat())
    for article in articles:
        entry = ElementTree.SubElement(root, "entry")
        _texts(entry, title=article.title, id=_guid(article))
        ElementTree.SubElement(entry, "link", rel="alternate", href=locate(article))
        moment = article.published_at.isoformat()
        _texts(entry, published=moment, updated=moment, summary=article.summary)
        author = ElementTree.SubElement(entry, "author")
        _texts(author, name=article.byline or outlet.name)
    return root


def _json_feed(outlet: Outlet, articles: Sequence[DemoArticle], locate: Locate, home: str) -> bytes:
    items = [
        {
            "id": _guid(article),
            "url": locate(article),
            "title": article.title,
            "summary": article.summary,
            "content_html": _paragraphs(article),
            "date_published": article.published_at.isoformat(),
        }
        for article in articles
    ]
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": outlet.name,
        "home_page_url": home,
        "language": "en",
        "items": items,
    }
    return json.dumps(feed, ensure_ascii=False, indent=1).encode()


def _texts(parent: ElementTree.Element, **texts: str) -> None:
    for tag, text in texts.items():
        ElementTree.SubElement(parent, tag).text = text


def _guid(article: DemoArticle) -> str:
    return f"tag:{article.outlet.key}.invalid,2025:{article.id}"


def page_body(
    article: DemoArticle, others: Sequence[DemoArticle], locate: Locate, canonical: str
) -> bytes:
    """The article's page: the news, and around it menu, teasers, newsletter and readers' words.

    Args:
        article: what the page is about.
        others: the outlet's articles that are teased beside it.
        locate: gives each article's URL.
        canonical: the URL of the article, or of the one that it reprints.
    """
    name = escape(article.outlet.name)
    moment = article.published_at.isoformat()
    byline = f'<p class="byline">By {escape(article.byline)}</p>' if article.byline else ""
    teasers = "\n".join(
        f'<li><a href="{escape(locate(other))}">{escape(other.title)}</a></li>'
        for other in others
        if other.id != article.id
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(article.title)} | {name}</title>
<link rel="canonical" href="{escape(canonical)}">
<meta property="og:type" content="article">
<meta property="og:site_name" content="{name}">
<meta property="og:title" content="{escape(article.title)}">
<meta property="article:published_time" content="{moment}">
</head>
<body>
<header><a href="/">{name}</a>
<nav><ul><li><a href="/">Home</a></li><li><a href="/sport">Sport</a></li>
<li><a href="/about">About us</a></li></ul></nav></header>
<main>
<article>
<h1>{escape(article.title)}</h1>
{byline}
<p class="dateline"><time datetime="{moment}">{article.published_at:%d %B %Y, %H:%M} UTC</time></p>
{_paragraphs(article)}
</article>
<aside class="related"><h2>Most read</h2>
<ul>
{teasers}
</ul></aside>
<aside class="newsletter"><h2>The morning in five minutes</h2>
<p>Sign up for our newsletter and never miss a story. You can unsubscribe at any time.</p></aside>
{_comments(article)}
</main>
<footer><p>© 2025 {name}. All rights reserved.</p>
<p>We use cookies to make this site better. <a href="/cookies">Accept all</a></p></footer>
</body>
</html>
""".encode()


def _paragraphs(article: DemoArticle) -> str:
    return "\n".join(f"<p>{escape(paragraph)}</p>" for paragraph in article.paragraphs)


def _comments(article: DemoArticle) -> str:
    if not article.comments:
        return ""
    words = "\n".join(
        f'<li class="comment"><p class="comment-body">{escape(comment)}</p></li>'
        for comment in article.comments
    )
    return (
        f'<section id="comments" class="comments"><h2>Comments ({len(article.comments)})</h2>\n'
        f'<ol class="comment-list">\n{words}\n</ol></section>'
    )
