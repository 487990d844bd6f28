"""Fit the weights of `kb.RereadWeights` on questions the reader never saw, and report how far they can be trusted.

    python scripts/fit_rereading.py --data DIR [--every N] [--out kb/rereading.json] [--plot FILE]

News quizzes of 2024, a year that neither the reader nor the answerability was fitted on, are asked of all
sentences of their week's articles: few of them are answered by any. Questions of SelQA on an encyclopedia, as
a reader would ask, are asked of all its sentences: most are answered by one. Half of each have the sentences
that answer withheld. Both weigh the same. Weeks and questions are parted into those that are fitted on, that
correct the probabilities, and that measure. Nothing after 2024 is read.
"""

import argparse
import functools
import json
import sys
import tempfile
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from agent.questions import parse_question
from agent.quiz import Row, Weeks, read_quiz
from agent.realtimeqa_scores import (
    RIGHT_F1,
    answer_words,
    auroc,
    calibration_error,
    word_f1,
)
from agent.sentences import split_sentences
from kb import Answerability, RereadWeights
from kb.calibrate import Corpus, Passage, passages_of
from kb.reread import FEATURES, READ, read_again
from model import Encoder, Reader, load_encoder, load_reader
from model.texts import read_rows

YEAR = "2024"
SELQA = "train/qa/selqa.jsonl.xz"
ENCYCLOPEDIA_EVERY = 2
SOURCES = QUIZ, ENCYCLOPEDIA = "quiz", "encyclopedia"
SENTENCES = 30
"""Of an article at most: news tells the main things first."""
PARTS = ("fit", "fit", "correct", "measure")
BINS = 8
MIN_RISE = 0.02
"""The correction never goes flat: equal probabilities would hide the order of facts."""
ANSWER_THRESHOLD = 0.5
ROOT = Path(__file__).resolve().parents[1]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """The facts read for one question."""

    features: Floats
    is_right: npt.NDArray[np.bool_]
    """Whether each span is the right answer."""
    part: str
    source: str
    withheld: bool


def main() -> int:
    """Fit, write, print the report."""
    options = _options()
    encoder = load_encoder()
    reader = load_reader(encoder=encoder)
    weeks = Weeks(YEAR, YEAR, options.every)
    answerability = Answerability.load()
    tables = list(_tables(options.data, weeks, reader, answerability, encoder))
    tables += _encyclopedia(options.data / SELQA, reader, answerability, encoder)
    made = _fit([table for table in tables if table.part == "fit"], options.seed)
    made = replace(made, calibration=_correction(_of(tables, "correct"), made), reader=reader.name)
    made = replace(
        made, curve=_curve(*_best([*_of(tables, "correct"), *_of(tables, "measure")], made))
    )
    measured = _of(tables, "measure")
    report = {
        "command": "scripts/fit_rereading.py",
        "year": YEAR,
        "every": options.every,
        "seed": options.seed,
        "questions": len(tables),
        "measured": {
            "all": _measure(measured, made),
            **{
                source: _measure([t for t in measured if t.source == source], made)
                for source in SOURCES
            },
        },
    }
    options.out.write_text(
        json.dumps(replace(made, metrics=report).to_dict(), indent=1) + "\n", encoding="utf-8"
    )
    if options.plot:
        _plot(_of(tables, "measure"), made, options.plot)
    print(
        json.dumps({**report, "weights": dict(zip(FEATURES, made.weights, strict=True))}, indent=1)
    )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with `realtimeqa`")
    parser.add_argument("--every", type=int, default=1, help="only every N-th week")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=ROOT / "kb" / "rereading.json")
    parser.add_argument("--plot", type=Path, help="PNG of reliability and of risk and coverage")
    return parser.parse_args()


def _of(tables: Sequence[Table], part: str) -> list[Table]:
    return [table for table in tables if table.part == part]


def _tables(
    data: Path, weeks: Weeks, reader: Reader, answerability: Answerability, encoder: Encoder
) -> Iterator[Table]:
    quiz = read_quiz(data, weeks)
    for number, week in enumerate(quiz.weeks):
        passages = [p for row in quiz.articles.get(week, ()) for p in _sentences(row)]
        with tempfile.TemporaryDirectory() as folder:
            corpus = Corpus(passages, encoder, Path(folder))
            for row in quiz.questions[week]:
                yield _table(row, corpus, reader, answerability, PARTS[number % len(PARTS)])
            corpus.close()
        print(week, len(passages), "sentences", flush=True, file=sys.stderr)


def _table(
    row: Row, corpus: Corpus, reader: Reader, answerability: Answerability, part: str
) -> Table:
    right = row["choices"][row["answer"]]
    said = f" {' '.join(answer_words(right))} "
    withheld = crc32(row["id"].encode()) % 2 == 1
    asked, ranked = corpus.rank(
        parse_question(row["question"]),
        asked_at=datetime.fromisoformat(row["date"]).replace(tzinfo=UTC),
        answerability=answerability,
        withheld=lambda passage: withheld and said in f" {' '.join(answer_words(passage.text))} ",
    )
    if not ranked:
        return Table(np.zeros((0, len(FEATURES))), np.zeros(0, dtype=bool), part, QUIZ, withheld)
    spanned, features = read_again(reader, asked, ranked[:READ])
    given = [one.fact.quote[slice(*one.span)] if one.span else "" for one in spanned]
    is_right = np.array([word_f1(text, right) >= RIGHT_F1 for text in given])
    return Table(features, is_right, part, QUIZ, withheld)


