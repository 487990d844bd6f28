"""Serves the invented newsroom on loopback: a list of feeds, the feeds, and their articles' pages.

Every outlet has a loopback address of its own where the system allows it (Linux does), so that
publishers are different hosts as in the real world; elsewhere all share 127.0.0.1.
"""

import hashlib
import selectors
import socketserver
import threading
from contextlib import ExitStack
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self

import yaml

from agent.demo.edition import DAYS, DemoArticle, Outlet, load_edition
from agent.demo.pages import CONTENT_TYPES, feed_body, page_body

FRONT_HOST = "127.0.0.1"
STOP_POLL_S = 0.05
ROBOTS = b"User-agent: *\nDisallow: /drafts/\n"


class _Reply(NamedTuple):
    content_type: str
    body: bytes
    last_modified: str | None = None


class DemoNewsroom:
    """A context manager: serves from entry to exit.

    `/feeds.yaml` lists all feeds. Every host serves every path.

    Attributes:
        port: the same on every host of the newsroom.
    """

    def __init__(self, *, port: int = 0) -> None:
        """Read the articles; nothing is served yet. Port 0 takes a free one."""
        self.port = port
        self._edition = load_edition()
        self._articles = {article.id: article for article in self._edition.articles}
        self._feeds = {outlet.feed_path: outlet for outlet in self._edition.outlets}
        self._hosts = dict.fromkeys((outlet.key for outlet in self._edition.outlets), FRONT_HOST)
        self._day = 1
        self._serving = ExitStack()

    @property
    def day(self) -> int:
        """What is published: everything up to this day, 1 to 3."""
        return self._day

    @day.setter
    def day(self, day: int) -> None:
        if not 1 <= day <= DAYS:
            raise ValueError(f"the newsroom has days 1 to {DAYS}, not {day}")
        self._day = day

    @property
    def url(self) -> str:
        """The front host's, without a slash at the end."""
        return self._at(FRONT_HOST)

    @property
    def feed_paths(self) -> tuple[str, ...]:
        """Of all feeds, in the order of the list."""
        return tuple(self._feeds)

    def __enter__(self) -> Self:
        servers = self._open_servers()
        stop = threading.Event()
        thread = threading.Thread(target=_serve, args=(servers, stop), name="demo", daemon=True)
        thread.start()
        self._serving.callback(thread.join)
        self._serving.callback(stop.set)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._serving.close()

    def reply(self, path: str) -> _Reply | None:
        """What stands at a path today; None for nothing."""
        if path == "/feeds.yaml":
            return _Reply("application/yaml; charset=utf-8", self._feed_list())
        if path == "/robots.txt":
            return _Reply("text/plain; charset=utf-8", ROBOTS)
        if path in self._feeds:
            return self._feed(self._feeds[path])
        article = self._articles.get(path.removeprefix("/articles/").removesuffix(".html"))
        if article is None or article.path != path or article.day > self._day:
            return None
        return self._page(article)

    def _open_servers(self) -> list["_Server"]:
        """One server a host; an outlet whose host cannot be had stays at the front."""
        front = self._serving.enter_context(_Server((FRONT_HOST, self.port), self))
        self.port = front.server_port
        servers = [front]
        for number, key in enumerate(self._hosts, start=2):
            host = f"127.0.0.{number}"
            try:
                servers.append(self._serving.enter_context(_Server((host, self.port), self)))
            except OSError:
                continue
            self._hosts[key] = host
        return servers

    def _feed_list(self) -> bytes:
        feeds = [
            {
                "title": outlet.name,
                "url": self._at(self._hosts[outlet.key]) + path,
                "tags": list(outlet.tags),
            }
            for path, outlet in self._feeds.items()
        ]
        return yaml.safe_dump({"feeds": feeds}, sort_keys=False, allow_unicode=True).encode()

    def _feed(self, outlet: Outlet) -> _Reply:
        articles = self._edition.printed(outlet, until_day=self._day)
        home = self._at(self._hosts[outlet.key]) + "/"
        newest = format_datetime(articles[0].published_at, usegmt=True) if articles else None
        body = feed_body(outlet, articles, self._locate, home)
        return _Reply(CONTENT_TYPES[outlet.form], body, newest)

    def _page(self, article: DemoArticle) -> _Reply:
        teased = self._edition.printed(article.outlet, until_day=article.day)
        original = self._articles[article.copy_of] if article.copy_of else article
        body = page_body(article, teased, self._locate, canonical=self._locate(original))
        modified = format_datetime(article.published_at, usegmt=True)
        return _Reply("text/html; charset=utf-8", body, modified)

    def _locate(self, article: DemoArticle) -> str:
        return self._at(self._hosts[article.outlet.key]) + article.path

    def _at(self, host: str) -> str:
        return f"http://{host}:{self.port}"


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    timeout = 0  # `handle_request` is called when a connection waits
    daemon_threads = True

    def __init__(self, address: tuple[str, int], room: DemoNewsroom) -> None:
        self.room = room
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without the look-up of the host's full name, which may ask the network."""
        socketserver.TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer with a body, "not modified" or "not found"."""
        reply = self.server.room.reply(self.path.partition("?")[0])
        if reply is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        etag = f'"{hashlib.sha256(reply.body).hexdigest()[:16]}"'
        unchanged = self._has(etag, reply.last_modified)
        self.send_response(HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.OK)
        self.send_header("ETag", etag)
        if reply.last_modified:
            self.send_header("Last-Modified", reply.last_modified)
        if not unchanged:
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if not unchanged and self.command != "HEAD":
            self.wfile.write(reply.body)

    def do_HEAD(self) -> None:
        """Answer like GET, without the body."""
        self.do_GET()

    def _has(self, etag: str, last_modified: str | None) -> bool:
        """Whether the client's copy is this one: by ETag, else by date (RFC 9110, 13.2.2)."""
        given = self.headers.get("If-None-Match")
        if given is not None:
            return etag in (part.strip().removeprefix("W/") for part in given.split(","))
        since = self.headers.get("If-Modified-Since")
        if since is None or last_modified is None:
            return False
        try:
            return parsedate_to_datetime(last_modified) <= parsedate_to_datetime(since)
        except (ValueError, TypeError):
            return False

    def log_message(self, *_args: object) -> None:
        """Say nothing: the demo's terminal tells another story."""


def _serve(servers: list[_Server], stop: threading.Event) -> None:
    with selectors.DefaultSelector() as waiting:
        for server in servers:
            waiting.register(server, selectors.EVENT_READ, server)
        while not stop.is_set():
            for key, _ in waiting.select(STOP_POLL_S):
                key.data.handle_request()
