"""`tidings evaluate` and `tidings train`: the model's own work, without a knowledge base."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer
from rich.text import Text

from agent import render
from agent.errors import ConfigError
from agent.session import Session


class Head(StrEnum):
    """What can be trained."""

    EMBED = "embed"
    TAG = "tag"


class PresetName(StrEnum):
    """How much of it."""

    TINY = "tiny"
    SMALL = "small"


Data = Annotated[
    Path | None, typer.Option("--data", help="The data folder. Default: TIDINGS_DATA.")
]


def evaluate(
    context: typer.Context,
    suite: Annotated[str, typer.Argument(help="sts, classification, retrieval or codesearch")],
    report_file: Annotated[Path, typer.Option("--json", help="Where the report goes.")],
    data: Data = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Run the comparators beside it (extra `compare`).")
    ] = False,
    encoder: Annotated[
        Path | None,
        typer.Option("--encoder", help="The encoder's folder. Default: TIDINGS_MODEL__ENCODER."),
    ] = None,
) -> None:
    """Evaluate the encoder and write a JSON report."""
    from model import load_encoder
    from model.evaluate import evaluate_suite  # loads the comparators' libraries

    session: Session = context.obj
    folder = _data_folder(context, data)
    loaded = load_encoder(encoder or session.settings.model.encoder)
    report = evaluate_suite(suite, folder, compare=compare, encoder=loaded)
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        report_file.write_text(text + "\n", encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{report_file}: {exc.strerror}") from exc
    out = render.stdout_console()
    for name, metrics in {**report["sets"], "mean": report["mean"]}.items():
        out.print(Text(f"{name:<16} {_on_one_line(metrics)}"))


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
        Path | None, typer.Option("--more", help="A folder of further text for the encoder.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides everything random.")] = 1,
) -> None:
    """Train a part of the model; a killed run goes on where it was."""
    folder = _data_folder(context, data)
    if head is Head.TAG:
        from model.tag_train import TagTrainConfig
        from model.tag_train import train as train_tag

        train_tag(folder, out, TagTrainConfig(seed=seed))
        return
    from model import config
    from model.train import train_embed

    chosen = config.tiny() if preset is PresetName.TINY else config.small()
    cache = cache or platformdirs.user_cache_path("tidings")
    train_embed(chosen, folder, out, cache=cache, more=more, seed=seed)


def _data_folder(context: typer.Context, data: Path | None) -> Path:
    session: Session = context.obj
    folder = data or session.settings.data
    if folder is None:
        raise ConfigError("no data folder: name one with --data or TIDINGS_DATA")
    if not folder.is_dir():
        raise ConfigError(f"{folder}: not a folder")
    return folder
