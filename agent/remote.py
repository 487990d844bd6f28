"""The way to a daemon that owns the home: its address file, and a client that sends commands to it.

The address file is readable by its owner only and holds a token, so that no other user and no web page can command
the daemon.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from agent.errors import AgentError, ConfigError
from agent.views import JSON
from kb import StoreBusy

ADDRESS_FILE = "daemon.json"
CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class DaemonAddress:
    """Where a daemon listens."""

    url: str
    token: str
    pid: int


class DaemonError(AgentError):
    """The daemon answered with an error of ours; `exit_code` is the one the command would have had."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def new_token() -> str:
    """A secret for one life of the daemon."""
    return secrets.token_urlsafe(32)


def write_address(home: Path, address: DaemonAddress) -> None:
    """Say where the daemon listens: replaced in one step, readable by its owner only."""
    path = home / ADDRESS_FILE
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(address), file)
    draft.replace(path)


def remove_address(home: Path) -> None:
    """Say that no daemon listens."""
    (home / ADDRESS_FILE).unlink(missing_ok=True)


def read_address(home: Path) -> DaemonAddress | None:
    """The address in the home; None when there is none that can be read."""
    try:
        return DaemonAddress(**json.loads((home / ADDRESS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def is_answering(home: Path) -> bool:
    """Whether the daemon that the home names is alive; the file of one that was killed stays behind."""
    address = read_address(home)
    if address is None:
        return False
    try:
        return bool(
            httpx.get(
                f"{address.url}/healthz", timeout=CONNECT_TIMEOUT_S, trust_env=False
            ).is_success
        )
    except httpx.HTTPError:
        return False


def call_daemon(home: Path, command: str, arguments: Mapping[str, JSON]) -> JSON:
    """Have the daemon that owns `home` run a command.

    Raises:
        StoreBusy: another process holds the home, and it is no daemon that answers.
        ConfigError: the daemon refused the arguments.
        DaemonError: the command failed there.
    """
    address = read_address(home)
    if address is None:
        raise StoreBusy(
            f"{home}: another tidings process is using this home; try again when it ends"
        )
    try:
        reply = httpx.post(
            f"{address.url}/v1/{command}",
            json=dict(arguments),
            headers={"Authorization": f"Bearer {address.token}"},
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
        )
        content = reply.json()
    except (httpx.HTTPError, ValueError) as exc:
        raise StoreBusy(
            f"{home}: held by process {address.pid}, which does not answer at {address.url}"
        ) from exc
    if reply.status_code == httpx.codes.OK:
        answer: JSON = content["result"]
        return answer
    message = str(content.get("error", f"HTTP {reply.status_code}"))
    exit_code = int(content.get("exit_code", 1))
    if exit_code == 2:
        raise ConfigError(message)
    raise DaemonError(message, exit_code)
