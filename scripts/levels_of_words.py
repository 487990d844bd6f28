"""A language model whose levels have states of words beside one whose levels have states of characters.

    python scripts/levels_of_words.py --data DIR [--preset small] [--seconds 60] [--seed 1] [--articles 100]
                                      [--out FILE]

Both have the preset's sizes and learn the same news for the same seconds of one thread's processor time, their schedule
planned to end with it. Reported are bits a character of articles that were kept out, as in training and as the stored
model reads them; how many steps they took and characters they read a second; how often blocks of the higher levels are
right, how well the length of a code tells, and how many blocks are proposed; and how fast each writes, by processor
time, medians over prompts.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.checkpoint import current_commit
from model.generate import Climb, Writing, write_on
from model.held_out import as_stored
from model.level_config import LevelsOf
from model.predict import LanguageModel
from model.predict_config import PRESETS, PredictPreset
from model.predict_data import read_news_text
from model.predict_sureness import block_outcomes
from model.predict_train import (
    UNPLANNED,
    PredictText,
    steps_within,
    text_ids,
    trainer_of,
    with_sureness,
)
from model.predict_trainer import PredictTrainer
from model.read_metrics import area_under_curve
from model.timing import describe_machine

REPORT = Path(__file__).resolve().parent / "reports" / "levels_of_words.json"
KEPT_OUT = 100_000
"""Characters that bits and blocks are measured on; the first half tells how sure levels may be, prompts are of the
second."""
PROMPTS, PROMPT_CHARS, WRITTEN_CHARS = 5, 200, 300
WAYS = {
    "plain": Writing(WRITTEN_CHARS, Climb.PLAIN),
    "checked": Writing(WRITTEN_CHARS),
    "checked, nothing recalled": Writing(WRITTEN_CHARS, recalls=False),
    "free": Writing(WRITTEN_CHARS, Climb.FREE),
}

Found = dict[str, Any]


def main() -> int:
    """Train one after the other; the report is written after each."""
    options = _options()
    torch.set_num_threads(1)
    preset = PRESETS[options.preset]()
    news = read_news_text(options.data, most=options.articles)
    text = text_ids(news, least=preset.least)
    text = replace(text, development=text.development[:KEPT_OUT])
    train = replace(preset.train, steps=UNPLANNED, seed=options.seed)
    report = _head(options, text)
    for levels_of in LevelsOf:
        found = measure(
            replace(preset, train=train).with_levels_of(levels_of), text, options.seconds
        )
        report["models"][levels_of.value] = found
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        print(levels_of, found["bits"], found["steps"], file=sys.stderr, flush=True)
    return 0


def measure(preset: PredictPreset, text: PredictText, seconds: float) -> Found:
    """Train one for so many seconds, and look at what it learned."""
    trainer = trainer_of(preset, text)
    spent = [s for _, s in steps_within(trainer, text.training, seconds, clock=time.process_time)]
    losses = trainer.evaluate(text.development)
    checkpoint = as_stored(trainer, text, name=preset.name)
    half = len(text.development) // 2
    model = LanguageModel(with_sureness(checkpoint, text.development[:half]))
    return {
        "bits": losses[0]["bits"],
        "bits_by_level": [each["bits"] for each in losses],
        "params": sum(each.numel() for each in trainer.network.parameters()),
        "steps": trainer.step,
        "train_chars_per_s": round(trainer.step * _chars(trainer) / spent[-1]),
        **reading(model, text),
        "writing": writing(model, text),
    }


def _chars(trainer: PredictTrainer) -> int:
    return trainer.train.texts * trainer.train.chars


def reading(model: LanguageModel, text: PredictText) -> Found:
    """What the second half of the kept-out text costs, and what is said of its blocks."""
    ids = text.development[len(text.development) // 2 :]
    began = time.process_time()
    bits = model.bits(text.alphabet.text(ids))
    spent = time.process_time() - began
    outcomes = block_outcomes(model, ids)
    return {
        "bits_stored": round(float(bits.mean()), 4),
        "read_chars_per_s": round(len(ids) / spent),
        "right": [round(float(right.mean()), 4) for _, right in outcomes],
        "auroc": [round(area_under_curve(signs, right), 4) for signs, right in outcomes],
        "proposals_per_100_chars": [round(100 * len(right) / len(ids), 2) for _, right in outcomes],
    }


def writing(model: LanguageModel, text: PredictText) -> Found:
    """Characters a step and a second of every way to write, and whether checked text is the plain one."""
    half = len(text.development) // 2
    starts = np.linspace(half, len(text.development) - PROMPT_CHARS, PROMPTS).astype(int)
    prompts = [text.alphabet.text(text.development[at : at + PROMPT_CHARS]) for at in starts]
    found: Found = {}
    written: dict[str, list[str]] = {}
    for name, way in WAYS.items():
        rates, steps, written[name] = [], 0, []
        for prompt in prompts:
            began = time.process_time()
            made = write_on(model, prompt, way)
            rates.append(WRITTEN_CHARS / (time.process_time() - began))
            steps += made.steps
            written[name].append(made.text)
        found[name] = {
            "chars_per_step": round(PROMPTS * WRITTEN_CHARS / steps, 3),
            "chars_per_s": round(statistics.median(rates)),
            "is_plain": written[name] == written["plain"],
        }
    return found


def _head(options: argparse.Namespace, text: PredictText) -> Found:
    command = f"scripts/levels_of_words.py --preset {options.preset} --seconds {options.seconds:g}"
    return {
        "command": f"{command} --seed {options.seed} --articles {options.articles}",
        "text": {
            "digest": text.digest,
            "training_chars": len(text.training),
            "kept_out_chars": len(text.development),
        },
        "machine": describe_machine(),
        "commit": current_commit(),
        "models": {},
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--preset", choices=PRESETS, default="small")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--articles", type=int, default=100, help="of each kind of files")
    parser.add_argument("--out", type=Path, default=REPORT, help="where the report goes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
