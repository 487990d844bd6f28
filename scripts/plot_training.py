"""Draw how the language model learned, from the log of its training run.

    python scripts/plot_training.py LOG [--out FILE]

Bits a character against characters read: of the stretches it is trained on, smoothed, and at every look of text that is
kept out. The same log always gives the same file.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.predict_config import PRESETS

MEMORY = 0.98
"""Of the smoothed curve, a step."""
UNSETTLED = 50
"""Steps at the beginning that are not drawn: they would flatten all others."""


def main() -> None:
    """Draw one log."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path, help="train.jsonl of the run")
    parser.add_argument("--preset", choices=PRESETS, default="small", help="what was trained")
    parser.add_argument("--out", type=Path, help="default: beside the log")
    options = parser.parse_args()
    train = PRESETS[options.preset]().train
    out = options.out or options.log.with_suffix(".png")
    draw(options.log, out, chars_per_step=train.texts * train.chars)
    print(out)


def draw(log: Path, out: Path, *, chars_per_step: int) -> None:
    """Draw a log.

    Args:
        log: a record a line, with `step`, `bits` and sometimes `development`.
        out: the PNG to write.
        chars_per_step: characters of one step.

    Raises:
        SystemExit: it is no such log.
    """
    try:
        records = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        bits = {int(each["step"]): float(each["bits"]) for each in records}
        looks = {
            int(each["step"]): float(each["development"][0]["bits"])
            for each in records
            if "development" in each
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError) as exc:
        raise SystemExit(f"{log}: no log of a language model's training: {exc!r}") from exc
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    FigureCanvasAgg(figure)  # draws into memory: no display is needed
    axis = figure.subplots()
    millions = chars_per_step / 1e6
    steps = np.array([step for step in sorted(bits) if step > UNSETTLED])
    curve = smoothed(np.array([bits[step] for step in steps]))
    axis.plot(steps * millions, curve, color="#34495e", linewidth=0.8, label="in training")
    at = np.array(sorted(looks))
    kept_out = [looks[step] for step in at]
    axis.plot(at * millions, kept_out, "o-", color="#c0392b", markersize=3, label="kept out")
    axis.set_xlabel("million characters read")
    axis.set_ylabel("bits a character")
    axis.grid(visible=True, alpha=0.25)
    axis.legend()
    # Nothing of when and by which release it was drawn, so that equal pictures are equal files.
    figure.savefig(out, dpi=120, metadata={"Software": None})


def smoothed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A running mean that is not drawn to nothing at its beginning, (N,) to (N,)."""
    found, mean, weight = np.empty_like(values), 0.0, 0.0
    for at, value in enumerate(values):
        mean = MEMORY * mean + (1 - MEMORY) * value
        weight = MEMORY * weight + (1 - MEMORY)
        found[at] = mean / weight
    return found


if __name__ == "__main__":
    main()
