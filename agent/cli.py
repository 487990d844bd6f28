"""The command line: parse, call, print, exit code. Data goes to stdout, everything else to stderr.

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 done but some feeds failed, 4 the home is held by another
process.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from agent import cli_first_run, cli_language, cli_model, render
from agent.errors import AgentError, ConfigError
from agent.log import configure_logging
from agent.remote import DaemonError
from agent.session import Session, feed_arguments
from agent.settings import load_settings
from kb import KBError, StoreBusy
from model import ModelError

EXIT_FAILED, EXIT_USAGE, EXIT_SOME_FEEDS_FAILED, EXIT_BUSY = 1, 2, 3, 4

app = typer.Typer(
    name="tidings",
    help="Reads the news, asks its knowledge base what it knows, and keeps what it could not answer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Feeds = Annotated[
    str | None,
    typer.Option("--feeds", help="A feeds.yaml or OPML file or URL. Default: ./feeds.yaml."),
]
AsOf = Annotated[
    str | None, typer.Option("--as-of", help="Only what was published by then: 2025-03-10.")
]
Since = Annotated[str | None, typer.Option("--since", help="A date, or a span back: 3d, 12h.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")]


@app.callback()
def _session(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option("--home", help="The folder that holds everything stored.")
    ] = None,
) -> None:
    from agent.app import home_folder  # loads the model's and the store's libraries

    settings = load_settings(os.environ)
    level = "INFO" if context.invoked_subcommand == "run" else "ERROR"
    configure_logging(settings.log, level=level, stream=sys.stderr)
    context.obj = Session(settings, home_folder(settings, home))


def main() -> None:
    """Run the command line; every error of ours is one line on stderr and an exit code."""
    try:
        app()
    except (ConfigError, AgentError, KBError, ModelError) as error:
        print(f"tidings: {error}", file=sys.stderr)
        sys.exit(_exit_code(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)


def _exit_code(error: Exception) -> int:
    if isinstance(error, ConfigError):
        return EXIT_USAGE
    if isinstance(error, StoreBusy):
        return EXIT_BUSY
    return error.exit_code if isinstance(error, DaemonError) else EXIT_FAILED


# ------------------------------------------------------------------------------------------------ the main job
@app.command()
def ingest(context: typer.Context, feeds: Feeds = None, as_json: AsJson = False) -> None:
    """Check the feeds now, learn what they bring, and say what was learned."""
    report = _with_progress(context, "ingest", feed_arguments(feeds))
    _show(report, as_json, render.show_ingest)
    raise typer.Exit(ingest_exit_code(report))


def ingest_exit_code(report: dict[str, Any]) -> int:
    """0 when every feed answered, 3 when some failed, 1 when there were feeds and all of them failed."""
    if not report["feeds_failed"]:
        return 0
    return EXIT_SOME_FEEDS_FAILED if report["feeds_ok"] else EXIT_FAILED


@app.command()
def run(context: typer.Context, feeds: Feeds = None) -> None:
    """Be the daemon: check feeds when they are due, until SIGTERM. SIGHUP reads the list of feeds again."""
    from agent.daemon import run_daemon

    session: Session = context.obj
    run_daemon(
        session.settings,
        session.home,
        subscribe=lambda service: service.subscribe(feed_arguments(feeds)),
        announce=lambda url: print(f"tidings: listening on {url}", file=sys.stderr),
    )


@app.command()
def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="A question in English.")],
    more_choices: Annotated[
        list[str] | None, typer.Argument(metavar="[B C ...]", help="The options after the first.")
    ] = None,
    first_choice: Annotated[
        str | None,
        typer.Option("--choices", metavar="A", help="Rank options by support: --choices A B C."),
    ] = None,
    as_of: AsOf = None,
    limit: Limit = 5,
    as_json: AsJson = False,
) -> None:
    """Answer a question with sources and dates, or say that it is not known."""
    arguments: dict[str, Any] = {"question": question, "as_of": as_of, "limit": limit}
    if first_choice is not None:
        arguments["choices"] = [first_choice, *(more_choices or ())]
    elif more_choices:
        raise typer.BadParameter(f"what is {more_choices[0]!r}? Quote a question of several words.")
    _show(context.obj.call("ask", arguments), as_json, render.show_answer)


@app.command()
def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="Words, names, a sentence.")],
    as_of: AsOf = None,
    since: Since = None,
    publisher: Annotated[str | None, typer.Option(help="Only this publisher's facts.")] = None,
    limit: Limit = 10,
    as_json: AsJson = False,
) -> None:
    """Find the facts nearest to a text."""
    arguments = {
        "text": text,
        "as_of": as_of,
        "since": since,
        "publisher": publisher,
        "limit": limit,
    }
    _show(context.obj.call("search", arguments), as_json, render.show_matches)


@app.command()
def topics(
    context: typer.Context,
    since: Since = None,
    as_of: AsOf = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List the stories, the latest first."""
    arguments = {"since": since, "as_of": as_of, "limit": limit}
    _show(context.obj.call("topics", arguments), as_json, render.show_stories)


@app.command("whats-new")
def whats_new(
    context: typer.Context, since: Since = "1d", limit: Limit = 20, as_json: AsJson = False
) -> None:
    """Show what was learned since a moment, by story."""
    _show(
        context.obj.call("whats-new", {"since": since, "limit": limit}), as_json, render.show_news
    )


