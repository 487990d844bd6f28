"""Fit the weights of `kb.ChoiceWeights` on news quizzes, and report what they give on a later year.

    python scripts/fit_choices.py --data DIR [--every N] [--out kb/choices.json]

The quizzes of `realtimeqa` of 2022 and 2023 are fitted on, those of 2024 choose how far the weights are
shrunk; nothing after 2024 is read. Each question is asked of all sentences of its week's articles,
retrieved and scored as the program would.
"""

import argparse
import json
import lzma
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from agent.questions import parse_question
from agent.sentences import split_sentences
from kb import Answerability
from kb.calibrate import Corpus, Passage, passages_of
from kb.choices import COMPARED, ChoiceWeights, compare
from model import Encoder, load_encoder

FITTED_YEARS, DEVELOPMENT_YEAR = (2022, 2023), 2024
SENTENCES = 30
"""Of an article at most: news tells the main things first."""
SHRINKINGS = (0.03, 0.1, 0.3, 1.0)
OUT = Path(__file__).resolve().parents[1] / "kb" / "choices.json"

Floats = npt.NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Quiz:
    """One question: the features of its options, and which is right."""

    week: str
    features: Floats
    right: int


def main() -> int:
    """Fit, write, print what the weights give."""
    options = _options()
    started = time.perf_counter()
    encoder = load_encoder()
    quizzes = list(_read(options.data / "realtimeqa", encoder, options.every))
    fitted = [quiz for quiz in quizzes if int(quiz.week[:4]) in FITTED_YEARS]
    kept = [quiz for quiz in quizzes if int(quiz.week[:4]) == DEVELOPMENT_YEAR]
    found = {shrinking: fit(fitted, shrinking) for shrinking in SHRINKINGS}
    accuracies = {shrinking: accuracy(weights, kept) for shrinking, weights in found.items()}
    best = max(accuracies, key=lambda shrinking: accuracies[shrinking])
    weights = found[best]
    report = {
        "command": "scripts/fit_choices.py",
        "fitted": {"years": list(FITTED_YEARS), "n": len(fitted)},
        "development": {"year": DEVELOPMENT_YEAR, "n": len(kept)},
        "every": options.every,
        "shrinking": best,
        "accuracy_fitted": accuracy(weights, fitted),
        "accuracy_by_shrinking": {str(key): value for key, value in accuracies.items()},
        "seconds": round(time.perf_counter() - started),
    }
    stored = ChoiceWeights(
        COMPARED, weights.means, weights.spreads, weights.weights, encoder.name, report
    )
    options.out.write_text(json.dumps(stored.to_dict(), indent=1) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument("--every", type=int, default=1, help="only every N-th week")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def _read(folder: Path, encoder: Encoder, every: int) -> Iterator[Quiz]:
    years = (*FITTED_YEARS, DEVELOPMENT_YEAR)
    articles, asked = defaultdict(list), defaultdict(list)
    for year in years:
        for row in _rows(folder / f"articles-{year}.jsonl.xz"):
            for week in row["weeks"]:
                articles[week].append(row)
        for row in _rows(folder / f"questions-{year}.jsonl.xz"):
            asked[row["week"]].append(row)
    answerability = Answerability.load()
    for week in sorted(asked)[::every]:
        passages = [sentence for row in articles[week] for sentence in _sentences(row)]
        with tempfile.TemporaryDirectory() as home:
            corpus = Corpus(passages, encoder, Path(home))
            for row in asked[week]:
                if 0 <= row["answer"] < len(row["choices"]):
                    features = corpus.choose(
                        parse_question(row["question"]),
                        row["choices"],
                        asked_at=datetime.fromisoformat(row["date"]).replace(tzinfo=UTC),
                        answerability=answerability,
                    )
                    yield Quiz(week, features, row["answer"])
            corpus.close()
        print(week, len(passages), "sentences", flush=True, file=sys.stderr)


def _sentences(row: Row) -> list[Passage]:
    return passages_of(row, split_sentences(row["body"])[:SENTENCES])


def _rows(path: Path) -> Iterator[Row]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def fit(quizzes: Sequence[Quiz], shrinking: float) -> ChoiceWeights:
    """The conditional logit whose weights, shrunk towards 0, make the right options likeliest."""
    compared = [compare(quiz.features) for quiz in quizzes]
    every = np.concatenate(compared)
    means, spreads = every.mean(axis=0), every.std(axis=0)
    spreads = np.where(spreads > 0, spreads, 1.0)
    scaled = [(rows - means) / spreads for rows in compared]
    right = np.array([quiz.right for quiz in quizzes])
    starts = np.concatenate(([0], np.cumsum([len(rows) for rows in scaled])))
    stacked = np.concatenate(scaled)
    chosen = starts[:-1] + right

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = stacked @ weights
        highest = np.maximum.reduceat(scores, starts[:-1])
        shares = np.exp(scores - np.repeat(highest, np.diff(starts)))
        sums = np.add.reduceat(shares, starts[:-1])
        shares /= np.repeat(sums, np.diff(starts))
        likelihood = (scores[chosen] - highest - np.log(sums)).mean()
        gradient = (stacked.T @ shares - stacked[chosen].sum(axis=0)) / len(chosen)
        penalty = shrinking * float(weights @ weights)
        return penalty - float(likelihood), gradient + 2 * shrinking * weights

    found = minimize(loss, np.zeros(stacked.shape[1]), jac=True, method="L-BFGS-B")
    rounded = [tuple(np.round(values, 6).tolist()) for values in (means, spreads, found.x)]
    return ChoiceWeights(COMPARED, rounded[0], rounded[1], rounded[2])


def accuracy(weights: ChoiceWeights, quizzes: Sequence[Quiz]) -> float:
    """Share of the questions, times 100, whose likeliest option is right."""
    right = [int(np.argmax(weights.probabilities(quiz.features))) == quiz.right for quiz in quizzes]
    return round(100 * float(np.mean(right)), 2)


if __name__ == "__main__":
    sys.exit(main())
