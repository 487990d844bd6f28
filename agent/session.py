"""One command from a shell: run it here when the home is free, or have the daemon that owns the home run it."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from agent.app import open_service
from agent.errors import ConfigError
from agent.progress import Progress
from agent.remote import call_daemon, is_answering
from agent.settings import Settings
from agent.views import JSON
from kb import StoreBusy


class Connection(Protocol):
    """Whatever runs commands: the service here, or the daemon."""

    def call(
        self, command: str, arguments: Mapping[str, JSON], progress: Progress | None = None
    ) -> Any:
        """Run one command of `agent.service.COMMANDS`; arguments that are None count as not given."""


@dataclass(frozen=True, slots=True)
class _ToDaemon:
    home: Path

    def call(
        self, command: str, arguments: Mapping[str, JSON], _progress: Progress | None = None
    ) -> Any:
        return call_daemon(self.home, command, arguments)


@dataclass(frozen=True, slots=True)
class Session:
    """Settings and home of this invocation."""

    settings: Settings
    home: Path

    def call(
        self, command: str, arguments: Mapping[str, JSON], progress: Progress | None = None
    ) -> Any:
        """Run one command of `agent.service.COMMANDS`.

        Raises:
            StoreBusy: the home is held by another process that is no daemon.
        """
        with self.connected() as connection:
            return connection.call(command, arguments, progress)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Open the home, or the way to the daemon that owns it, for several commands.

        Raises:
            StoreBusy: the home is held by another process that is no daemon.
        """
        if is_answering(self.home):
            yield _ToDaemon(self.home)
            return
        with contextlib.ExitStack() as stack:
            try:
                service = stack.enter_context(open_service(self.settings, self.home))
            except StoreBusy:
                yield _ToDaemon(
                    self.home
                )  # a daemon that has just come up, or the clear line that says who holds it
                return
            yield service


def feed_arguments(feeds: str | None) -> dict[str, JSON]:
    """The arguments that name a list of feeds; a file is read here, where its path means something.

    Without a name, `feeds.yaml` of the working directory is taken if there is one.

    Raises:
        ConfigError: the file cannot be read.
    """
    if feeds is None:
        if not Path("feeds.yaml").is_file():
            return {}
        feeds = "feeds.yaml"
    if feeds.startswith(("http://", "https://")):
        return {"feeds": feeds}
    try:
        return {"feeds": feeds, "feeds_text": Path(feeds).read_text(encoding="utf-8")}
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
        raise ConfigError(f"{feeds}: {reason}") from exc
