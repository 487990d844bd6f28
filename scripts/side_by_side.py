"""Our model of levels beside nanoGPT's character model: the same text, cores and seconds of training.

    python scripts/side_by_side.py --data DIR [--out FILE] [--plot FILE] [--seconds-limit N] [--threads 2] [--news]
                                   [--levels-of characters|words]

nanoGPT's model is trained on Tiny Shakespeare as its README trains it on a processor, ours then for as many seconds.
Only training steps are timed: neither the looks at the validation text count nor the fitting of our codes, whose
seconds are reported. Losses are nats a character over the whole validation text, its first character excepted: once cut
into stretches as long as those of training, and once with half a stretch or more before every character. Ours is also
read as it is at run time, with the experience of the training text; PPMd packs the same texts one after the other.
"""

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from model.checkpoint import Checkpoint, current_commit
from model.evaluate_lm import COMPRESSORS
from model.generate import Climb, Writing, write_on
from model.gpt import Gpt, GptConfig, Scores, generate, text_nats
from model.gpt_train import GptTrainConfig, take_steps
from model.held_out import as_stored, keep_out, run_time_nats
from model.level_config import LevelConfig, LevelsOf
from model.predict import LanguageModel
from model.predict_config import UNSET, PredictPreset, PredictTrainConfig
from model.predict_data import read_news_text
from model.predict_train import (
    UNPLANNED,
    PredictText,
    split_text,
    steps_within,
    text_ids,
    trainer_of,
    with_sureness,
)
from model.predict_trainer import PredictTrainer
from model.timing import describe_machine

TEXT = "train/lm/tinyshakespeare.txt.xz"
NEWS = "news"
TITLES = {TEXT: "Tiny Shakespeare", NEWS: "News to 2024"}
"""Of pictures, by what a report says was read."""
TRAINING_SHARE = 0.9
NEWS_ARTICLES, LEAST = 1_000, 200
"""Of each kind of files, where news is read; how often a character occurs that has an id of its own."""
REPORT = Path(__file__).resolve().parent / "reports" / "side_by_side.json"
NEWS_REPORT = REPORT.with_name("side_by_side_news.json")
PUBLISHED_NATS = {TEXT: 1.88}
"""Of the same training on the same text, on 15,360 random characters: nanoGPT's README."""

LEVELS = LevelConfig(
    UNSET, (96, 128, 128, 128), (1, 1, 1, 1), code_widths=(60, 128, 128, 128), rows=16_384
)
"""Codes of characters are no wider than there are characters to tell apart."""
TRAIN = PredictTrainConfig(UNPLANNED, texts=8, chars=256)

FIRST_LOOK_S, LOOK_GROWTH = 1.0, 1.3
"""At the validation text, in seconds of training, and how much later each look is than the one before."""

GENERATED, PROMPT, ALTERNATIONS = 256, 64, 5
"""Characters that are written and read before; how often each writes."""
FOR_GATE = 40_000
"""Characters that ours is not trained on: its gate is fitted on them. They are the first ones: the last tell of those
whom the validation text goes on to tell of."""
SURENESS_FROM = 20_000
"""Characters of the validation text that tell how sure our higher levels may be; the text they write is the same."""

NANOGPT, OURS = "nanoGPT", "levels"
COLOURS = {NANOGPT: "#34495e", OURS: "#c0392b"}

Steps = Iterator[tuple[int, float]]
"""Steps while they are taken: the number of each, and the seconds of all so far."""
Write = Callable[[], object]
"""Writes so many characters behind the prompt."""
Found = dict[str, Any]
"""What is reported of one model."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a training run."""

    seed: int
    seconds: float


def main() -> None:
    """Train both, and write the report."""
    options = _options()
    torch.set_num_threads(options.threads)
    text = read_news(options.data) if options.news else read_text(options.data / TEXT)
    preset = PredictPreset(OURS, LEVELS, replace(TRAIN, seed=options.seed))
    preset = preset.with_levels_of(LevelsOf(options.levels_of))
    limits = Limits(options.seed, options.seconds_limit)
    report = _head(options, text) | compare(text, limits, preset)
    out = options.out or (NEWS_REPORT if options.news else REPORT)
    out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        draw(report, options.plot)
    for name, found in report["models"].items():
        print(
            f"{name}: {found['val_nats']:.3f} nats a character "
            f"({found['val_nats_half_window']:.3f} with half a window) "
            f"after {found['seconds']:.1f} s, {found['steps']} steps"
        )


