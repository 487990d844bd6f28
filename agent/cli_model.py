"""`tidings evaluate` and `tidings train`: the model's own work, without a knowledge base."""

import contextlib
import json
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from rich.console import Console
from rich.text import Text

from agent import render
from agent.errors import ConfigError
from agent.progress import SilentProgress
from agent.quiz import Weeks
from agent.session import Session
from model.level_config import LevelsOf


class Head(StrEnum):
    """What can be trained."""

    EMBED = "embed"
    TAG = "tag"
    READ = "read"
    ASK = "ask"
    PREDICT = "predict"


class PresetName(StrEnum):
    """How much of it."""

    TINY = "tiny"
    SMALL = "small"
    BASE = "base"
    """The encoder's, the reader's and the language model's; other parts take it for `small`."""


SMOKE_EVERY = 1_000_000
"""Of all weeks the first."""

Data = Annotated[
    Path | None, typer.Option("--data", help="The data folder. Default: TIDINGS_DATA.")
]


def evaluate(
    context: typer.Context,
    suite: Annotated[
        str,
        typer.Argument(
            help=(
                "sts, classification, retrieval, codesearch, reader, tagging, lm, realtimeqa, novelty, "
                "memory or stories"
            )
        ),
    ],
    report_file: Annotated[Path, typer.Option("--json", help="Where the report goes.")],
    data: Data = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Run the comparators beside it (extra `compare`).")
    ] = False,
    encoder: Annotated[
        Path | None,
        typer.Option("--encoder", help="The encoder's folder. Default: TIDINGS_MODEL__ENCODER."),
    ] = None,
    weeks: Annotated[
        str, typer.Option(help="Of realtimeqa: FROM..TO, each YYYYMMDD or the beginning of it.")
    ] = "2025..2025",
    every: Annotated[int, typer.Option(min=1, help="Of realtimeqa: only every N-th week.")] = 1,
    smoke: Annotated[bool, typer.Option("--smoke", help="Of realtimeqa: one week.")] = False,
    work: Annotated[
        Path | None,
        typer.Option(help="Of realtimeqa: keeps a killed run. Default: the report's name, .run"),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=2,
            help=(
                "Of novelty and lm: at most so many articles; of memory: questions of a set; of stories: "
                "articles on each side of the split."
            ),
        ),
    ] = None,
) -> None:
    """Evaluate a part of the model, or the whole program, and write a JSON report."""
    from agent.evaluate_news import NEWS_SUITES, NewsOptions, evaluate_news
    from model import load_encoder, load_tagger
    from model.evaluate import evaluate_suite  # loads the comparators' libraries
    from model.evaluate_tagging import evaluate_tagging

    session: Session = context.obj
    settings = session.settings
    if suite == "lm":
        found = _evaluate_lm(context, data, compare=compare, limit=limit)
        _write_report(found, report_file)
        return
    folder = _data_folder(context, data)
    if suite == "tagging":
        tagger = load_tagger(settings.model.tagger)
        _write_report(evaluate_tagging(folder, tagger=tagger), report_file)
        return
    if encoder is not None:
        chosen = settings.model.model_copy(update={"encoder": encoder})
        settings = settings.model_copy(update={"model": chosen})
    if suite in NEWS_SUITES:
        options = NewsOptions(
            compare=compare,
            weeks=_weeks(weeks, every=SMOKE_EVERY if smoke else every),
            limit=limit,
            work=work or report_file.with_suffix(".run"),
        )
        console = Console(stderr=True)
        silent = contextlib.nullcontext(SilentProgress())
        with render.TerminalProgress(console) if console.is_terminal else silent as progress:
            report = evaluate_news(suite, folder, settings, options, progress)
    else:
        loaded = load_encoder(settings.model.encoder)
        report = evaluate_suite(suite, folder, compare=compare, encoder=loaded)
    _write_report(report, report_file)


def _evaluate_lm(
    context: typer.Context, data: Path | None, *, compare: bool, limit: int | None
) -> dict[str, Any]:
    from agent.language_models import language_folder
    from model.evaluate_lm import evaluate_lm
    from model.predict import load_language_model

    session: Session = context.obj
    # A text file will do where other suites need a folder.
    source = data if data is not None and data.is_file() else _data_folder(context, data)
    model = load_language_model(language_folder(session.settings.model.language, session.home))
    return evaluate_lm(source, compare=compare, model=model, limit=limit)


