"""The user's list of feeds, `feeds.yaml` or OPML -> subscriptions, or an error that names file, line, entry and field.

    feeds:
      - title: "The Courier"                      # optional: the host's name without it
        url: "https://courier.example/feed.xml"
        tags: ["local"]                           # optional
        interval: 60m                             # optional: a number of minutes, or 300s, 60m, 6h, 1d
        full_text: auto                           # optional: auto, page or feed

Reads text and files; a list behind a URL is fetched by the caller.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import listparser
import yaml

from agent.errors import ConfigError
from agent.plain_text import clean_line
from agent.urls import canonical_url
from kb import Feed, FullText

DEFAULT_INTERVAL_S = 3600

MIN_INTERVAL_S = 300
"""Publishers block readers that ask more often. Feeds of this machine may be asked at any interval."""

MAX_INTERVAL_S = 30 * 86_400

_KEYS = ("title", "url", "tags", "interval", "full_text")
_INTERVAL = re.compile(r"(\d{1,9})\s*([smhd]?)")
_SECONDS = {"s": 1, "": 60, "m": 60, "h": 3600, "d": 86_400}


def load_feeds(source: str, *, text: str | None = None) -> tuple[Feed, ...]:
    """Load a list of feeds, YAML or OPML by its looks.

    Args:
        source: path of the file, or the list's name where `text` is given.
        text: the list itself, when the caller has read it.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong.
    """
    if text is None:
        try:
            text = Path(source).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as exc:
            raise ConfigError(f"{source}: not UTF-8 text") from exc
        except OSError as exc:
            raise ConfigError(f"{source}: cannot be read: {exc.strerror or exc}") from exc
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        return parse_opml(text, name=source)
    return parse_feeds_yaml(text, name=source)


# ------------------------------------------------------------------------------------------------------- YAML
def parse_feeds_yaml(text: str, *, name: str) -> tuple[Feed, ...]:
    """Parse the text of a `feeds.yaml`.

    Raises:
        ConfigError: with `name`, line, entry number and field.
    """
    # The node tree, not the values: it knows the line of each. Nothing is ever constructed from tags.
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise ConfigError(f"{name}:{line}: not YAML: {exc.problem or exc.context}") from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise ConfigError(
            f"{name}: not YAML: {str(exc).splitlines()[0] or type(exc).__name__}"
        ) from exc
    feeds: list[Feed] = []
    lines: dict[str, int] = {}
    for number, node in enumerate(_feed_nodes(root, name), 1):
        feed = _feed(node, f"entry {number}", name)
        canonical = canonical_url(feed.url)
        if canonical in lines:
            url_node = _fields(node, f"entry {number}", name)["url"]
            raise _error(
                name, url_node, f"entry {number}: url: already listed in line {lines[canonical]}"
            )
        lines[canonical] = node.start_mark.line + 1
        feeds.append(feed)
    return tuple(feeds)


def _feed_nodes(root: Any, name: str) -> list[yaml.Node]:
    if root is None:
        raise ConfigError(f"{name}: empty; it should begin with 'feeds:'")
    if not isinstance(root, yaml.MappingNode):
        raise _error(name, root, "not a mapping; it should begin with 'feeds:'")
    for key, _ in root.value:
        if key.value != "feeds":
            raise _error(name, key, f"unknown key {_shown(key)}; only 'feeds' stands here")
    if len(root.value) != 1:
        raise _error(name, root, "'feeds' should stand here once")
    listed = root.value[0][1]
    if not isinstance(listed, yaml.SequenceNode) or not listed.value:
        raise _error(name, listed, "feeds: not a list of feeds" if listed.value else "feeds: empty")
    return list(listed.value)


def _feed(node: yaml.Node, entry: str, name: str) -> Feed:
    fields = _fields(node, entry, name)
    if "url" not in fields:
        raise _error(name, node, f"{entry}: url: missing")
    url = _scalar(fields["url"], f"{entry}: url", name)
    try:
        canonical = canonical_url(url)
    except ValueError as exc:
        raise _error(name, fields["url"], f"{entry}: url: {exc}") from exc
    title = _scalar(fields["title"], f"{entry}: title", name) if "title" in fields else ""
    return Feed(
        url=url,
        title=clean_line(title) or urlsplit(canonical).netloc,
        tags=_tags(fields.get("tags"), entry, name),
        interval_s=_interval_s(fields.get("interval"), canonical, entry, name),
        full_text=_full_text(fields.get("full_text"), entry, name),
    )


def _fields(node: yaml.Node, entry: str, name: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _error(name, node, f"{entry}: not a mapping with a url")
    fields: dict[str, yaml.Node] = {}
    for key, field in node.value:
        if key.value not in _KEYS:
            raise _error(
                name, key, f"{entry}: unknown key {_shown(key)}; known are {', '.join(_KEYS)}"
            )
        if key.value in fields:
            raise _error(name, key, f"{entry}: {key.value}: given twice")
        fields[key.value] = field
    return fields


def _tags(node: yaml.Node | None, entry: str, name: str) -> tuple[str, ...]:
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise _error(name, node, f"{entry}: tags: not a list")
    tags = (clean_line(_scalar(tag, f"{entry}: tags", name)) for tag in node.value)
    return tuple(dict.fromkeys(tags))


def _interval_s(node: yaml.Node | None, url: str, entry: str, name: str) -> int:
    if node is None:
        return DEFAULT_INTERVAL_S
    text = _scalar(node, f"{entry}: interval", name)
    found = _INTERVAL.fullmatch(text)
    if found is None:
        raise _error(
            name, node, f"{entry}: interval: {text[:40]!r} is no time; write 30, 90s, 60m, 6h or 1d"
        )
    seconds = int(found[1]) * _SECONDS[found[2]]
    least = 1 if _is_loopback(url) else MIN_INTERVAL_S
    if not least <= seconds <= MAX_INTERVAL_S:
        bounds = f"{least} s to {MAX_INTERVAL_S // 86_400} days"
        raise _error(name, node, f"{entry}: interval: {seconds} s is not within {bounds}")
    return seconds


def _full_text(node: yaml.Node | None, entry: str, name: str) -> FullText:
    if node is None:
        return FullText.AUTO
    text = _scalar(node, f"{entry}: full_text", name)
    try:
        return FullText(text)
    except ValueError as exc:
        known = ", ".join(FullText)
        raise _error(
            name, node, f"{entry}: full_text: {text[:40]!r} is not one of {known}"
        ) from exc


def _scalar(node: yaml.Node, field: str, name: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
        raise _error(name, node, f"{field}: {'not a text' if node.value else 'empty'}")
    return str(node.value).strip()


def _shown(key: yaml.Node) -> str:
    return repr(key.value[:40]) if isinstance(key, yaml.ScalarNode) else "that is not a word"


def _error(name: str, node: yaml.Node, message: str) -> ConfigError:
    return ConfigError(f"{name}:{node.start_mark.line + 1}: {message}")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# ------------------------------------------------------------------------------------------------------- OPML
def parse_opml(text: str, *, name: str) -> tuple[Feed, ...]:
    """Parse an OPML list; the folders of a feed become its tags, and a feed in two folders is one feed.

    Raises:
        ConfigError: not OPML, no feeds in it, or a feed without a usable URL.
    """
    outlines = listparser.parse(
        text.encode("utf-8", "replace")
    )  # bytes: a str might be taken for a URL and fetched
    if not outlines.version.startswith("opml"):
        raise ConfigError(f"{name}: XML, but not OPML")
    feeds: dict[str, Feed] = {}
    for number, outline in enumerate(outlines.feeds, 1):
        url = str(outline.get("url", "")).strip()
        try:
            canonical = canonical_url(url)
        except ValueError as exc:
            raise ConfigError(f"{name}: feed {number}: xmlUrl: {exc}") from exc
        title = clean_line(str(outline.get("title", ""))) or urlsplit(canonical).netloc
        feeds.setdefault(canonical, Feed(url, title, tuple(dict.fromkeys(_folders(outline)))))
    if not feeds:
        raise ConfigError(f"{name}: no feeds in it")
    return tuple(feeds.values())


def _folders(outline: Any) -> Iterator[str]:
    for path in outline.get("categories", ()):
        yield from (clean_line(str(part)) for part in path if str(part).strip())
