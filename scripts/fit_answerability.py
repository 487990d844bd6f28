"""Fit the weights of `kb.Answerability` on real questions, and report how far its probabilities can be trusted.

    python scripts/fit_answerability.py --data DIR [--out kb/answerability.json] [--seed 7]

Questions with their sentences come from `train/qa` (SQuAD, QAMR) and from the news quizzes of
`realtimeqa` up to 2023. Each is asked of a store of all their sentences, as the program would ask;
half of them with the sentences that answer withheld. A logistic regression learns which candidate
answers; its probability of the best candidate is then corrected on held-out questions and measured
on others. Nothing of the quizzes after 2023 is read.
"""

import argparse
import hashlib
import json
import lzma
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from agent.questions import parse_question
from agent.sentences import split_sentences
from kb import Answerability, Question
from kb.answerability import FEATURES, expand
from kb.calibrate import Corpus, Pairs, Passage, passages_of
from kb.words import plain
from model import load_encoder

TERMS: tuple[tuple[str, ...], ...] = (
    *((name,) for name in FEATURES),
    ("dense", "dense"),
    ("lexical", "lexical"),
    ("dense", "lexical"),
    ("lexical", "names"),
    ("lexical", "has_kind"),
    ("names", "has_kind"),
)
SQUAD_QUESTIONS = 3_500
QAMR_QUESTIONS = 2_000
QUIZ_WEEKS = 30
QUIZ_SENTENCES = 25  # of an article: news tells the main things first
BEST = 5  # candidates of a question that the regression sees
BINS = 10
MIN_RISE = 0.02  # the correction never goes flat: equal probabilities would hide the order of facts
MIN_ANSWER_CHARS = 3
# Half of the questions could not be answered, so even odds are the place to speak up.
ANSWER_THRESHOLD = 0.5
# Verdicts see the answer as well: a fact that holds it needs to be about the question, no more.
# Chosen on leads of one event by several outlets: below it the pairs that agree go wrong.
KNOWN_THRESHOLD = 0.15

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Case:
    """A question, where its answer may stand, and what may not be counted against a candidate."""

    question: Question
    right: frozenset[int]  # passages that answer
    answers: tuple[str, ...]  # plain; other passages that hold one neither count for nor against
    asked_at: datetime | None
    source: str
    withheld: bool


def main() -> int:
    """Fit, write, print the report."""
    options = _options()
    started = time.perf_counter()
    passages: list[Passage] = []
    cases = [
        *_squad(options.data / "train/qa/squad_part_train.jsonl.xz", passages, options.seed),
        *_qamr(options.data / "train/qa/qamr.jsonl.xz", passages, options.seed),
        *_quiz(options.data / "realtimeqa", passages, options.seed),
    ]
    embedder = load_encoder()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(passages, embedder, Path(folder))
        pairs = corpus.ask([c.question for c in cases], asked_at=[c.asked_at for c in cases])
        corpus.close()
    fitted, report = _fit(_tables(cases, pairs, passages), options.seed)
    report |= {
        "command": "scripts/fit_answerability.py",
        "seed": options.seed,
        "data_sha256": _digest(passages, cases),
        "passages": len(passages),
        "encoder": embedder.name,
        "fitted_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.perf_counter() - started, 1),
    }
    fitted = replace(fitted, encoder=embedder.name, metrics=report)
    options.out.write_text(json.dumps(fitted.to_dict(), indent=1) + "\n", encoding="utf-8")
    print(json.dumps(fitted.to_dict(), indent=1))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument("--out", type=Path, default=Path("kb/answerability.json"))
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args()


# --------------------------------------------------------------------------------------- questions
def _squad(path: Path, passages: list[Passage], seed: int) -> list[Case]:
    """Questions of encyclopedia paragraphs; the answer's offset tells the sentence."""
    found = []
    for row in _rows(path):
        title = row["title"].replace("_", " ")
        first = len(passages)
        spans = split_sentences(row["context"])
        passages.extend(Passage(row["context"][start:end], title) for start, end in spans)
        for asked in row["qas"]:
            answers = [(text, start) for text, start in asked["answers"] if start >= 0]
            right = {
                first + n
                for n, (start, end) in enumerate(spans)
                if any(start <= at < end for _, at in answers)
            }
            if not right:
                continue
            texts = [text for text, _ in answers]
            found.append(_case(asked["q"], right, texts, None, "squad"))
    return _sample(found, SQUAD_QUESTIONS, seed)


