"""Fit the weights of `kb.RereadWeights` on questions the reader never saw, and report how far they can be trusted.

    python scripts/fit_rereading.py --data DIR [--every N] [--out kb/rereading.json] [--plot FILE]

News quizzes of 2024, a year that neither the reader nor the answerability was fitted on, are asked twice: of all
sentences of their week's articles, a few of which answer, and of those of the week before, none of which does; with
`--before`, of some weeks more at once. SelQA's questions on an encyclopedia, as a reader would ask, are asked of all
its sentences, half of them with those that answer withheld. The quiz weighs twice as much: news is what is asked about,
and SelQA says which sentence answers, not where. Weeks and questions are parted into folds: each is measured by weights
that were fitted on the others, and the shipped weights on all. Nothing after 2024 is read.
"""

import argparse
import functools
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from agent.questions import parse_question
from agent.quiz import Quiz, Row, Weeks, read_quiz
from agent.realtimeqa_scores import (
    RIGHT_F1,
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
QUIZ, ENCYCLOPEDIA = "quiz", "encyclopedia"
SHARES = {QUIZ: 2 / 3, ENCYCLOPEDIA: 1 / 3}
"""What each source weighs."""
SENTENCES = 30
"""Of an article at most: news tells the main things first."""
FOLDS = 4
BINS = 8
"""Of the reliability diagram, equally filled."""
ANSWER_THRESHOLD = 0.5
ROOT = Path(__file__).resolve().parents[1]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Table:
    """The facts read for one question."""

    features: Floats
    is_right: npt.NDArray[np.bool_]
    """Whether each span is the right answer."""
    fold: int
    source: str
    is_known: bool
    """Whether the sentences that answer, if there are any, could be found."""


def main() -> int:
    """Fit, write, print the report."""
    options = _options()
    tables = _all_tables(options.data, Weeks(YEAR, YEAR, options.every), options.before)
    likely, right = _held_out(tables, options.seed)
    made = _fit(tables, options.seed)
    reader = load_reader(encoder=load_encoder()).name
    made = replace(made, reader=reader, curve=_curve(likely, right))
    report = {
        "command": "scripts/fit_rereading.py",
        "year": YEAR,
        "every": options.every,
        "before": options.before,
        "seed": options.seed,
        "questions": len(tables),
        "measured": {
            source: _measure(_of(tables, source), likely, right, made.answer_threshold)
            for source in SHARES
        },
    }
    options.out.write_text(
        json.dumps(replace(made, metrics=report).to_dict(), indent=1) + "\n", encoding="utf-8"
    )
    if options.plot:
        _plot(likely, right, options.plot)
    print(
        json.dumps({**report, "weights": dict(zip(FEATURES, made.weights, strict=True))}, indent=1)
    )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with `realtimeqa`")
    parser.add_argument("--every", type=int, default=1, help="only every N-th week")
    parser.add_argument(
        "--before", type=int, default=0, help="weeks before each one that are held as well"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=ROOT / "kb" / "rereading.json")
    parser.add_argument("--plot", type=Path, help="PNG of reliability and of risk and coverage")
    return parser.parse_args()


def _all_tables(data: Path, weeks: Weeks, before: int) -> list[Table]:
    """What is read for every question; the weeks are shared by the cores."""
    count = len(read_quiz(data, weeks).weeks)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        initializer=_start, initargs=(data, weeks, before), mp_context=context
    ) as pool:
        encyclopedia = pool.submit(_encyclopedia)
        tables = [table for part in pool.map(_tables, range(count)) for table in part]
        return tables + encyclopedia.result()


@dataclass(frozen=True, slots=True)
class _Judges:
    """What a process reads and asks with."""

    data: Path
    quiz: Quiz
    before: int
    encoder: Encoder
    reader: Reader
    answerability: Answerability


_judges: _Judges


def _start(data: Path, weeks: Weeks, before: int) -> None:
    global _judges
    encoder = load_encoder()
    reader = load_reader(encoder=encoder)
    _judges = _Judges(data, read_quiz(data, weeks), before, encoder, reader, Answerability.load())


def _tables(number: int) -> list[Table]:
    """A week's questions of its own sentences, and those of the week that follows."""
    quiz = _judges.quiz
    week, following = quiz.weeks[number], quiz.weeks[number + 1 : number + 2]
    held = quiz.weeks[max(number - _judges.before, 0) : number + 1]
    articles = {row["url"]: row for each in held for row in quiz.articles.get(each, ())}
    passages = [passage for row in articles.values() for passage in _sentences(row)]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(passages, _judges.encoder, Path(folder))
        asking = _Asking(corpus, _judges.reader, _judges.answerability)
        tables = [
            asking.table(row, fold=number % FOLDS, is_known=True) for row in quiz.questions[week]
        ]
        tables += [
            asking.table(row, fold=(number + 1) % FOLDS, is_known=False)
            for later in following
            for row in quiz.questions[later]
        ]
        corpus.close()
    print(week, len(passages), "sentences", flush=True, file=sys.stderr)
    return tables


