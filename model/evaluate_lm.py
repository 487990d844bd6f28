"""The `lm` suite: what a character of unread text costs the language model, and how fast it writes.

Bits a character are exact: of every character after the first, with all before it known. Reported are those of the
network, which looks back over a window and learns nothing more, and those with experience, which begins with nothing
and grows with the very text. Beside them stand compressors, which learn from the very text alone.
"""

from __future__ import annotations

import lzma
import statistics
import time
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from model.checkpoint import current_commit
from model.errors import DataError
from model.experience import Experience
from model.extras import extra
from model.generate import Climb, Writing, write_on
from model.predict import LanguageModel, load_language_model
from model.predict_data import TEST_FILE, TEST_YEAR, joined, read_news_text
from model.suite import mean_of
from model.texts import read_rows
from model.timing import ALTERNATIONS, describe_machine

SUITE = "lm"
LM_FOLDERS = ("", "lm", "train/lm")
METRICS = ("bpc", "bpc_network", "chars_per_step", "chars_per_s")
PROMPT_CHARS, WRITTEN_CHARS, PROMPTS = 200, 400, 5
PPMD_ORDER, PPMD_MEMORY = 16, 1 << 28


def evaluate_lm(
    data: Path,
    *,
    compare: bool = False,
    model: LanguageModel | None = None,
    limit: int | None = None,
) -> dict[str, Any]:
    """Run the suite.

    Args:
        data: a text file, plain or `.xz`; a folder of news (`realtimeqa/`), of which the articles of 2025 are read; or
            one with `*.jsonl.xz` files of texts, itself or as `lm/` or `train/lm/`.
        compare: also run the compressors.
        model: the language model to evaluate, by default the packaged one.
        limit: articles of each set at most.

    Returns:
        The report: `bpc` with experience where the model has a gate for it, `bpc_network` without.

    Raises:
        ModelError: there is no such text, or no model.
    """
    sets = read_sets(data, limit=limit)
    model = model if model is not None else load_language_model()
    began = time.perf_counter()
    results, seconds = {}, 0.0
    for name, text in sets.items():
        started = time.perf_counter()
        alone, bits = model.costs(text, Experience() if model.gate is not None else None)
        seconds += time.perf_counter() - started
        results[name] = {
            "bpc": round(float(bits.mean()), 4),
            "bpc_network": round(float(alone.mean()), 4),
            **writing_speed(model, text),
            "n": len(bits),
        }
    report = {
        "suite": SUITE,
        "model": {
            "name": model.name,
            "hash": model.hash,
            "params": model.params,
            "bytes": model.bytes,
        },
        "sets": results,
        "mean": mean_of(results.values(), METRICS, digits=4),
        "seconds": round(time.perf_counter() - began, 3),
        "chars_per_s": round(sum(row["n"] for row in results.values()) / max(seconds, 1e-9)),
        "machine": describe_machine(),
        "commit": current_commit(),
    }
    if compare:
        report["comparators"] = {
            name: {"sets": {key: {"bpc": round(costs(text), 4)} for key, text in sets.items()}}
            for name, costs in COMPRESSORS.items()
        }
    return report


def read_sets(data: Path, *, limit: int | None = None) -> Mapping[str, str]:
    """The texts to evaluate on, by name.

    Raises:
        DataError: there is none of two characters.
    """
    if data.is_file():
        name = data.name.split(".")[0]
        sets = {name: _read_file(data, limit)}
    elif (data / TEST_FILE).exists():
        sets = {f"news_{TEST_YEAR}": joined(read_news_text(data).test[:limit])}
    else:
        paths = [path for folder in LM_FOLDERS for path in (data / folder).glob("*.jsonl.xz")]
        sets = {path.name.split(".")[0]: _read_file(path, limit) for path in sorted(paths)}
    sets = {name: text for name, text in sets.items() if len(text) > 1}
    if not sets:
        raise DataError(f"no text in {data}: a text file, or *.jsonl.xz with rows of `text`")
    return sets


def _read_file(path: Path, limit: int | None) -> str:
    if path.suffixes[-2:] == [".jsonl", ".xz"]:
        rows = islice(read_rows(path), limit)
        return joined(str(row.get("text") or row.get("body") or "") for row in rows)
    try:
        if path.suffix == ".xz":
            return lzma.decompress(path.read_bytes()).decode("utf8")
        return path.read_text(encoding="utf8")
    except (OSError, lzma.LZMAError, ValueError) as exc:
        raise DataError(f"cannot read {path.name}: {exc}") from exc


def writing_speed(model: LanguageModel, text: str) -> dict[str, Any]:
    """How greedy writing goes on from places of a text, with the levels and without.

    Returns:
        `chars_per_step`, `chars_per_s` and `plain_chars_per_s` (medians, in turns), `speed_ratio` and whether both
        wrote the same (`is_same`).
    """
    starts = np.linspace(0, max(len(text) - PROMPT_CHARS, 0), PROMPTS).astype(int)
    prompts = [text[at : at + PROMPT_CHARS] for at in starts]
    rates: dict[Climb, list[float]] = {Climb.CHECKED: [], Climb.PLAIN: []}
    written: dict[Climb, list[str]] = {Climb.CHECKED: [], Climb.PLAIN: []}
    steps = 0
    for prompt, _ in zip(prompts, range(ALTERNATIONS), strict=True):
        for climb, found in rates.items():
            began = time.perf_counter()
            made = write_on(model, prompt, Writing(WRITTEN_CHARS, climb))
            found.append(WRITTEN_CHARS / (time.perf_counter() - began))
            written[climb].append(made.text)
            steps += made.steps if climb is Climb.CHECKED else 0
    fast, plain = (statistics.median(rates[climb]) for climb in (Climb.CHECKED, Climb.PLAIN))
    ratios = [a / b for a, b in zip(rates[Climb.CHECKED], rates[Climb.PLAIN], strict=True)]
    return {
        "chars_per_step": round(PROMPTS * WRITTEN_CHARS / steps, 3),
        "chars_per_s": round(fast),
        "plain_chars_per_s": round(plain),
        "speed_ratio": round(statistics.median(ratios), 3),
        "is_same": written[Climb.CHECKED] == written[Climb.PLAIN],
    }


def _xz(text: str) -> float:
    return 8 * len(lzma.compress(text.encode(), preset=9)) / len(text)


def _ppmd(text: str) -> float:
    with extra("evaluate"):
        import pyppmd
    packed = pyppmd.compress(text.encode(), max_order=PPMD_ORDER, mem_size=PPMD_MEMORY)
    return 8 * len(packed) / len(text)


COMPRESSORS = {"xz -9": _xz, "PPMd": _ppmd}
"""Bits a character of a text, packed as UTF-8."""
