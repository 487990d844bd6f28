"""Invented articles of a new kind: other names and things than the small language model ever saw."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from model.adapt import AdaptConfig
from model.adapt_text import AdaptText
from tests.model.language_models import DEEDS, NAMES, THINGS

NEW_NAMES = (*NAMES, "Tomas Hrud", "the harbour guild", "Ines Baldor", "a ferry captain")
NEW_THINGS = (
    *THINGS,
    "that the tunnel to Marrow Hill had collapsed.",
    "that the ferry guild would strike in August.",
    "that two lanterns were stolen from Saint Orm.",
)
CONFIG = AdaptConfig(steps=20, chars=64, learning_rate=0.01, seed=5)


def reports(
    names: Sequence[str], things: Sequence[str], count: int, *, first: int = 0
) -> list[str]:
    """Articles of six lines, each with a number of its own: what was read elsewhere before is left out."""
    rng = np.random.default_rng(first)
    found = []
    for at in range(first, first + count):
        told = (" ".join(str(rng.choice(it)) for it in (names, DEEDS, things)) for _ in range(6))
        lines = (f"In {at}.{line}, {text}" for line, text in enumerate(told))
        found.append("\n".join((f"Report {at}", *lines)))
    return found


def new_reports(count: int = 120) -> list[str]:
    """Of the last days."""
    return reports(NEW_NAMES, NEW_THINGS, count)


def older_reports(count: int = 120) -> list[str]:
    """Of names and things that the model knows, in a form that it does not."""
    return reports(NAMES, THINGS, count, first=1000)


def noise(characters: str, count: int = 120) -> list[str]:
    """Articles of random characters."""
    rng = np.random.default_rng(3)
    return ["".join(rng.choice(list(characters.replace("\n", "")), 600)) for _ in range(count)]


@functools.cache
def text() -> AdaptText:
    """New reports to learn from, after older ones."""
    return AdaptText.of(new_reports(), older_reports())
