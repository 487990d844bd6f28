"""Time the cutting of text into words, confident units and phrases, on one thread.

    python scripts/bench_units.py [--data "$TIDINGS_DATA"] [--json scripts/reports/units.json]

Megabytes are those of the text in UTF-8, time is that of the processor. Without a data folder the
text is generated. The table of contexts is the shipped encoder's, or is counted from further text
where there is none that can be read.
"""

import argparse
import json
import lzma
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from model.characters import join_base_letters
from model.checkpoint import current_commit, load_checkpoint
from model.contexts import ContextTable, train_context_table
from model.errors import CheckpointError
from model.units import FeatureFinder, find_confident_units, find_phrases, find_words

SEED = 7
TURNS = 5
TEXT_MB, COUNTED_MB = 10, 6
BLOCK_CHARS = 32_768
THRESHOLD = 0.15
CONTEXT_BITS, MIN_COUNT = 21, 4
WEIGHTS = Path(__file__).resolve().parents[1] / "model" / "weights" / "embed"
REPORT = Path(__file__).resolve().parent / "reports" / "units.json"


def main() -> None:
    """Run the benchmark and write its report."""
    options = _options()
    source = "generated" if options.data is None else "realtimeqa/articles-2024.jsonl.xz"
    everything = _invented() if options.data is None else _bodies(options.data / source)
    texts, others = _first(everything, TEXT_MB)
    contexts, table = _contexts(options.weights, others)
    report: dict[str, Any] = {"benchmark": "units", "texts": source, "contexts": table}
    report |= _measure(texts, contexts)
    report |= {
        "machine": _machine(),
        "load": round(os.getloadavg()[0], 1),
        "commit": current_commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report) + "\n")


def _measure(texts: Sequence[str], contexts: ContextTable) -> dict[str, Any]:
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    blocks = _blocks(texts)
    joined = [join_base_letters(block)[0] for block in blocks]
    finder = FeatureFinder(("word", "gram", "pair"), None, threshold=THRESHOLD)
    steps: dict[str, Callable[[int], object]] = {
        "joining": lambda at: join_base_letters(blocks[at]),
        "words": lambda at: find_words(joined[at]),
        "confident_units": lambda at: find_confident_units(
            joined[at], contexts, threshold=THRESHOLD
        ),
        "phrases": lambda at: find_phrases(joined[at], contexts, threshold=THRESHOLD),
        "confident_units_with_joining": lambda at: find_confident_units(
            join_base_letters(blocks[at])[0], contexts, threshold=THRESHOLD
        ),
        "features_of_words_grams_pairs": lambda at: finder.find(blocks[at]),
    }
    speeds = {
        name: round(
            statistics.median(megabytes / _turn_s(step, len(blocks)) for _ in range(TURNS)), 1
        )
        for name, step in steps.items()
    }
    return {
        "megabytes": round(megabytes, 2),
        "threshold": THRESHOLD,
        "turns": TURNS,
        "mb_per_s": speeds,
    }


def _turn_s(step: Callable[[int], object], count: int) -> float:
    started = time.process_time()
    for at in range(count):
        step(at)
    return time.process_time() - started


def _blocks(texts: Sequence[str]) -> list[list[str]]:
    """Texts in blocks of the size that the encoder works on."""
    blocks: list[list[str]] = [[]]
    chars = 0
    for text in texts:
        if blocks[-1] and chars + len(text) > BLOCK_CHARS:
            blocks.append([])
            chars = 0
        blocks[-1].append(text)
        chars += len(text)
    return blocks


def _bodies(path: Path) -> list[str]:
    texts, size = [], 0
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            texts.append(str(json.loads(line)["body"]))
            size += len(texts[-1].encode())
            if size >= (TEXT_MB + COUNTED_MB) * 1_000_000:
                break
    return texts


def _invented() -> list[str]:
    """Sentences of invented words, so that their frequencies fall as those of a language do."""
    rng = random.Random(SEED)
    letters = "etaoinshrdlucmfwypvbgk"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 10))) for _ in range(20_000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    texts, size = [], 0
    while size < (TEXT_MB + COUNTED_MB) * 1_000_000:
        texts.append(" ".join(rng.choices(words, weights, k=500)))
        size += len(texts[-1])
    return texts


def _first(texts: Sequence[str], megabytes: int) -> tuple[Sequence[str], Sequence[str]]:
    """Texts up to a size, and the others."""
    size = 0
    for at, text in enumerate(texts):
        if size >= megabytes * 1_000_000:
            return texts[:at], texts[at:]
        size += len(text.encode())
    return texts, ()


def _contexts(weights: Path, texts: Sequence[str]) -> tuple[ContextTable, str]:
    """The table of the encoder in the folder, or one counted from the texts, and which it is."""
    try:
        checkpoint = load_checkpoint(weights)
        total = int(checkpoint.config["context_total"])
        table = ContextTable(checkpoint.arrays["contexts"], total)
        table.slots()
    except (CheckpointError, KeyError, ValueError):
        points, _ = join_base_letters(texts)
        counted = train_context_table([points], bits=CONTEXT_BITS, min_count=MIN_COUNT)
        return counted, f"counted from {len(points)} further characters"
    return table, f"encoder {str(checkpoint.meta['hash'])[:8]}"


def _machine() -> str:
    lines = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    )
    names = [
        line.split(":")[1].strip() for line in lines.splitlines() if line.startswith("model n")
    ]
    name = names[0] if names else platform.processor()
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}"


def _options() -> argparse.Namespace:
    data = os.environ.get("TIDINGS_DATA")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(data) if data else None)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="an encoder's folder")
    parser.add_argument("--json", type=Path, default=REPORT, help="where the report goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
