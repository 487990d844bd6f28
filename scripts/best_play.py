"""How well the language model of levels can learn Tiny Shakespeare, from nothing but its text.

    python scripts/best_play.py --data DIR [--steps N] [--work FOLDER] [--out FILE] [--threads 2]
                                [--levels-of characters|words]

The text is parted as nanoGPT parts it; the beginning of the training part is kept out of training as well, for the gate
through which experience is heard. Losses are nats a character over the whole validation text: of the network, and with
experience that begins with nothing or with the training text. A killed run goes on where it was.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from model.checkpoint import current_commit
from model.held_out import as_stored, keep_out, run_time_nats
from model.level_config import LevelConfig, LevelsOf
from model.predict_config import UNSET, PredictPreset, PredictTrainConfig
from model.predict_train import PredictText, split_text, trainer_of
from model.predict_trainer import PredictTrainer
from model.run_state import STATE, log_steps, restore_state, step_seconds
from model.timing import describe_machine

TEXT = "train/lm/tinyshakespeare.txt.xz"
TRAINING_SHARE = 0.9
REPORT = Path(__file__).resolve().parent / "reports" / "best_play.json"
PRESET = PredictPreset(
    "play",
    LevelConfig(
        UNSET, (128, 192, 256, 256), (1, 1, 1, 1), code_widths=(60, 128, 128, 128), rows=16_384
    ),
    PredictTrainConfig(3_500, texts=12, chars=512, dropout=0.2, unit_dropout=0.3),
    least=1,
)
FOR_GATE = 40_000
"""Characters at the beginning of the training part."""
LOOK_EVERY, SAVE_EVERY = 250, 100

Found = dict[str, Any]


def main() -> None:
    """Train what is left, and write the report."""
    options = _options()
    torch.set_num_threads(options.threads)
    text = split_text(options.data / TEXT, training_share=TRAINING_SHARE)
    text, kept_out = keep_out(text, FOR_GATE)
    train = replace(PRESET.train, steps=options.steps, seed=options.seed)
    preset = replace(PRESET, train=train).with_levels_of(LevelsOf(options.levels_of))
    trainer = trainer_of(preset, text)
    options.work.mkdir(parents=True, exist_ok=True)
    settings = json.dumps({**asdict(preset), "digest": text.digest}, sort_keys=True)
    restore_state(trainer, options.work / STATE, settings)
    steps = take_steps(trainer, text)
    log = log_steps(trainer, steps, options.work, settings, save_every=SAVE_EVERY)
    checkpoint = as_stored(trainer, text, name="play")
    at_run_time = dict(run_time_nats(checkpoint, text, kept_out))
    records = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    report = {
        "benchmark": "best play",
        "command": f"python scripts/best_play.py --data DIR --steps {train.steps} --seed {train.seed}"
        f" --levels-of {options.levels_of}",
        "machine": describe_machine(),
        "commit": current_commit(),
        "text": {"file": TEXT, "digest": text.digest},
        "preset": asdict(preset),
        "params": sum(each.numel() for each in trainer.network.parameters()),
        "training_seconds": round(sum(step_seconds(log))),
        "curve": {each["step"]: each["nats"] for each in records if "nats" in each},
        "nats": cut_nats(trainer, text),
        "experience_s": at_run_time.pop("experience_s"),
        **{f"nats_{name}": value for name, value in at_run_time.items()},
    }
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for name in ("nats", "nats_stored", "nats_experienced", "nats_after_training_text"):
        print(f"{name}: {report[name]:.4f}")


def take_steps(trainer: PredictTrainer, text: PredictText) -> Iterator[Found]:
    """Take the steps that are left; yields a log record for each."""
    while trainer.step < trainer.train.steps:
        began = time.perf_counter()
        bits = trainer.take_step(text.training)
        record = {
            "step": trainer.step,
            "bits": round(bits, 4),
            "seconds": round(time.perf_counter() - began, 4),
        }
        if trainer.step % LOOK_EVERY == 0:
            record["nats"] = cut_nats(trainer, text)
        yield record


def cut_nats(trainer: PredictTrainer, text: PredictText) -> float:
    """Of the validation text cut into stretches as long as those of training."""
    return round(trainer.evaluate(text.development)[0]["bits"] * math.log(2), 4)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--steps", type=int, default=PRESET.train.steps)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--levels-of", choices=[each.value for each in LevelsOf], default=LevelsOf.CHARACTERS.value
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("play.run"), help="of the unfinished run")
    parser.add_argument("--out", type=Path, default=REPORT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
