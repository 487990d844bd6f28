"""`tidings generate`: text from the language model. `tidings adapt`: it learns from the last days' articles."""

import contextlib
import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from agent import language_models, render
from agent.app import utc_now
from agent.errors import ConfigError
from agent.moments import parse_since
from agent.progress import SilentProgress
from agent.session import Session

MOST_CHARS = 100_000


def generate(
    context: typer.Context,
    prompt: Annotated[str, typer.Option("--prompt", help="What the text begins with.")] = "",
    chars: Annotated[
        int, typer.Option("--chars", min=1, max=MOST_CHARS, help="How many characters.")
    ] = 400,
    temperature: Annotated[
        float, typer.Option("--temperature", min=0.0, help="0: always the likeliest character.")
    ] = 0.0,
    top_p: Annotated[
        float, typer.Option("--top-p", help="Draw from the likeliest that have so much together.")
    ] = 1.0,
    free: Annotated[
        bool, typer.Option("--free", help="Trust sure levels unchecked: faster, another text.")
    ] = False,
    sure: Annotated[
        float, typer.Option("--sure", min=0.0, max=1.0, help="From where on a level is heard.")
    ] = 0.3,
    seed: Annotated[int, typer.Option("--seed", help="Decides what is drawn.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Write on from a prompt. What comes out is invented: it is no news."""
    from model.generate import Climb, Writing, write_on
    from model.predict import load_language_model

    session: Session = context.obj
    if not 0 < top_p <= 1:
        raise ConfigError(f"--top-p {top_p}: not above 0 and at most 1")
    if not math.isfinite(temperature):
        raise ConfigError(f"--temperature {temperature}: not finite")
    model = load_language_model(
        language_models.language_folder(session.settings.model.language, session.home)
    )
    climb = Climb.FREE if free else Climb.CHECKED
    writing = Writing(
        chars, climb, least_share=sure, temperature=temperature, top_p=top_p, seed=seed
    )
    written = write_on(model, prompt, writing)
    if as_json:
        reply = {
            "prompt": prompt,
            "text": written.text,
            "steps": written.steps,
            "model": model.name,
        }
        sys.stdout.write(json.dumps(reply, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{prompt}{written.text}\n")


def adapt(
    context: typer.Context,
    since: Annotated[
        str, typer.Option("--since", help="Learn from articles since: a date, or 3d, 12h.")
    ] = "3d",
    gate: Annotated[
        Path | None,
        typer.Option("--gate", help="Text to check against. Default: the store's oldest articles."),
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="How many at most.")] = 300,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.01, help="Bound on the time of the steps.")
    ] = 30.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Decides everything random.")] = 1,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Only use the model before the current one again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Let the language model learn from the last days' articles; kept only if it got better.

    A run that is killed changes nothing; the next one begins anew.
    """
    session: Session = context.obj
    chosen, now = session.settings.model.language, utc_now()
    if roll_back:
        report: dict[str, Any] = language_models.roll_back(session.home)
    else:
        moment = parse_since(since, now=now)
        from agent.adaptation import Adaptation, adapt_home, open_for_reading  # loads torch
        from model.adapt import AdaptConfig

        run = Adaptation(moment, AdaptConfig(steps=steps, minutes=minutes, seed=seed), gate)
        console = Console(stderr=True)
        silent = contextlib.nullcontext(SilentProgress())
        with (
            open_for_reading(session.settings, session.home) as kb,
            render.TerminalProgress(console) if console.is_terminal else silent as progress,
        ):
            report = adapt_home(kb, session.home, run, now=now, base=chosen, progress=progress)
    if chosen is not None:
        sys.stderr.write(f"tidings: TIDINGS_MODEL__LANGUAGE is set, so {chosen} is in use\n")
    _show(report, as_json=as_json)


def _show(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    else:
        render.show_mapping(render.stdout_console(), report)