def _qamr(path: Path, passages: list[Passage], seed: int) -> list[Case]:
    """Questions about the parts of single sentences; only those that name enough to be asked alone."""
    found: list[Case] = []
    for row in _rows(path):
        place = len(passages)
        passages.append(Passage(row["context"], ""))
        found.extend(
            _case(text, {place}, [answer], None, "qamr")
            for text, answer, start in row["qas"]
            if start >= 0 and len(plain(text).split()) >= 6
        )
    return _sample(found, QAMR_QUESTIONS, seed)


def _quiz(folder: Path, passages: list[Passage], seed: int) -> list[Case]:
    """News quiz questions; the sentences that answer hold the answer, in an article found for it."""
    articles = [a for year in (2022, 2023) for a in _rows(folder / f"articles-{year}.jsonl.xz")]
    asked = [q for year in (2022, 2023) for q in _rows(folder / f"questions-{year}.jsonl.xz")]
    weeks = sorted({question["week"] for question in asked})
    chosen = set(np.random.default_rng(seed).permutation(weeks)[:QUIZ_WEEKS].tolist())
    first = len(passages)
    of_question: defaultdict[str, list[int]] = defaultdict(list)
    for article in articles:
        if chosen.isdisjoint(article["weeks"]):
            continue
        start = len(passages)
        passages.extend(_sentences(article))
        for question_id in article["questions"]:
            of_question[question_id].extend(range(start, len(passages)))
    plain_text = {n: f" {plain(passages[n].text)} " for n in range(first, len(passages))}
    cases = []
    for row in asked:
        answer = f" {plain(row['choices'][row['answer']])} "
        if row["week"] not in chosen or len(answer) < MIN_ANSWER_CHARS + 2:
            continue
        right = {n for n in of_question[row["id"]] if answer in plain_text[n]}
        asked_at = datetime.fromisoformat(row["date"]).replace(tzinfo=UTC)
        if right:
            cases.append(_case(row["question"], right, [answer], asked_at, "realtimeqa"))
    return cases


def _sentences(article: dict[str, Any]) -> list[Passage]:
    return passages_of(article, split_sentences(article["body"])[:QUIZ_SENTENCES])


def _case(
    text: str, right: set[int], answers: Iterable[str], asked_at: datetime | None, source: str
) -> Case:
    digest = hashlib.sha256(text.encode()).digest()
    return Case(
        parse_question(text),
        frozenset(right),
        tuple(plain(answer) for answer in answers),
        asked_at,
        source,
        withheld=digest[0] % 2 == 1,
    )


