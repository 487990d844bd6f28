"""How likely a fact answers a question: a small calibrated combination of scores, fitted outside and loaded as data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FEATURES = ("dense", "lexical", "names", "numbers", "dates", "has_kind")

SHIPPED = "answerability.json"
NEVER = 1.01
"""A threshold that no probability reaches."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answerability:
    """A logistic regression over FEATURES and products of them, then a monotone correction.

    Attributes:
        weights: one per term of `terms`.
        answer_threshold: from here on a fact is given as an answer.
        known_threshold: from here on a fact may confirm or contradict news.
        calibration: (raw, corrected) points of the correction, both ascending; empty for none.
        skipping: (known threshold, share of new sentences that it skips, share of all that it keeps), thresholds
            ascending; empty where it was not measured.
        encoder: name of the embedder it was fitted with; "" for the hand-set prior.
    """

    terms: tuple[tuple[str, ...], ...]
    weights: tuple[float, ...]
    bias: float
    answer_threshold: float
    known_threshold: float
    calibration: tuple[tuple[float, float], ...] = ()
    skipping: tuple[tuple[float, float, float], ...] = ()
    encoder: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def default(cls) -> "Answerability":
        """A prior set by hand, for a home without fitted weights and for tests."""
        return cls(
            terms=(("dense",), ("lexical",), ("names",), ("numbers",), ("dates",), ("has_kind",)),
            weights=(3.0, 7.0, 2.0, 1.0, 1.0, 1.0),
            bias=-9.5,
            answer_threshold=0.5,
            known_threshold=0.6,
        )

    @classmethod
    def load(cls, path: Path | None = None) -> "Answerability":
        """Read fitted weights: those at `path`, else the shipped ones.

        Raises:
            ValueError: the file cannot be read, or is something else.
        """
        path = path or Path(__file__).with_name(SHIPPED)
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as exc:
            raise ValueError(f"{path}: no answerability weights: {exc}") from exc

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "Answerability":
        """Read what `to_dict` wrote.

        Raises:
            ValueError: a field is missing or does not fit the others.
        """
        try:
            made = cls(
                terms=tuple(tuple(str(name) for name in term) for term in stored["terms"]),
                weights=tuple(float(weight) for weight in stored["weights"]),
                bias=float(stored["bias"]),
                answer_threshold=float(stored["answer_threshold"]),
                known_threshold=float(stored["known_threshold"]),
                calibration=tuple((float(x), float(y)) for x, y in stored.get("calibration", ())),
                skipping=tuple(
                    (float(t), float(lost), float(kept))
                    for t, lost, kept in stored.get("skipping", ())
                ),
                encoder=str(stored.get("encoder", "")),
                metrics=dict(stored.get("metrics", {})),
            )
        except (KeyError, TypeError) as exc:
            raise ValueError(f"answerability: {exc!r}") from exc
        unknown = {name for term in made.terms for name in term} - set(FEATURES)
        if unknown or len(made.terms) != len(made.weights):
            raise ValueError(f"answerability: terms and weights do not fit: {sorted(unknown)}")
        return made

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "terms": [list(term) for term in self.terms],
            "weights": list(self.weights),
            "bias": self.bias,
            "answer_threshold": self.answer_threshold,
            "known_threshold": self.known_threshold,
            "calibration": [list(point) for point in self.calibration],
            "skipping": [list(point) for point in self.skipping],
            "encoder": self.encoder,
            "metrics": dict(self.metrics),
        }

    def probability(self, features: Matrix) -> Matrix:
        """Probabilities of N pairs from their features (N, len(FEATURES)), rounded to six digits.

        Rounding keeps decisions apart from the last bits of a sum, which differ between machines.
        """
        if not len(features):
            return np.zeros(0)
        raw = self.logit(features)
        probability = 1.0 / (1.0 + np.exp(-raw))
        if self.calibration:
            points = np.asarray(self.calibration)
            probability = np.interp(probability, points[:, 0], points[:, 1])
        return np.asarray(np.round(probability, 6), dtype=np.float64)

    def known_threshold_at(self, max_false_skip: float) -> float:
        """The lowest known threshold from which on no larger share of what is new is skipped; see `skipping`."""
        return threshold_within(max_false_skip, [(t, lost) for t, lost, _ in self.skipping])

    def logit(self, features: Matrix) -> Matrix:
        """The uncorrected log-odds."""
        weighted = expand(features, self.terms) @ np.asarray(self.weights, dtype=np.float64)
        return np.asarray(weighted + self.bias, dtype=np.float64)


def expand(features: Matrix, terms: Sequence[Sequence[str]]) -> Matrix:
    """One column per term: the product of the features it names."""
    columns = [[FEATURES.index(name) for name in term] for term in terms]
    return np.stack([features[:, places].prod(axis=1) for places in columns], axis=1)


def threshold_within(risk: float, curve: Sequence[tuple[float, float]]) -> float:
    """The lowest threshold from which on no point is above the risk; NEVER where there is none.

    Args:
        risk: the largest share of errors.
        curve: (threshold, share of errors), thresholds ascending.
    """
    found = NEVER
    for threshold, share in reversed(curve):
        if share > risk:
            break
        found = threshold
    return found