@app.command()
def timeline(
    context: typer.Context,
    story: Annotated[str, typer.Argument(help="A story's id, as topics lists it.")],
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Facts of a day.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show how a story unfolded: what was new each day, with sources, and what was said otherwise."""
    arguments = {"story": story, "as_of": as_of, "limit": limit}
    _show(context.obj.call("timeline", arguments), as_json, render.show_timeline)


app.command()(cli_first_run.start)
app.command()(cli_first_run.demo)


# --------------------------------------------------------------------------------------- explaining, keeping house
@app.command()
def feeds(
    context: typer.Context,
    reset: Annotated[
        str | None, typer.Option(help="Forget this feed's errors, and ask it again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the health of every feed."""
    _show(context.obj.call("feeds", {"reset": reset}), as_json, render.show_feeds)


@app.command()
def why(
    context: typer.Context,
    fact: Annotated[str, typer.Argument(help="A fact's id.")],
    as_json: AsJson = False,
) -> None:
    """Explain why a fact is in the store."""
    _show(
        context.obj.call("why", {"fact": fact}),
        as_json,
        lambda console, reply: render.show_decisions(console, reply["decisions"]),
    )


@app.command("why-not")
def why_not(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="The sentence that is missed.")],
    limit: Limit = 5,
    as_json: AsJson = False,
) -> None:
    """Explain why a sentence is no fact of its own."""
    _show(
        context.obj.call("why-not", {"text": text, "limit": limit}),
        as_json,
        lambda console, reply: render.show_decisions(console, reply["decisions"]),
    )


@app.command("why-story")
def why_story(
    context: typer.Context,
    story: Annotated[str, typer.Argument(help="A story's id, as topics lists it.")],
    as_json: AsJson = False,
) -> None:
    """Explain why each article of a story stands in it."""
    _show(context.obj.call("why-story", {"story": story}), as_json, render.show_placements)


@app.command()
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Re-read every fact's span in its article; exit 1 when one is not there."""
    report = context.obj.call("verify", {})
    _show(report, as_json, render.show_mapping)
    raise typer.Exit(EXIT_FAILED if report["unsupported"] else 0)


@app.command()
def forget(
    context: typer.Context,
    article: Annotated[str, typer.Argument(help="An article's id or address.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Let a forgotten article come in again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove an article and all that came of it; feeds do not bring it back. Exit 2 where there is none."""
    session: Session = context.obj
    arguments: dict[str, Any] = {"article": article}
    if undo:
        _show(session.call("forget", {**arguments, "undo": True}), as_json, render.show_mapping)
        return
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("forget: nobody can be asked here: say --yes")
        preview = session.call("forget", {**arguments, "preview": True})
        render.show_forgotten(Console(stderr=True, soft_wrap=True), preview)
        typer.confirm("Forget all this?", abort=True, err=True)
    _show(session.call("forget", arguments), as_json, render.show_forgotten)


@app.command()
def reindex(context: typer.Context, as_json: AsJson = False) -> None:
    """Rebuild the search indexes from the stored rows."""
    _show(_with_progress(context, "reindex", {}), as_json, render.show_mapping)


@app.command()
def export(
    context: typer.Context,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="The decision log, one JSON line a decision.")
    ] = False,
    stories: Annotated[
        bool, typer.Option("--stories", help="The story log, one JSON line an article.")
    ] = False,
) -> None:
    """Write stored rows to stdout as JSON lines."""
    if decisions == stories:
        raise ConfigError("export: say what to export: --decisions or --stories")
    for row in context.obj.call("export-decisions" if decisions else "export-stories", {}):
        print(json.dumps(row, ensure_ascii=False, sort_keys=True))


@app.command()
def graph(
    context: typer.Context,
    story: Annotated[
        str | None,
        typer.Option("--story", help="Only what this story's facts name: an id of topics."),
    ] = None,
    draw: Annotated[bool, typer.Option("--svg", help="A drawing in place of GraphML.")] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, max=1000, help="Things named most. Drawn: 60.")
    ] = None,
) -> None:
    """Write the experience graph to stdout: what the store has met together, as GraphML or drawn."""
    arguments = {"story": story, "form": "svg" if draw else "graphml", "limit": limit}
    print(context.obj.call("graph", arguments), end="")


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Show where everything is, whether it is sound, and how much there is."""
    _show(context.obj.call("doctor", {}), as_json, render.show_mapping)


app.command()(cli_model.evaluate)
app.command()(cli_model.train)
app.command()(cli_language.generate)
app.command()(cli_language.adapt)


# ------------------------------------------------------------------------------------------------------ printing
def _show(reply: Any, as_json: bool, show: Any) -> None:
    if as_json:
        print(json.dumps(reply, ensure_ascii=False))
    else:
        show(render.stdout_console(), reply)


def _with_progress(context: typer.Context, command: str, arguments: dict[str, Any]) -> Any:
    console = Console(stderr=True)
    if not console.is_terminal:
        return context.obj.call(command, arguments)
    with render.TerminalProgress(console) as progress:
        return context.obj.call(command, arguments, progress)


if __name__ == "__main__":
    main()