def _encyclopedia(
    path: Path, reader: Reader, answerability: Answerability, encoder: Encoder
) -> Iterator[Table]:
    """Questions whose answering sentences are known, asked of all sentences."""
    rows = list(read_rows(path))[::ENCYCLOPEDIA_EVERY]
    places: dict[tuple[str, str], int] = {}
    for row in rows:
        for text in row["cands"]:
            places.setdefault((row["title"], text), len(places))
    passages = [Passage(text, title, None, title, place) for (title, text), place in places.items()]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(passages, encoder, Path(folder))
        for row in rows:
            number = crc32(row["q"].encode())
            right = {places[row["title"], row["cands"][at]] for at in row["answers"]}
            hidden = right if number % 2 == 1 else set()
            asked, ranked = corpus.rank(
                parse_question(row["q"]),
                asked_at=None,
                answerability=answerability,
                withheld=functools.partial(_stands_in, hidden),
            )
            if ranked:
                _, features = read_again(reader, asked, ranked[:READ])
                is_right = np.array([one.fact.start_char in right for one in ranked[:READ]])
                part = PARTS[number // 2 % len(PARTS)]
                yield Table(features, is_right, part, ENCYCLOPEDIA, bool(hidden))
        corpus.close()


def _sentences(row: Row) -> list[Passage]:
    return passages_of(row, split_sentences(row["body"])[:SENTENCES])


def _stands_in(places: Container[int], passage: Passage) -> bool:
    return passage.start_char in places


# ------------------------------------------------------------------------------------------------------ fitting
def _fit(tables: Sequence[Table], seed: int) -> RereadWeights:
    features = np.concatenate([table.features for table in tables])
    labels = np.concatenate([table.is_right for table in tables])
    weights = np.concatenate([_weights(table, tables) for table in tables])
    found = LogisticRegression(C=1.0, max_iter=2000, random_state=seed)
    found.fit(features, labels, sample_weight=weights)
    return RereadWeights(
        weights=tuple(np.round(found.coef_[0], 6).tolist()),
        bias=round(float(found.intercept_[0]), 6),
        answer_threshold=ANSWER_THRESHOLD,
    )


def _weights(table: Table, tables: Sequence[Table]) -> Floats:
    """Of one question's facts, so that all of a source weigh half of all facts."""
    of_source = sum(len(other.is_right) for other in tables if other.source == table.source)
    everything = sum(len(other.is_right) for other in tables)
    return np.full(len(table.is_right), everything / (len(SOURCES) * of_source))


def _best(tables: Sequence[Table], weights: RereadWeights) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probability of each question's likeliest span, and whether that is right."""
    likely, right = [], []
    for table in tables:
        if not len(table.features):
            likely.append(0.0)
            right.append(False)
            continue
        values = weights.probability(table.features)
        at = int(np.argmax(values))
        likely.append(float(values[at]))
        right.append(bool(table.is_right[at]))
    return np.array(likely), np.array(right, dtype=bool)


def _correction(tables: Sequence[Table], weights: RereadWeights) -> tuple[tuple[float, float], ...]:
    """A rising line through the means of equally filled bins."""
    likely, right = _best(tables, weights)
    order = np.argsort(likely, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    xs = np.array([likely[part].mean() for part in bins])
    ys = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(
        xs, np.array([right[part].mean() for part in bins])
    )
    rising = [(0.0, 0.0)]
    for x, y in [*zip(xs.tolist(), ys.tolist(), strict=True), (1.0, 1.0)]:
        last_x, last_y = rising[-1]
        if x > last_x:
            floor = last_y + MIN_RISE * (x - last_x)
            rising.append((round(x, 6), round(min(max(y, floor), 1.0), 6)))
    return tuple(rising)


def _curve(likely: Floats, right: npt.NDArray[np.bool_]) -> tuple[tuple[float, float, float], ...]:
    """Threshold, share answered and share of these wrong, at every hundredth that occurs."""
    points = []
    for threshold in np.unique(np.round(likely, 2)):
        answered = likely >= threshold
        if answered.any():
            wrong = 1.0 - float(right[answered].mean())
            points.append((float(threshold), round(float(answered.mean()), 4), round(wrong, 4)))
    return tuple(points)


def _measure(tables: Sequence[Table], weights: RereadWeights) -> dict[str, Any]:
    likely, right = _best(tables, weights)
    withheld = np.array([table.withheld for table in tables], dtype=bool)
    answered = likely >= weights.answer_threshold
    return {
        "n": len(tables),
        "right": round(float(right.mean()), 4),
        "auroc_right": round(auroc(likely[right].tolist(), likely[~right].tolist()), 4),
        "auroc_withheld": round(auroc(likely[~withheld].tolist(), likely[withheld].tolist()), 4),
        "ece": round(calibration_error(likely.tolist(), right.tolist()), 4),
        "coverage": round(float(answered.mean()), 4),
        "wrong": round(1.0 - float(right[answered].mean()), 4) if answered.any() else 0.0,
    }


def _plot(tables: Sequence[Table], weights: RereadWeights, path: Path) -> None:
    """Reliability on the left, risk against coverage on the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    likely, right = _best(tables, weights)
    order = np.argsort(likely, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    figure, (left, other) = pyplot.subplots(1, 2, figsize=(9, 4))
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    left.plot([likely[p].mean() for p in bins], [right[p].mean() for p in bins], marker="o")
    left.set(
        xlabel="probability", ylabel="share right", title="Reliability", xlim=(0, 1), ylim=(0, 1)
    )
    curve = _curve(likely, right)
    other.plot([share for _, share, _ in curve], [wrong for _, _, wrong in curve])
    other.set(
        xlabel="share answered",
        ylabel="share of these wrong",
        title="Risk",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
