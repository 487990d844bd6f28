"""What each idea of the language model of levels is worth: one row for each, at equal processor time.

    python scripts/ablate_levels.py --data DIR [--text shakespeare|news] [--seconds 60] [--seeds 5] [--rows NAME,...]
                                    [--out FILE] [--work FOLDER]

Every row (`model/level_rows.py`) changes one thing of the model that is measured first and trains it on Tiny
Shakespeare, or on some news, for so many seconds of one thread's processor time, several times with other seeds.
Reported are the mean over seeds and a 95 % interval (Student's t) of bits a character over text that was kept out, of
how often blocks of the higher levels are right, and of how well the length of a code tells whether it is. The report is
written after every training; a killed run goes on with the rows and seeds that are left.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from model.checkpoint import Checkpoint, current_commit
from model.generate import Climb, Writing, write_on
from model.held_out import as_stored
from model.level_rows import ROWS, Row, RowShelf
from model.level_stops import ByMargin
from model.predict import LanguageModel
from model.predict_data import read_news_text
from model.predict_sureness import block_outcomes, fit_sureness
from model.predict_train import PredictText, split_text, steps_within, text_ids
from model.predict_trainer import PredictTrainer
from model.read_metrics import area_under_curve
from model.timing import describe_machine

SHAKESPEARE, NEWS = "shakespeare", "news"
TEXT = "train/lm/tinyshakespeare.txt.xz"
TRAINING_SHARE = 0.9
NEWS_ARTICLES, NEWS_LEAST, NEWS_KEPT_OUT = 400, 200, 100_000
"""Articles of each kind of files; how often a character occurs that has an id; characters that are measured on."""
LONGER = 4
"""Rows that look far are also measured on stretches so many times as long as in training."""
REPORTS = Path(__file__).resolve().parent / "reports"
REPORT_NAMES = {SHAKESPEARE: "levels.json", NEWS: "levels_news.json"}
WRITTEN_CHARS, PROMPT_CHARS = 400, 64
LEAST_SHARES = (0.0, 0.1, 0.3, 0.5, 0.7)
"""From which on a level is heard, to be compared; from 0 whenever it agrees with the lowest level on one character."""

SIGNS: Mapping[str, type[LanguageModel]] = {"length": LanguageModel, "margin": ByMargin}
"""What may tell that a level is sure of its block."""
MEDIANS = "params", "steps", "chars_per_s", "mean_cosine", "effective_rank"
"""What is reported as the median over seeds."""

Found = dict[str, Any]


def main() -> int:
    """Train what is left, and write the report."""
    options = _options()
    torch.set_num_threads(1)
    names = options.rows.split(",") if options.rows else list(ROWS)
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        sys.exit(f"no row {unknown[0]!r}; there is {', '.join(ROWS)}")
    text = read_text(options)
    out = options.out or REPORTS / REPORT_NAMES[options.text]
    work = options.work / options.text
    work.mkdir(parents=True, exist_ok=True)
    shelf = RowShelf(text)
    for seed in range(1, options.seeds + 1):
        for name in names:
            path = work / f"{name}-{seed}-{options.seconds:g}.json".replace(" ", "_")
            if not path.exists():
                found = measure(ROWS[name], text, shelf, seed=seed, seconds=options.seconds)
                _write(path, found)
                print(name, seed, found["bits"], flush=True, file=sys.stderr)
            _write(out, summarise(options, names, text))
    return 0


def read_text(options: argparse.Namespace) -> PredictText:
    """What is trained on, and what is kept out."""
    if options.text == SHAKESPEARE:
        return split_text(options.data / TEXT, training_share=TRAINING_SHARE)
    text = text_ids(read_news_text(options.data, most=NEWS_ARTICLES), least=NEWS_LEAST)
    return replace(text, development=text.development[:NEWS_KEPT_OUT])


def _write(path: Path, found: Found) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


# --------------------------------------------------------------------------------------------------- one training
def measure(row: Row, text: PredictText, shelf: RowShelf, *, seed: int, seconds: float) -> Found:
    """Train a row once, and look at what it learned."""
    trainer = shelf.trainer(row, seed=seed)
    train = trainer.train
    spent = [s for _, s in steps_within(trainer, text.training, seconds, clock=time.process_time)]
    found = trainer.evaluate(text.development)
    table = trainer.mean_model().loss.table().detach().numpy()
    result = {
        "bits": found[0]["bits"],
        "params": sum(each.numel() for each in trainer.network.parameters()),
        "steps": trainer.step,
        "chars_per_s": round(trainer.step * train.texts * train.chars / spent[-1]),
        **spread_of(table),
    }
    if row.looks_far:
        trainer.train = replace(train, chars=LONGER * train.chars)
        result["bits_longer"] = trainer.evaluate(text.development)[0]["bits"]
    if row.is_readable:
        result |= read_back(trainer, text, writes=row.writes)
    return result


def spread_of(table: np.ndarray) -> Found:
    """Whether characters' codes are still apart: mean cosine of two of them, and the effective rank."""
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    cosines = unit @ unit.T
    count = len(table)
    values = np.linalg.svd(table - table.mean(axis=0), compute_uv=False)
    shares = values / max(float(values.sum()), 1e-12)
    entropy = -float((shares * np.log(np.maximum(shares, 1e-12))).sum())
    return {
        "mean_cosine": round(float((cosines.sum() - count) / (count * (count - 1))), 3),
        "effective_rank": round(float(np.exp(entropy)), 1),
    }