def _sample(cases: list[Case], count: int, seed: int) -> list[Case]:
    order = np.random.default_rng(seed).permutation(len(cases))[:count]
    return [cases[place] for place in sorted(order)]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _digest(passages: Iterable[Passage], cases: Iterable[Case]) -> str:
    digest = hashlib.sha256()
    for passage in passages:
        digest.update(passage.text.encode("utf-8", "surrogatepass"))
    for case in cases:
        digest.update(case.question.text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


# --------------------------------------------------------------------------------------------- fit
@dataclass(frozen=True, slots=True)
class Table:
    """Candidates of one question as numbers."""

    features: Floats
    is_right: npt.NDArray[np.bool_]
    split: str
    source: str


def _tables(
    cases: Sequence[Case], pairs: Sequence[Pairs], passages: Sequence[Passage]
) -> list[Table]:
    spoken = {place: f" {plain(passages[place].text)} " for one in pairs for place in one.passages}
    tables = []
    for case, found in zip(cases, pairs, strict=True):
        kept = [n for n, place in enumerate(found.passages) if _counts(case, place, spoken)]
        if not kept:
            continue
        right = np.array([found.passages[n] in case.right for n in kept])
        digest = hashlib.sha256(b"split " + case.question.text.encode()).digest()
        split = ("fit", "fit", "fit", "correct", "test")[digest[0] % 5]
        tables.append(Table(found.features[kept], right, split, case.source))
    return tables


def _counts(case: Case, place: int, spoken: dict[int, str]) -> bool:
    """Whether a candidate is shown to the fit: withheld and unclear ones are not."""
    if place in case.right:
        return not case.withheld
    return not any(f" {answer} " in spoken[place] for answer in case.answers)


def _fit(tables: Sequence[Table], seed: int) -> tuple[Answerability, dict[str, Any]]:
    prior = Answerability.default()
    made = prior
    for _ in range(2):  # the second time on the candidates that the first weights put on top
        made = _regress([_top(t, made) for t in tables if t.split == "fit"], prior, seed)
    made = replace(made, calibration=_correction([t for t in tables if t.split == "correct"], made))
    test = [table for table in tables if table.split == "test"]
    report: dict[str, Any] = {"questions": len(tables), "test": _measure(test, made)}
    for source in sorted({table.source for table in test}):
        report[f"test_{source}"] = _measure([t for t in test if t.source == source], made)
    report["test_prior"] = _measure(test, prior)
    return made, report


def _top(table: Table, weights: Answerability) -> Table:
    order = np.argsort(-weights.logit(table.features), kind="stable")[:BEST]
    return replace(table, features=table.features[order], is_right=table.is_right[order])


def _regress(tables: Sequence[Table], prior: Answerability, seed: int) -> Answerability:
    features = expand(np.concatenate([table.features for table in tables]), TERMS)
    labels = np.concatenate([table.is_right for table in tables])
    # The sources weigh the same: the encyclopedia has more questions, the news is what is asked about.
    sizes = {
        s: sum(len(t.is_right) for t in tables if t.source == s) for s in {t.source for t in tables}
    }
    weights = np.concatenate([np.full(len(t.is_right), 1.0 / sizes[t.source]) for t in tables])
    found = LogisticRegression(C=1.0, max_iter=2000, random_state=seed)
    found.fit(features, labels, sample_weight=weights * len(weights) / weights.sum())
    return replace(
        prior,
        terms=TERMS,
        answer_threshold=ANSWER_THRESHOLD,
        known_threshold=KNOWN_THRESHOLD,
        weights=tuple(round(float(weight), 6) for weight in found.coef_[0]),
        bias=round(float(found.intercept_[0]), 6),
    )


def _best(tables: Sequence[Table], weights: Answerability) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Probability of each question's best candidate, and whether that answers."""
    probabilities, right = [], []
    for table in tables:
        values = weights.probability(table.features)
        place = int(np.argmax(values))
        probabilities.append(values[place])
        right.append(table.is_right[place])
    return np.array(probabilities), np.array(right, dtype=bool)


def _correction(tables: Sequence[Table], weights: Answerability) -> tuple[tuple[float, float], ...]:
    """A rising line through the means of equally filled bins."""
    probabilities, right = _best(tables, weights)
    order = np.argsort(probabilities, kind="stable")
    bins = np.array_split(order, BINS)
    xs = np.array([probabilities[part].mean() for part in bins])
    means = np.array([right[part].mean() for part in bins])
    ys = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(xs, means)
    points = [(0.0, 0.0), *zip(xs.tolist(), ys.tolist(), strict=True), (1.0, 1.0)]
    rising: list[tuple[float, float]] = [points[0]]
    for x, y in points[1:]:
        last_x, last_y = rising[-1]
        if x <= last_x:
            continue
        floor = last_y + MIN_RISE * (x - last_x)
        rising.append((round(x, 6), round(min(max(y, floor), 1.0), 6)))
    return tuple(rising)


def _measure(tables: Sequence[Table], weights: Answerability) -> dict[str, Any]:
    probabilities, right = _best(tables, weights)
    known = np.array([table.is_right.any() for table in tables])
    at = weights.answer_threshold
    said = probabilities >= at
    return {
        "n": len(tables),
        "answerable": _share(known),
        "top1_right": _share(right[known]),
        "auroc_right": round(float(roc_auc_score(right, probabilities)), 4),
        "auroc_known": round(float(roc_auc_score(known, probabilities)), 4),
        "ece": round(_calibration_error(probabilities, right), 4),
        "coverage": _share(said),
        "precision": _share(right[said]),
        "risk_coverage": _risk_coverage(probabilities, right),
    }


def _share(flags: npt.NDArray[np.bool_]) -> float:
    return round(float(flags.mean()), 4) if len(flags) else 0.0


def _calibration_error(probabilities: Floats, right: npt.NDArray[np.bool_]) -> float:
    places = np.minimum((probabilities * 15).astype(int), 14)
    error = 0.0
    for place in np.unique(places):
        inside = places == place
        error += inside.mean() * abs(probabilities[inside].mean() - right[inside].mean())
    return float(error)


def _risk_coverage(probabilities: Floats, right: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Share of wrong answers among the most probable tenth, fifth, ... of the questions."""
    order = np.argsort(-probabilities, kind="stable")
    return {
        f"{share:.1f}": round(1 - float(right[order[: max(1, int(share * len(order)))]].mean()), 4)
        for share in (0.1, 0.2, 0.3, 0.5, 1.0)
    }


if __name__ == "__main__":
    sys.exit(main())