def _write_report(report: dict[str, Any], report_file: Path) -> None:
    """Write the report, and print a line of figures a set."""
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        report_file.write_text(text + "\n", encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{report_file}: {exc.strerror}") from exc
    out = render.stdout_console()
    for name, metrics in {**report["sets"], "mean": report["mean"]}.items():
        out.print(Text(f"{name:<16} {_on_one_line(metrics)}"))


def _weeks(written: str, *, every: int) -> Weeks:
    first, dots, last = written.partition("..")
    if not (dots and first.isdigit() and last.isdigit()):
        raise ConfigError(f"--weeks {written}: not FROM..TO, such as 202501..202506")
    return Weeks(first, last, every)


def _on_one_line(metrics: dict[str, Any]) -> str:
    """`metric value` of each, groups of them in brackets."""
    return "  ".join(
        f"{name} ({_on_one_line(value)})" if isinstance(value, dict) else f"{name} {value}"
        for name, value in metrics.items()
    )


def train(
    context: typer.Context,
    head: Annotated[Head, typer.Argument(help="What to train.")],
    out: Annotated[Path, typer.Option("--out", help="The folder for the weights.")],
    preset: Annotated[PresetName, typer.Option("--preset", help="How much.")] = PresetName.SMALL,
    data: Data = None,
    cache: Annotated[
        Path | None, typer.Option("--cache", help="Where the teacher's vectors are kept.")
    ] = None,
    more: Annotated[
        Path | None,
        typer.Option(
            "--more", help="A folder of further text for the encoder, questions for the reader."
        ),
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            help="File of the gathered text of the encoder or the reader: written once, then read.",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            help="Where steps are taken, but those of the tagger: cpu, cuda.",
        ),
    ] = "cpu",
    seed: Annotated[int, typer.Option("--seed", help="Decides everything random.")] = 1,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", min=1, help="Of the language model: not the preset's, but so many."
        ),
    ] = None,
    levels_of: Annotated[
        LevelsOf,
        typer.Option(
            "--levels-of", help="What the language model's levels have states of, but the lowest."
        ),
    ] = LevelsOf.CHARACTERS,
) -> None:
    """Train a part of the model; a killed run goes on where it was."""
    # What was gathered before needs no data.
    is_gathered = recipe is not None and recipe.exists() and head in (Head.EMBED, Head.READ)
    folder = None if is_gathered else _data_folder(context, data)
    if head is Head.EMBED:
        from model.config import PRESETS
        from model.train import train_embed

        train_embed(
            PRESETS[preset.value](),
            folder,
            out,
            cache=cache or platformdirs.user_cache_path("tidings"),
            more=more,
            recipe=recipe,
            seed=seed,
            device=device,
        )
    elif head is Head.READ:
        from model import read_config
        from model.read_train import train_read

        chosen = read_config.PRESETS[preset.value]()
        train_read(chosen, folder, out, recipe=recipe, more=more, seed=seed, device=device)
    elif head is Head.PREDICT:
        from model import predict_config
        from model.predict_train import train_predict

        chosen_model = predict_config.PRESETS[preset.value]().with_levels_of(levels_of)
        folder = _data_folder(context, data)
        train_predict(chosen_model, folder, out, seed=seed, device=device, steps=steps)
    else:
        _train_from(_data_folder(context, data), head, out, preset=preset, seed=seed, device=device)


def _train_from(
    folder: Path, head: Head, out: Path, *, preset: PresetName, seed: int, device: str
) -> None:
    if head is Head.TAG:
        from model.tag_train import TagTrainConfig
        from model.tag_train import train as train_tag

        train_tag(folder, out, TagTrainConfig(seed=seed))
        return
    _train_ask(preset, folder, out, seed=seed, device=device)


def _train_ask(preset: PresetName, folder: Path, out: Path, *, seed: int, device: str) -> None:
    from agent.grammar_questions import grammar_questions
    from model import ask_config, load_encoder, load_reader, load_tagger
    from model.ask_data import grammar_rows
    from model.ask_text import GRAMMAR, Asked
    from model.ask_train import train_ask

    chosen = ask_config.tiny() if preset is PresetName.TINY else ask_config.small()
    rows = islice(grammar_rows(folder), chosen.train.max_articles)
    exercises = grammar_questions(rows, load_tagger())
    grammar = [Asked(*exercise, GRAMMAR) for exercise in exercises]
    reader = load_reader(encoder=load_encoder())
    train_ask(chosen, folder, out, reader=reader, grammar=grammar, seed=seed, device=device)


def _data_folder(context: typer.Context, data: Path | None) -> Path:
    session: Session = context.obj
    folder = data or session.settings.data
    if folder is None:
        raise ConfigError("no data folder: name one with --data or TIDINGS_DATA")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: not a folder")
    return folder