def read_back(trainer: PredictTrainer, text: PredictText, *, writes: bool) -> Found:
    """Of every level how often its block is right, and whether the length of its code tells."""
    checkpoint = as_stored(trainer, text, name="ablated")
    found: Found = {}
    for sign, kind in SIGNS.items() if writes else [("length", LanguageModel)]:
        outcomes = block_outcomes(_model(kind, checkpoint, trainer), text.development)
        found["right"] = [round(float(right.mean()), 4) for _, right in outcomes]
        found[f"auroc_of_{sign}"] = [
            round(area_under_curve(signs, right), 4) for signs, right in outcomes
        ]
        if writes:
            half = len(text.development) // 2
            sureness = [fit_sureness(signs[:half], right[:half]) for signs, right in outcomes]
            config = {**checkpoint.config, "sureness": sureness}
            model = _model(kind, replace(checkpoint, config=config), trainer)
            found[f"writing_by_{sign}"] = writing(model, text)
    return found


def _model(
    kind: type[LanguageModel], checkpoint: Checkpoint, trainer: PredictTrainer
) -> LanguageModel:
    """What the trainer has learned, at run time, with the larger units that it was trained on."""
    model = kind(checkpoint)
    model.stored = replace(model.stored, hasher=trainer.hasher)
    return model


def writing(model: LanguageModel, text: PredictText) -> Found:
    """Characters a step of greedy writing, by the share from which a level is heard, and characters per second."""
    prompt = text.alphabet.text(text.development[-PROMPT_CHARS:])
    ways = {"plain": Writing(WRITTEN_CHARS, Climb.PLAIN), "recalled": Writing(WRITTEN_CHARS)}
    for share in LEAST_SHARES:
        levels_alone = Writing(WRITTEN_CHARS, recalls=False, least_share=share)
        ways[f"checked from {share:g}"] = levels_alone
        ways[f"free from {share:g}"] = replace(levels_alone, climb=Climb.FREE)
    found: Found = {}
    for name, way in ways.items():
        began = time.process_time()
        written = write_on(model, prompt, way)
        spent = time.process_time() - began
        found[name] = {
            "chars_per_step": round(WRITTEN_CHARS / written.steps, 3),
            "chars_per_s": round(WRITTEN_CHARS / spent),
        }
    return found


# -------------------------------------------------------------------------------------------------------- report
def summarise(options: argparse.Namespace, names: list[str], text: PredictText) -> Found:
    """Means over the seeds that were run, with intervals, of the rows that have any."""
    rows = {}
    for name in names:
        pattern = f"{name}-*-{options.seconds:g}.json".replace(" ", "_")
        paths = sorted((options.work / options.text).glob(pattern))
        if runs := [json.loads(path.read_text("utf-8")) for path in paths]:
            rows[name] = {"idea": ROWS[name].idea, **summary(runs)}
    command = f"scripts/ablate_levels.py --seconds {options.seconds:g} --seeds {options.seeds}"
    if options.text != SHAKESPEARE:
        command += f" --text {options.text}"
    return {
        "command": command,
        "text": TEXT if options.text == SHAKESPEARE else f"{NEWS_ARTICLES} articles of each kind",
        "text_digest": text.digest,
        "processor_seconds": options.seconds,
        "rows": rows,
        "machine": describe_machine(),
        "commit": current_commit(),
    }


def summary(runs: list[Found]) -> Found:
    """Of one row with several seeds."""
    found = interval([run["bits"] for run in runs])
    for key in MEDIANS:
        found[key] = round(statistics.median(run[key] for run in runs), 3)
    if "bits_longer" in runs[0]:
        found["bits_longer"] = round(statistics.fmean(run["bits_longer"] for run in runs), 4)
    for key in ("right", *(f"auroc_of_{sign}" for sign in SIGNS)):
        if key in runs[0]:
            means = np.mean([run[key] for run in runs], axis=0)
            found[key] = [round(float(each), 4) for each in means]
    for key in (f"writing_by_{sign}" for sign in SIGNS):
        if key in runs[0]:
            found[key] = {
                way: {
                    metric: round(statistics.median(run[key][way][metric] for run in runs), 3)
                    for metric in ("chars_per_step", "chars_per_s")
                }
                for way in runs[0][key]
            }
    return found


def interval(values: list[float]) -> Found:
    """Mean and half the width of its 95 % interval; None of a single value."""
    half = None
    if len(values) > 1:
        error = statistics.stdev(values) / len(values) ** 0.5
        half = round(float(stats.t.ppf(0.975, len(values) - 1)) * error, 4)
    return {"bits": round(statistics.fmean(values), 4), "half_interval": half, "n": len(values)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each training")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", help="names of some, with commas; default: all")
    parser.add_argument("--text", choices=REPORT_NAMES, default=SHAKESPEARE)
    parser.add_argument("--out", type=Path, help="default: the report of that text")
    parser.add_argument(
        "--work", type=Path, default=Path("levels.run"), help="keeps what a killed run has measured"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
