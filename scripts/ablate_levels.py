"""What each idea of the language model of levels is worth: one row for each, at equal processor time.

    python scripts/ablate_levels.py --data DIR [--seconds 60] [--seeds 5] [--rows NAME,...] [--out FILE] [--work FOLDER]

Every row changes one thing of the model that is measured first and trains it on Tiny Shakespeare for so many seconds of
one thread's processor time, several times with other seeds. Reported are the mean over seeds and a 95 % interval
(Student's t) of bits a character over the validation text, of how often blocks of the higher levels are right, and of
how well the length of a code tells whether it is. A killed run goes on with the rows and seeds that are left.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from model.checkpoint import Checkpoint, current_commit
from model.codes import CodeKind, Codes
from model.generate import Climb, Writing, write_on
from model.level_config import LevelConfig
from model.level_loss import LevelLoss
from model.level_variants import (
    Comparison,
    NextCharacter,
    Regression,
    Regularised,
    Softmax,
    Unprotected,
)
from model.predict import LanguageModel
from model.predict_config import UNSET, PredictTrainConfig
from model.predict_stored import language_model_config, stored_arrays
from model.predict_sureness import block_outcomes, fit_sureness
from model.predict_train import UNPLANNED, PredictText, level_codes, split_text, steps_within
from model.predict_trainer import PredictTrainer
from model.read_metrics import area_under_curve
from model.timing import describe_machine
from model.unit_hash import UnitHash

TEXT = "train/lm/tinyshakespeare.txt.xz"
TRAINING_SHARE = 0.9
REPORT = Path(__file__).resolve().parent / "reports" / "levels.json"
LEVELS = LevelConfig(
    UNSET, (64, 128, 128, 128), (1, 1, 1, 1), code_widths=(60, 128, 128, 128), rows=16_384
)
"""Codes of characters are no wider than there are characters to tell apart."""
TRAIN = PredictTrainConfig(UNPLANNED, texts=8, chars=256, average=0.99)
WRITTEN_CHARS, PROMPT_CHARS = 400, 64
LEAST_SHARES = (0.1, 0.3, 0.5, 0.7)
"""From which on a level is heard, to be compared."""

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One idea changed."""

    idea: str
    levels: LevelConfig = LEVELS
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the training."""
    loss: type[LevelLoss] = LevelLoss
    codes: CodeKind = CodeKind.MIDDLE
    writes: bool = False
    """Whether it is also measured how it writes."""


def _alone(width: int, layers: int) -> LevelConfig:
    return LevelConfig(UNSET, (width,), (layers,), code_widths=(60,), rows=16_384)


ROWS: Mapping[str, Row] = {
    "all ideas": Row("frozen codes, near and compared; 1, 2, 4, 8 characters", writes=True),
    "softmax": Row("a distribution by a learned table, nothing else", loss=Softmax),
    "compared only": Row("codes compared, distance does not count", loss=Comparison),
    "distance alone": Row("codes by distance, comparing settles a scale alone", loss=Regression),
    "distance as much": Row("distance counts as much as comparing", changes={"distance_weight": 1}),
    "average": Row("the other reading of the middle: mean of both maps", codes=CodeKind.AVERAGE),
    "random": Row("the random decoder's codes", codes=CodeKind.RANDOM),
    "orthonormal": Row(
        "a direction for each character",
        levels=replace(LEVELS, code_widths=(66, 128, 128, 128)),
        codes=CodeKind.ORTHONORMAL,
    ),
    "unprotected": Row("codes that learn, by distance alone", loss=Unprotected),
    "regularised": Row("the same, kept apart by variance and covariance", loss=Regularised),
    "lowest level's loss alone": Row(
        "higher levels predict nothing", changes={"level_weights": (1.0, 0.0, 0.0, 0.0)}
    ),
    "every level the next character": Row(
        "1, 1, 1, 1 characters",
        levels=replace(LEVELS, code_widths=(60, 60, 60, 60)),
        loss=NextCharacter,
    ),
    "one level": Row(
        "convolutions alone, as many weights",
        levels=_alone(128, 6),
        changes={"level_weights": (1.0,)},
    ),
    "no units": Row("no table of larger units", levels=replace(LEVELS, rows=0)),
    "words alone": Row("rows of words alone", levels=replace(LEVELS, grams=())),
    "stretches alone": Row("rows of the last 3 and 5 characters", levels=replace(LEVELS, words=0)),
}


def main() -> int:
    """Train what is left, and write the report."""
    options = _options()
    torch.set_num_threads(1)
    names = options.rows.split(",") if options.rows else list(ROWS)
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        sys.exit(f"no row {unknown[0]!r}; there is {', '.join(ROWS)}")
    text = split_text(options.data / TEXT, training_share=TRAINING_SHARE)
    options.work.mkdir(parents=True, exist_ok=True)
    shelf = CodeShelf(text)
    for seed in range(1, options.seeds + 1):
        for name in names:
            path = options.work / f"{name}-{seed}-{options.seconds:g}.json".replace(" ", "_")
            if not path.exists():
                found = measure(ROWS[name], text, shelf, seed=seed, seconds=options.seconds)
                draft = path.with_suffix(".tmp")
                draft.write_text(json.dumps(found), encoding="utf-8")
                draft.replace(path)
                print(name, seed, found["bits"], flush=True, file=sys.stderr)
    report = summarise(options, names, text)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


class CodeShelf:
    """Codes of one text, each fitted once: rows of a seed share them."""

    def __init__(self, text: PredictText) -> None:
        self._text = text
        self._fitted: dict[tuple[CodeKind, tuple[int, ...], int], list[Codes]] = {}

    def codes(self, kind: CodeKind, widths: tuple[int, ...], seed: int) -> list[Codes]:
        """By level; longer blocks have no directions of their own, they get the random decoder's codes."""
        if kind is CodeKind.ORTHONORMAL:
            above = self.codes(CodeKind.RANDOM, (LEVELS.code_widths[0], *widths[1:]), seed)
            return self._fit(kind, widths[:1], seed) + above[1:]
        return self._fit(kind, widths, seed)

    def _fit(self, kind: CodeKind, widths: tuple[int, ...], seed: int) -> list[Codes]:
        key = kind, widths, seed
        if key not in self._fitted:
            text = self._text
            self._fitted[key] = level_codes(
                text.training, widths, kind, alphabet=text.alphabet.size, seed=seed
            )
        return self._fitted[key]


