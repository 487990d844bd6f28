"""Whole runs: the command line in this process or in one of its own, against newsrooms on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent.cli import main
from agent.demo import DemoNewsroom


@dataclass(frozen=True)
class Outcome:
    """What one command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def quick_settings(port: int) -> dict[str, str]:
    """Settings that let one port of this machine through, and wait for nobody's sake."""
    return {
        "TIDINGS_FETCH__ALLOW_PRIVATE": f"127.0.0.0/8:{port}",
        "TIDINGS_FETCH__HOST_GAP_S": "0",
        "TIDINGS_FETCH__MAX_CRAWL_DELAY_S": "0",
        "TIDINGS_FETCH__MAX_PER_HOST": "8",
    }


Run = Callable[..., Outcome]


@pytest.fixture
def tidings(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Run a command in this process: `tidings("ask", "...", env={...})`; the home is in `tmp_path`."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None, home: Path | None = None
    ) -> Outcome:
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            command = ["tidings", "--home", str(home or tmp_path / "home"), *arguments]
            patch.setattr(sys, "argv", command)
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        captured = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command in a process of its own; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *arguments: str, env: Mapping[str, str], home: Path | None = None
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent", "--home", str(home or tmp_path / "home"), *arguments],
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def demo_room() -> Iterator[DemoNewsroom]:
    """The bundled newsroom, on its first day."""
    with DemoNewsroom() as room:
        room.day = 1
        yield room
