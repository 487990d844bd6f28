"""feeds.yaml or OPML -> the feeds to subscribe; every mistake is named with file, line, entry and field. Pure."""

import re
from collections.abc import Iterator
from typing import Any

import listparser
import yaml

from agent.errors import ConfigError
from agent.urls import canonical_url
from kb import Feed, FullText

FIELDS = ("title", "url", "tags", "interval", "full_text")
MAX_FEEDS = 10_000
MIN_INTERVAL_S = 300
DEFAULT_INTERVAL_S = 3600

_INTERVAL = re.compile(r"(\d{1,7})\s*([smhd]?)")
_SECONDS = {"s": 1, "": 60, "m": 60, "h": 3600, "d": 86_400}


def load_feeds(name: str, *, text: str) -> tuple[Feed, ...]:
    """Read a list of feeds: YAML as in feeds.yaml, or OPML.

    Args:
        name: the file or URL it came from, for messages.
        text: its content.

    Raises:
        ConfigError: it is neither, or an entry is wrong.
    """
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        return parse_opml(text, name=name)
    return parse_feeds_yaml(text, name=name)


def parse_opml(text: str, *, name: str) -> tuple[Feed, ...]:
    """Read the outlines of an OPML file that have a feed's URL; doubles are left out.

    Raises:
        ConfigError: no outline has one.
    """
    found = listparser.parse(text)
    feeds: dict[str, Feed] = {}
    for number, outline in enumerate(found.feeds, start=1):
        url = _checked_url(outline.url, f"{name}: outline {number}: url")
        tags = tuple(tag for tag in outline.tags if tag)
        feeds.setdefault(url, Feed(url=url, title=outline.title or url, tags=tags))
    if not feeds:
        raise ConfigError(f"{name}: neither a list of feeds in YAML nor OPML with feeds in it")
    return tuple(feeds.values())


def parse_feeds_yaml(text: str, *, name: str) -> tuple[Feed, ...]:
    """Read feeds.yaml.

    Raises:
        ConfigError: `name:LINE: entry N: FIELD: what is wrong`.
    """
    feeds: dict[str, Feed] = {}
    for number, node in enumerate(_entry_nodes(text, name), start=1):
        entry = _Entry(node, name, number)
        feed = entry.feed()
        if feed.url in feeds:
            raise entry.error("url", f"subscribed twice: {feed.url}")
        feeds[feed.url] = feed
    if not feeds:
        raise ConfigError(f"{name}: lists no feeds")
    return tuple(feeds.values())


def _entry_nodes(text: str, name: str) -> Iterator[yaml.Node]:
    """The nodes under `feeds:`, with the lines they stand on."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{name}{line}: not YAML: {exc.problem or exc.context}") from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise ConfigError(f"{name}: not YAML: {str(exc).splitlines()[0]}") from exc
    if root is None:
        raise ConfigError(f"{name}: empty; it must list feeds under 'feeds:'")
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{name}:{root.start_mark.line + 1}: must begin with 'feeds:'")
    listed: yaml.Node | None = None
    for key, value in root.value:
        if key.value != "feeds":
            raise ConfigError(f"{name}:{key.start_mark.line + 1}: unknown key {key.value!r}")
        listed = value
    if not isinstance(listed, yaml.SequenceNode):
        raise ConfigError(f"{name}: 'feeds:' holds no list")
    if len(listed.value) > MAX_FEEDS:
        raise ConfigError(f"{name}: more than {MAX_FEEDS} feeds")
    yield from listed.value


class _Entry:
    """One entry of feeds.yaml, and where each of its fields stands."""

    def __init__(self, node: yaml.Node, name: str, number: int) -> None:
        self._name = name
        self._number = number
        self._line = node.start_mark.line + 1
        self._lines: dict[str, int] = {}
        self._values: dict[str, Any] = {}
        if not isinstance(node, yaml.MappingNode):
            raise self.error(None, "not a mapping with title and url")
        for key, value in node.value:
            field = str(key.value)
            self._lines[field] = key.start_mark.line + 1
            if field not in FIELDS:
                raise self.error(field, f"unknown; there are {', '.join(FIELDS)}")
            if field in self._values:
                raise self.error(field, "given twice")
            self._values[field] = _plain(value)

    def error(self, field: str | None, problem: str) -> ConfigError:
        """What is wrong, with its place."""
        line = self._lines.get(field or "", self._line)
        where = f"{self._name}:{line}: entry {self._number}"
        return ConfigError(f"{where}: {field}: {problem}" if field else f"{where}: {problem}")

    def feed(self) -> Feed:
        """The feed, every field checked."""
        return Feed(
            url=self._url(),
            title=self._text("title"),
            tags=self._tags(),
            interval_s=self._interval_s(),
            full_text=self._full_text(),
        )

    def _text(self, field: str) -> str:
        value = self._values.get(field)
        if not isinstance(value, str) or not value.strip():
            raise self.error(field, "missing or empty")
        return value.strip()

    def _url(self) -> str:
        place = self._text("url")
        try:
            return _checked_url(place, "url")
        except ConfigError as exc:
            raise self.error("url", f"not an http(s) URL: {place}") from exc

    def _tags(self) -> tuple[str, ...]:
        value = self._values.get("tags", [])
        if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
            raise self.error("tags", "not a list of texts")
        return tuple(value)

    def _interval_s(self) -> int:
        value = self._values.get("interval")
        if value is None:
            return DEFAULT_INTERVAL_S
        match = _INTERVAL.fullmatch(str(value).strip().lower())
        if match is None:
            raise self.error("interval", f"not a time such as 60m, 6h or 1d: {value}")
        interval_s = int(match[1]) * _SECONDS[match[2]]
        if interval_s < MIN_INTERVAL_S:
            raise self.error("interval", f"less than {MIN_INTERVAL_S // 60} minutes: {value}")
        return interval_s

    def _full_text(self) -> FullText:
        value = self._values.get("full_text", FullText.AUTO)
        try:
            return FullText(value)
        except ValueError as exc:
            raise self.error("full_text", f"one of {', '.join(FullText)}, not {value!r}") from exc


def _plain(node: yaml.Node) -> object:
    """A node as text or a list of them: a list of feeds needs no more, and no tag can ask for more."""
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == "tag:yaml.org,2002:null" else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return {}


def _checked_url(text: str, place: str) -> str:
    """The URL as it was written; that it could be fetched is checked.

    A feed's address is its publisher's: nothing is taken out of it.
    """
    text = text.strip()
    try:
        canonical_url(text)
    except ValueError as exc:
        raise ConfigError(f"{place}: not an http(s) URL: {text}") from exc
    return text