def read_text(path: Path) -> PredictText:
    """The text as nanoGPT parts it: its last tenth is the validation text, called development here."""
    if not path.is_file():
        raise SystemExit(f"there is no {path}")
    return split_text(path, training_share=TRAINING_SHARE)


def read_news(data: Path) -> PredictText:
    """News to 2024, some of its articles for validation."""
    news = read_news_text(data, most=NEWS_ARTICLES)
    return text_ids(news, least=LEAST)


def compare(text: PredictText, limits: Limits, preset: PredictPreset) -> Found:
    """Train one after the other, ours by a preset, then let them write in turns."""
    theirs, their_writers = nanogpt(text, limits)
    ours, our_writers = levels(text, preset, theirs["seconds"])
    return {
        "models": {NANOGPT: theirs, OURS: ours},
        "packed_nats": {"PPMd": packed_nats(text)},
        "generated_chars_per_s": writing_speeds(their_writers | our_writers),
    }


# ------------------------------------------------------------------------------------------ nanoGPT
def nanogpt(text: PredictText, limits: Limits) -> tuple[Found, dict[str, Write]]:
    """Train the published model with the published settings, for all its steps or to the limit."""
    config = GptConfig.cpu(int(max(text.training.max(), text.development.max())) + 1)
    train = GptTrainConfig.cpu(seed=limits.seed)
    torch.manual_seed(limits.seed)
    gpt = Gpt(config)

    def steps() -> Steps:
        for taken in take_steps(gpt, train, text.training):
            yield taken.step, taken.seconds
            if taken.seconds >= limits.seconds:
                return

    found = follow(steps(), lambda: gpt.eval(), text, window=config.block_size)
    found |= _trained(gpt, found, train.texts * config.block_size)
    found |= {"planned_steps": train.steps, "model": asdict(config), "train": asdict(train)}
    prompt = torch.from_numpy(text.development[None, -PROMPT:].astype(np.int64))
    return found, {NANOGPT: lambda: generate(gpt, prompt, GENERATED, temperature=0)}


# --------------------------------------------------------------------------------------------- ours
def levels(
    text: PredictText, preset: PredictPreset, seconds: float
) -> tuple[Found, dict[str, Write]]:
    """Train ours for some seconds."""
    began = time.perf_counter()
    text, kept_out = keep_out(text, FOR_GATE)
    trainer = trainer_of(preset, text)
    prepared_s = time.perf_counter() - began
    steps = steps_within(trainer, text.training, seconds)
    found = follow(steps, lambda: _our_scores(trainer), text, window=trainer.train.chars)
    found |= _trained(trainer.network, found, trainer.train.texts * trainer.train.chars)
    found |= {"planned_steps": trainer.train.steps, "prepared_s": round(prepared_s, 1)}
    found |= {"model": asdict(trainer.levels), "train": asdict(trainer.train)}
    checkpoint = as_stored(trainer, text, name=OURS)
    at_run_time = dict(run_time_nats(checkpoint, text, kept_out))
    found["experience_s"] = at_run_time.pop("experience_s")
    found |= {f"val_nats_{name}": value for name, value in at_run_time.items()}
    return found, _our_writers(checkpoint, text)


def packed_nats(text: PredictText) -> float:
    """What PPMd pays for the validation text behind the training text, nats a character."""
    training = text.alphabet.text(text.training)
    whole = training + text.alphabet.text(text.development)
    pack = COMPRESSORS["PPMd"]
    bits = pack(whole) * len(whole) - pack(training) * len(training)
    return round(bits / len(text.development) * math.log(2), 4)


def _our_scores(trainer: PredictTrainer) -> Scores:
    """By the running mean of the weights: it is what would be shipped."""
    model = trainer.mean_model()

    def scores(ids: Tensor) -> Tensor:
        units = None
        if trainer.hasher is not None:
            units = torch.from_numpy(trainer.hasher(ids.numpy().astype(np.uint8)))
        return model.loss.scores(model.network(ids, units)[0])

    return scores


def _our_writers(checkpoint: Checkpoint, text: PredictText) -> dict[str, Write]:
    """The model as it writes at run time: character by character, and the same text in fewer steps."""
    model = LanguageModel(with_sureness(checkpoint, text.development[:SURENESS_FROM]))
    prompt = text.alphabet.text(text.development[-PROMPT:])

    def writer(climb: Climb) -> Write:
        return lambda: write_on(model, prompt, Writing(GENERATED, climb))

    return {f"{OURS}, {climb}": writer(climb) for climb in (Climb.PLAIN, Climb.CHECKED)}


