"""`tidings generate`: text from the language model."""

import json
import sys
from typing import Annotated

import typer

from agent.errors import ConfigError
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
    model = load_language_model(session.settings.model.language)
    climb = Climb.FREE if free else Climb.CHECKED
    writing = Writing(chars, climb, sure, temperature, top_p, seed)
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