# --------------------------------------------------------------------------------------------------- one training
def measure(row: Row, text: PredictText, shelf: CodeShelf, *, seed: int, seconds: float) -> Found:
    """Train a row once, and look at what it learned."""
    levels = replace(row.levels, alphabet=text.alphabet.size)
    train = replace(TRAIN, seed=seed, **row.changes)
    hasher = None
    if levels.rows:
        hasher = UnitHash.of(
            text.alphabet, rows=levels.rows, grams=levels.grams, words=levels.words
        )
    codes = shelf.codes(row.codes, levels.code_widths, seed)
    trainer = PredictTrainer(levels, train, codes, hasher, loss=row.loss)
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
    if row.loss in (LevelLoss, Regression, Comparison):
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
    checkpoint = Checkpoint(
        stored_arrays(trainer.averaged(), trainer.codes),
        language_model_config("ablated", trainer.levels, text.alphabet),
        {},
    )
    outcomes = block_outcomes(LanguageModel(checkpoint), text.development)
    found: Found = {
        "right": [round(float(right.mean()), 4) for _, right in outcomes],
        "auroc_of_length": [
            round(area_under_curve(lengths, right), 4) for lengths, right in outcomes
        ],
    }
    if writes:
        half = len(text.development) // 2
        sureness = [fit_sureness(lengths[:half], right[:half]) for lengths, right in outcomes]
        model = LanguageModel(
            replace(checkpoint, config={**checkpoint.config, "sureness": sureness})
        )
        found["writing"] = writing(model, text)
    return found


def writing(model: LanguageModel, text: PredictText) -> Found:
    """Characters a step of greedy writing, by the share from which a level is heard, and characters per second."""
    prompt = text.alphabet.text(text.development[-PROMPT_CHARS:])
    found: Found = {}
    ways = {"plain": Writing(WRITTEN_CHARS, Climb.PLAIN), "recalled": Writing(WRITTEN_CHARS)}
    for share in LEAST_SHARES:
        levels_alone = Writing(WRITTEN_CHARS, recalls=False, least_share=share)
        ways[f"checked from {share}"] = levels_alone
        ways[f"free from {share}"] = replace(levels_alone, climb=Climb.FREE)
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
    """Means over the seeds that were run, with intervals."""
    rows = {}
    for name in names:
        pattern = f"{name}-*-{options.seconds:g}.json".replace(" ", "_")
        runs = [json.loads(path.read_text("utf-8")) for path in sorted(options.work.glob(pattern))]
        rows[name] = {"idea": ROWS[name].idea, **interval([run["bits"] for run in runs])}
        for key in ("params", "steps", "chars_per_s", "mean_cosine", "effective_rank"):
            rows[name][key] = round(statistics.median(run[key] for run in runs), 3)
        for key in ("right", "auroc_of_length"):
            if key in runs[0]:
                means = np.mean([run[key] for run in runs], axis=0)
                rows[name][key] = [round(float(each), 4) for each in means]
        if "writing" in runs[0]:
            rows[name]["writing"] = {
                way: {
                    key: round(statistics.median(run["writing"][way][key] for run in runs), 3)
                    for key in ("chars_per_step", "chars_per_s")
                }
                for way in runs[0]["writing"]
            }
    return {
        "command": f"scripts/ablate_levels.py --seconds {options.seconds:g} --seeds {options.seeds}",
        "text": TEXT,
        "text_digest": text.digest,
        "processor_seconds": options.seconds,
        "rows": rows,
        "machine": describe_machine(),
        "commit": current_commit(),
    }


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
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument(
        "--work", type=Path, default=Path("levels.run"), help="keeps what a killed run has measured"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
