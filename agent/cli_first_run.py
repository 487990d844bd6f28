"""`tidings start` and `tidings demo`."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from agent import render
from agent.first_run import Stage, play_demo, read_and_ask
from agent.progress import SilentProgress
from agent.session import Session, feed_arguments

_SHOWN: dict[str, Callable[[Console, Any], None]] = {
    "ingest": render.show_ingest,
    "ask": render.show_answer,
    "topics": render.show_stories,
}


def start(
    context: typer.Context,
    feeds: Annotated[
        str | None, typer.Option("--feeds", help="A feeds.yaml or OPML file or URL.")
    ] = None,
) -> None:
    """Read today's news and show what was learned; without a network, play the demo."""
    session: Session = context.obj
    stage = _stage()
    stage.say(f"Reading the news into {session.home}")
    with session.connected() as tidings:
        report = read_and_ask(tidings, feed_arguments(feeds), stage)
    if not report["feeds_ok"]:
        stage.say("\nNot one feed could be reached (`tidings feeds` says why). The demo instead:")
        play_demo(session.settings, _demo_home(), stage)


def demo(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option("--into", help="A new folder for what the demo stores.")
    ] = None,
) -> None:
    """Play three invented days of news on this machine alone: ingest day by day, ask before and after."""
    play_demo(context.obj.settings, home or _demo_home(), _stage())


def _demo_home() -> Path:
    """A home of its own, so that invented news never meets real news."""
    return Path(tempfile.mkdtemp(prefix="tidings-demo-"))


def _stage() -> Stage:
    out, err = render.stdout_console(), Console(stderr=True)

    def progress() -> Any:
        if err.is_terminal:
            return render.TerminalProgress(err)
        return contextlib.nullcontext(SilentProgress())

    return Stage(
        say=lambda line: out.print(Text(line)),
        show=lambda command, reply: _SHOWN[command](out, reply),
        progress=progress,
    )
