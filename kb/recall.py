"""What the experience graph adds to retrieval: facts brought to mind, and what being brought to mind is worth.

The weights are fitted outside and loaded as data.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kb.retrieve import Scored
from kb.spread import Gate

SHIPPED = "recall.json"
LEAST = 1e-4
"""Probabilities nearer to 0 or 1 are taken as this near."""


@dataclass(frozen=True, slots=True)
class RecallWeights:
    """How activation and a fact's own probability make one order.

    Attributes:
        weight: log-odds that a fact gains which has all activation; 0 at least.
        heat: of the gate by colours; None for no gate.
    """

    weight: float
    heat: float | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> "RecallWeights":
        """Read fitted weights: those at `path`, else the shipped ones.

        Raises:
            ValueError: the file cannot be read, or is something else.
        """
        path = path or Path(__file__).with_name(SHIPPED)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            heat = None if stored["heat"] is None else float(stored["heat"])
            found = cls(float(stored["weight"]), heat, dict(stored["metrics"]))
            if not (found.weight >= 0 and (heat is None or heat > 0)):
                raise ValueError("a weight is out of bounds")
        except (OSError, KeyError, TypeError, ValueError) as exc:
            raise ValueError(f"{path}: no weights of recall: {exc}") from exc
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {"weight": self.weight, "heat": self.heat, "metrics": dict(self.metrics)}

    @property
    def gate(self) -> Gate:
        """How much colours decide."""
        return Gate() if self.heat is None else Gate(self.heat)


def in_mind_first(
    ranked: Sequence[Scored], brought: Mapping[int, float], weights: RecallWeights
) -> list[Scored]:
    """Ranked facts in the order of their log-odds and of how strongly they were brought to mind.

    Args:
        ranked: likeliest first.
        brought: seq of a fact -> how strongly, in (0, 1).
        weights: what that is worth.

    Returns:
        the same facts with the same scores; in their old order where nothing was brought to mind.
    """
    if not brought:
        return list(ranked)
    likely = np.clip([one.scores.probability for one in ranked], LEAST, 1 - LEAST)
    gains = np.array([brought.get(one.fact.seq, 0.0) for one in ranked])
    order = np.argsort(-(np.log(likely / (1 - likely)) + weights.weight * gains), kind="stable")
    return [ranked[at] for at in order]
