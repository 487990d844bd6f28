"""The best facts read again by a model's reader: which of them answers, where, and how likely that is right.

Retrieval knows which facts are about a question; the reader knows what in them may answer it, and when
nothing does. Both, and whether several facts say the same, make one calibrated probability that the
span given is the right answer. The weights are fitted outside and loaded as data.

Shapes: N facts.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kb.answerability import threshold_within
from kb.protocols import Reader
from kb.retrieve import Asked, Scored, kind_spans
from kb.values import AnswerKind
from kb.words import plain, terms

SHIPPED = "rereading.json"
FEATURES = ("fact", "span", "no answer", "votes", "kind", "asked", "ahead", "near")
READ = 20
"""Facts read again; the others follow as they were."""
MAX_LOG_ODDS = 6.0

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RereadWeights:
    """A logistic regression over FEATURES.

    Attributes:
        answer_threshold: from here on an answer is given.
        curve: (threshold, share answered, share of these wrong) on questions kept for it, thresholds
            ascending.
        reader: name of the reader it was fitted with.
    """

    weights: tuple[float, ...]
    bias: float
    answer_threshold: float
    curve: tuple[tuple[float, float, float], ...] = ()
    reader: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None) -> "RereadWeights":
        """Read fitted weights: those at `path`, else the shipped ones.

        Raises:
            ValueError: the file cannot be read, or is something else.
        """
        path = path or Path(__file__).with_name(SHIPPED)
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            if tuple(stored["features"]) != FEATURES or len(stored["weights"]) != len(FEATURES):
                raise ValueError("features and weights do not fit")
            return cls(
                weights=tuple(float(weight) for weight in stored["weights"]),
                bias=float(stored["bias"]),
                answer_threshold=float(stored["answer_threshold"]),
                curve=tuple((float(t), float(c), float(w)) for t, c, w in stored["curve"]),
                reader=str(stored["reader"]),
                metrics=dict(stored["metrics"]),
            )
        except (OSError, KeyError, TypeError, ValueError) as exc:
            raise ValueError(f"{path}: no weights of rereading: {exc}") from exc

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "features": list(FEATURES),
            "weights": list(self.weights),
            "bias": self.bias,
            "answer_threshold": self.answer_threshold,
            "curve": [list(point) for point in self.curve],
            "reader": self.reader,
            "metrics": dict(self.metrics),
        }

    def probability(self, features: Matrix) -> Matrix:
        """How likely the spans of N facts are the right answer, from features (N, len(FEATURES)), to six digits."""
        raw = features @ np.asarray(self.weights) + self.bias
        return np.asarray(np.round(1.0 / (1.0 + np.exp(-raw)), 6), dtype=np.float64)

    def threshold_at(self, max_wrong: float) -> float:
        """The lowest threshold from which on no more of the answers given are wrong; see `curve`."""
        return threshold_within(max_wrong, [(t, wrong) for t, _, wrong in self.curve])


class Rereader:
    """A reader and what its readings are worth."""

    def __init__(self, reader: Reader, weights: RereadWeights) -> None:
        self._reader = reader
        self.weights = weights

    def reread(self, asked: Asked, ranked: Sequence[Scored]) -> list[Scored]:
        """The best facts with the spans that may answer, likeliest first; the others behind them."""
        best = list(ranked[:READ])
        if not best:
            return []
        spanned, features = read_again(self._reader, asked, best)
        likely = self.weights.probability(features)
        read = [
            replace(one, scores=replace(one.scores, probability=float(probability)))
            for one, probability in zip(spanned, likely, strict=True)
        ]
        read.sort(key=lambda one: (-one.scores.probability, one.fact.seq))
        floor = read[-1].scores.probability
        rest = [
            replace(one, scores=replace(one.scores, probability=min(floor, one.scores.probability)))
            for one in ranked[READ:]
        ]
        return read + rest


def read_again(
    reader: Reader, asked: Asked, ranked: Sequence[Scored]
) -> tuple[list[Scored], Matrix]:
    """The facts with the reader's spans, and one row of FEATURES for each.

    Args:
        reader: of spans.
        asked: the question.
        ranked: facts with the probability that they answer; one at least.
    """
    spans = reader.read(asked.question.text, [one.fact.quote for one in ranked])
    spanned = [
        replace(one, span=(span.start, span.end) if span.end > span.start else None)
        for one, span in zip(ranked, spans, strict=True)
    ]
    logits = np.array([_log_odds(one.scores.probability) for one in ranked])
    said = [f" {plain(one.fact.quote[slice(*one.span)])} " if one.span else "" for one in spanned]
    rows = [
        (
            logits[at],
            span.score,
            span.no_answer,
            _votes(at, said, ranked),
            _fits_kind(asked, one),
            _share_asked(asked, one),
            logits[at] - max(np.delete(logits, at), default=-MAX_LOG_ODDS),
            one.scores.dense,
        )
        for at, (one, span) in enumerate(zip(spanned, spans, strict=True))
    ]
    return spanned, np.asarray(np.round(np.asarray(rows, dtype=np.float64), 4), dtype=np.float64)


def _log_odds(probability: float) -> float:
    least = 1.0 / (1.0 + np.exp(MAX_LOG_ODDS))
    bounded = min(max(probability, least), 1.0 - least)
    return float(np.log(bounded / (1.0 - bounded)))


def _votes(at: int, said: Sequence[str], ranked: Sequence[Scored]) -> float:
    """Probability, summed and damped, of the other facts whose span holds this one or is held by it."""
    ours = said[at]
    if not ours.strip():
        return 0.0
    agreeing = [
        ranked[n].scores.probability
        for n, other in enumerate(said)
        if n != at and other.strip() and (ours in other or other in ours)
    ]
    return float(np.log1p(sum(agreeing)))


def _fits_kind(asked: Asked, one: Scored) -> float:
    """Whether the span overlaps one of the kind asked for."""
    if one.span is None:
        return 0.0
    if asked.question.kind is AnswerKind.WHAT:
        return 1.0
    start, end = one.span
    return float(any(a < end and start < b for a, b in kind_spans(asked, one.fact)))


def _share_asked(asked: Asked, one: Scored) -> float:
    """Share of the span's words that the question has said already."""
    words = terms(one.fact.quote[slice(*one.span)]) if one.span else []
    return sum(word in asked.terms for word in words) / len(words) if words else 0.0