# --------------------------------------------------------------------------------------- both alike
def follow(steps: Steps, scores: Callable[[], Scores], text: PredictText, window: int) -> Found:
    """Take steps, and look at the validation text now and then and at the end.

    Args:
        steps: are taken while they are asked for.
        scores: what the model says after the steps so far.
        text: with the validation text.
        window: characters that the model reads together.
    """
    curve: list[Found] = []
    step, seconds, next_look_s = 0, 0.0, FIRST_LOOK_S
    for step, seconds in steps:
        if seconds >= next_look_s:
            curve.append(_look(step, seconds, text_nats(scores(), text.development, window=window)))
            next_look_s = seconds * LOOK_GROWTH
    if not curve or curve[-1]["step"] != step:
        curve.append(_look(step, seconds, text_nats(scores(), text.development, window=window)))
    half = text_nats(scores(), text.development, window=window, stride=window // 2)
    return {
        "val_nats": curve[-1]["val_nats"],
        "val_nats_half_window": round(half, 4),
        "window": window,
        "steps": step,
        "seconds": round(seconds, 3),
        "curve": curve,
    }


def _look(step: int, seconds: float, nats: float) -> Found:
    return {"step": step, "seconds": round(seconds, 2), "val_nats": round(nats, 4)}


def _trained(network: torch.nn.Module, found: Found, chars_a_step: int) -> Found:
    return {
        "params": sum(each.numel() for each in network.parameters()),
        "train_chars_per_s": round(found["steps"] * chars_a_step / found["seconds"]),
    }


def writing_speeds(writers: Mapping[str, Write]) -> dict[str, float]:
    """Median characters per second of each, in turns; what they write first is not timed."""
    seconds: dict[str, list[float]] = {name: [] for name in writers}
    for turn in range(1 + ALTERNATIONS):
        for name, write in writers.items():
            began = time.perf_counter()
            write()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    return {name: round(GENERATED / statistics.median(each), 1) for name, each in seconds.items()}


def draw(report: Mapping[str, Any], out: Path) -> None:
    """Draw validation losses over seconds of training; the same report always gives the same file."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)  # draws into memory: no display is needed
    axes = figure.subplots()
    for name, found in report["models"].items():
        curve = found["curve"]
        axes.plot(
            [point["seconds"] for point in curve],
            [point["val_nats"] for point in curve],
            marker="o",
            markersize=3,
            color=COLOURS[name],
            label=f"{name}: {found['val_nats']:.3f}",
        )
    if "published_nats" in report:
        published = report["published_nats"]
        label = f"nanoGPT as published: {published}"
        axes.axhline(published, linewidth=1, linestyle="--", color="0.5", label=label)
    axes.set(
        xscale="log",
        xlabel="seconds of training",
        ylabel="validation loss, nats a character",
        title=f"{TITLES[report['text']['file']]}, the same cores and seconds",
    )
    axes.grid(visible=True, alpha=0.25)
    axes.legend(fontsize="small")
    # Nothing of when and by which release it was drawn, so that equal pictures are equal files.
    figure.savefig(out, dpi=120, metadata={"Software": None})


def _head(options: argparse.Namespace, text: PredictText) -> Found:
    command = f"python scripts/side_by_side.py --data DIR --seed {options.seed}"
    command += f" --threads {options.threads}"
    command += " --news" * options.news
    if options.levels_of != LevelsOf.CHARACTERS:
        command += f" --levels-of {options.levels_of}"
    if options.seconds_limit < float("inf"):
        command += f" --seconds-limit {options.seconds_limit:g}"
    file = NEWS if options.news else TEXT
    published = {"published_nats": PUBLISHED_NATS[file]} if file in PUBLISHED_NATS else {}
    return {
        "benchmark": "side by side",
        "command": command,
        "machine": describe_machine(),
        "threads": options.threads,
        "load": round(os.getloadavg()[0], 1),
        "commit": current_commit(),
        "torch": torch.__version__,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": options.seed,
        "text": {
            "file": file,
            "digest": text.digest,
            "training_chars": len(text.training),
            "validation_chars": len(text.development),
        },
        **published,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--out", type=Path, help="default: among the reports, by the text")
    parser.add_argument("--plot", type=Path, help="where a picture of both curves goes")
    parser.add_argument(
        "--seconds-limit",
        type=float,
        default=float("inf"),
        help="of each training, for a first look",
    )
    parser.add_argument("--news", action="store_true", help="news in place of the play")
    parser.add_argument(
        "--levels-of", choices=[each.value for each in LevelsOf], default=LevelsOf.CHARACTERS.value
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
