"""Suites that need a knowledge base: news is learned as the daemon would, and the store is asked.

The reports have the form of the model's own suites, so that both are read by one command.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent.evaluate_memory import evaluate_memory
from agent.evaluate_novelty import evaluate_novelty
from agent.evaluate_realtimeqa import evaluate_realtimeqa
from agent.evaluate_stories import evaluate_stories
from agent.judgement import Judgement, load_judgement
from agent.progress import Progress
from agent.quiz import Weeks
from agent.settings import Settings
from model.checkpoint import current_commit
from model.timing import describe_machine


@dataclass(frozen=True, slots=True)
class NewsOptions:
    """What a run of one of these suites is told."""

    compare: bool
    weeks: Weeks
    """Of `realtimeqa`."""
    limit: int | None
    """Articles that `novelty` learns, or `stories` reads on each side of its split; questions of a set of `memory`."""
    work: Path
    """Folder for what a killed run of `realtimeqa` goes on from."""


def _realtimeqa(data: Path, judgement: Judgement, options: NewsOptions, progress: Progress) -> Any:
    return evaluate_realtimeqa(
        data,
        judgement,
        options.weeks,
        work=options.work,
        compare=options.compare,
        progress=progress,
    )


def _novelty(data: Path, judgement: Judgement, options: NewsOptions, progress: Progress) -> Any:
    return evaluate_novelty(
        data,
        judgement.reading,
        judgement.answerability,
        compare=options.compare,
        limit=options.limit,
        progress=progress,
    )


def _memory(data: Path, judgement: Judgement, options: NewsOptions, progress: Progress) -> Any:
    return evaluate_memory(
        data, judgement, compare=options.compare, limit=options.limit, progress=progress
    )


def _stories(data: Path, judgement: Judgement, options: NewsOptions, progress: Progress) -> Any:
    return evaluate_stories(
        data, judgement.reading, compare=options.compare, limit=options.limit, progress=progress
    )


NEWS_SUITES: Mapping[str, Callable[[Path, Judgement, NewsOptions, Progress], Any]] = (
    MappingProxyType(
        {
            "realtimeqa": _realtimeqa,
            "novelty": _novelty,
            "memory": _memory,
            "stories": _stories,
        }
    )
)


def evaluate_news(
    suite: str, data: Path, settings: Settings, options: NewsOptions, progress: Progress
) -> dict[str, Any]:
    """Run one of `NEWS_SUITES` with the weights that the settings name.

    Raises:
        ModelError, ConfigError: weights cannot be loaded.
        DataError: the data are missing or broken.
    """
    judgement = load_judgement(settings)
    parts = (judgement.encoder, judgement.reader)
    began = time.perf_counter()
    found = NEWS_SUITES[suite](data, judgement, options, progress)
    return {
        "suite": suite,
        "model": {
            "name": " ".join(part.name for part in parts),
            "hash": " ".join(part.hash for part in parts),
            "params": sum(part.params for part in parts),
            "bytes": sum(part.bytes for part in parts),
        },
        **found,
        "seconds": round(time.perf_counter() - began, 3),
        "machine": describe_machine(),
        "commit": current_commit(),
    }
