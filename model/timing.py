"""How fast encoders are: always medians, and always in turns where several are compared."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence

from model.suite import Encode

ALTERNATIONS = 5
WARM_TEXTS = 64


def sample(texts: Sequence[str], count: int) -> list[str]:
    """At most `count` different texts, spread evenly over all in the order of their letters."""
    everything = sorted(set(texts))
    step = max(len(everything) // count, 1)
    return everything[::step][:count]


def measure_rates(runs: Mapping[str, Encode], texts: Sequence[str]) -> dict[str, float]:
    """Median texts per second of each, in turns so that a busy machine slows all alike."""
    for run in runs.values():
        run(texts[:WARM_TEXTS])
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ALTERNATIONS):
        for name, run in runs.items():
            began = time.perf_counter()
            run(texts)
            seconds[name].append(time.perf_counter() - began)
    return {name: len(texts) / statistics.median(found) for name, found in seconds.items()}


def chars_per_s(run: Encode, texts: Sequence[str]) -> int:
    """Median characters per second."""
    per_text = sum(len(text) for text in texts) / max(len(texts), 1)
    return round(measure_rates({"": run}, texts)[""] * per_text)


def describe_machine() -> str:
    """Number and kind of cores; nothing that names the machine."""
    return f"{os.cpu_count()} {platform.machine()} cores"