@dataclass(frozen=True, slots=True)
class _Asking:
    """One week's sentences and who reads them."""

    corpus: Corpus
    reader: Reader
    answerability: Answerability

    def table(self, row: Row, *, fold: int, is_known: bool) -> Table:
        """What is read for a question of the quiz; without its week's news, no span is right but by chance."""
        asked, ranked = self.corpus.rank(
            parse_question(row["question"]),
            asked_at=datetime.fromisoformat(row["date"]).replace(tzinfo=UTC),
            answerability=self.answerability,
        )
        if not ranked:
            empty = np.zeros((0, len(FEATURES)))
            return Table(empty, np.zeros(0, dtype=bool), fold, QUIZ, is_known)
        spanned, features = read_again(self.reader, asked, ranked[:READ])
        given = [one.fact.quote[slice(*one.span)] if one.span else "" for one in spanned]
        right = row["choices"][row["answer"]]
        is_right = np.array([is_known and word_f1(text, right) >= RIGHT_F1 for text in given])
        return Table(features, is_right, fold, QUIZ, is_known)


def _encyclopedia() -> list[Table]:
    """Questions whose answering sentences are known, asked of all sentences."""
    rows = list(read_rows(_judges.data / SELQA))[::ENCYCLOPEDIA_EVERY]
    tables = []
    places: dict[tuple[str, str], int] = {}
    for row in rows:
        for text in row["cands"]:
            places.setdefault((row["title"], text), len(places))
    passages = [Passage(text, title, None, title, place) for (title, text), place in places.items()]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(passages, _judges.encoder, Path(folder))
        for row in rows:
            number = crc32(row["q"].encode())
            right = {places[row["title"], row["cands"][at]] for at in row["answers"]}
            hidden = right if number % 2 == 1 else set()
            asked, ranked = corpus.rank(
                parse_question(row["q"]),
                asked_at=None,
                answerability=_judges.answerability,
                withheld=functools.partial(_stands_in, hidden),
            )
            if ranked:
                _, features = read_again(_judges.reader, asked, ranked[:READ])
                is_right = np.array([one.fact.start_char in right for one in ranked[:READ]])
                fold = number // 2 % FOLDS
                tables.append(Table(features, is_right, fold, ENCYCLOPEDIA, not hidden))
        corpus.close()
    return tables


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
    """Of one question's facts, so that all of a source weigh its share of all facts."""
    of_source = sum(len(other.is_right) for other in tables if other.source == table.source)
    everything = sum(len(other.is_right) for other in tables)
    return np.full(len(table.is_right), SHARES[table.source] * everything / of_source)


def _held_out(tables: Sequence[Table], seed: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probability of each question's likeliest span by weights of the other folds, and whether that is right."""
    likely, right = np.zeros(len(tables)), np.zeros(len(tables), dtype=bool)
    for fold in range(FOLDS):
        made = _fit([table for table in tables if table.fold != fold], seed)
        for at, table in enumerate(tables):
            if table.fold == fold and len(table.features):
                values = made.probability(table.features)
                likely[at] = values.max()
                right[at] = table.is_right[int(np.argmax(values))]
    return likely, right


def _curve(likely: Floats, right: npt.NDArray[np.bool_]) -> tuple[tuple[float, float, float], ...]:
    """Threshold, share answered and share of these wrong, at every hundredth that occurs."""
    points = []
    for threshold in np.unique(np.round(likely, 2)):
        answered = likely >= threshold
        if answered.any():
            wrong = 1.0 - float(right[answered].mean())
            points.append((float(threshold), round(float(answered.mean()), 4), round(wrong, 4)))
    return tuple(points)


def _of(tables: Sequence[Table], source: str) -> dict[bool, list[int]]:
    """Places of a source's tables, by whether the answer could be found."""
    return {
        is_known: [
            at
            for at, table in enumerate(tables)
            if table.source == source and table.is_known == is_known
        ]
        for is_known in (True, False)
    }


def _measure(
    places: Mapping[bool, list[int]],
    likely: Floats,
    right: npt.NDArray[np.bool_],
    threshold: float,
) -> dict[str, Any]:
    """Of one source: how well probabilities tell what is known, and how far they can be trusted where it may be."""
    known, unknown = likely[places[True]], likely[places[False]]
    is_right = right[places[True]]
    answered = known >= threshold
    return {
        "n": len(known),
        "right": round(float(is_right.mean()), 4),
        "auroc_right": round(auroc(known[is_right].tolist(), known[~is_right].tolist()), 4),
        "auroc_known": round(auroc(known.tolist(), unknown.tolist()), 4),
        "ece": round(calibration_error(known.tolist(), is_right.tolist()), 4),
        "coverage": round(float(answered.mean()), 4),
        "wrong": round(1.0 - float(is_right[answered].mean()), 4) if answered.any() else 0.0,
        "unknown_before": round(float((unknown < threshold).mean()), 4),
    }


def _plot(likely: Floats, right: npt.NDArray[np.bool_], path: Path) -> None:
    """Reliability on the left, risk against coverage on the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

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
