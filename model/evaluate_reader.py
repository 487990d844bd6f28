"""The `reader` suite: does the reader find the answer in the passage, and does it know when there is none?

Exact match and F1 as SQuAD 2.0 counts them: a question without an answer is right when the reader abstains, which
it does above the threshold stored in its weights. Nothing is fitted here for the reader; what it is compared with
gets the threshold that suits it best on the very set, which favours it. `span_f1` is the F1 of questions with an
answer were it never to abstain: how well it reads where it is known that there is something to find.

Shapes: N questions of a set.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.checkpoint import current_commit
from model.embed import Encoder, load_encoder
from model.errors import DataError, ModelError
from model.protocols import Embeds
from model.read import Reader, load_reader
from model.read_metrics import (
    area_under_curve,
    best_threshold,
    calibration_error,
    exact_match,
    f1_score,
)
from model.read_sources import Source, read_squad
from model.suite import mean_of
from model.texts import read_rows
from model.timing import describe_machine

logger = logging.getLogger(__name__)

FOLDER = "reader"
USUAL_SET = "squad2_dev"
METRICS = ("em", "f1", "no_answer_accuracy", "has_answer_f1", "span_f1", "auroc", "ece")
ALWAYS_ABSTAIN, BEST_SENTENCE = "always abstain", "nearest sentence"
_ENDING = ".jsonl.xz"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"“(])")

Floats = npt.NDArray[np.float64]
Answerer = Callable[[Source], "Answers"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody answers to the questions of a set."""

    texts: tuple[str, ...]
    """Best answers, given or not."""
    no_answer: Floats
    """(N,), log-odds or another score, high where there seems to be no answer."""
    threshold: float | None
    """Above it is abstained; None: the one that suits the set best."""
    is_calibrated: bool = False
    """Whether `no_answer` is meant as log-odds."""


def evaluate_reader(
    data: Path,
    *,
    compare: bool = False,
    encoder: Encoder | None = None,
    reader: Reader | None = None,
) -> dict[str, Any]:
    """Run the suite.

    Args:
        data: a file of SQuAD's rows, a folder with such files, or one that holds it as `reader/`,
            `eval/reader/` or `train/qa/`.
        compare: also run the comparators.
        encoder: the reader's encoder, by default the packaged one.
        reader: the reader to evaluate, by default the packaged one.

    Returns:
        The report.

    Raises:
        ModelError: there is no such data, or a score is not finite.
    """
    sets = {_set_name(path): read_squad(path) for path in find_sets(data)}
    encoder = encoder if encoder is not None else load_encoder()
    model = reader if reader is not None else load_reader(encoder=encoder)
    began = time.perf_counter()
    results = score_sets(sets, lambda source: read_all(model, source))
    seconds = time.perf_counter() - began
    chars = sum(
        len(source.passages[asked.passage]) for source in sets.values() for asked in source.asked
    )
    report = {
        "suite": FOLDER,
        "model": {
            "name": model.name,
            "hash": model.hash,
            "params": model.params,
            "bytes": model.bytes,
        },
        **results,
        "ece_of": "the probability that the passage holds the answer",
        "seconds": round(seconds, 3),
        "chars_per_s": round(chars / seconds),
        "machine": describe_machine(),
        "commit": current_commit(),
    }
    if compare:
        report["comparators"] = {
            ALWAYS_ABSTAIN: score_sets(sets, always_abstain),
            BEST_SENTENCE: score_sets(sets, lambda source: best_sentences(encoder, source)),
        }
    return report


def score_sets(sets: dict[str, Source], answerer: Answerer) -> dict[str, Any]:
    """`sets` and `mean` of a report."""
    scored = {}
    for name, source in sets.items():
        scored[name] = score_answers(answerer(source), source, name)
        logger.info("set scored", extra={"set": name, **scored[name]})
    return {"sets": scored, "mean": mean_of(scored.values(), METRICS, digits=4)}


def read_all(reader: Reader, source: Source) -> Answers:
    """The reader's answers."""
    spans = [
        reader.read(asked.question, [source.passages[asked.passage]])[0] for asked in source.asked
    ]
    texts = tuple(
        source.passages[asked.passage][span.start : span.end]
        for asked, span in zip(source.asked, spans, strict=True)
    )
    no_answer = np.array([span.no_answer for span in spans])
    return Answers(texts, no_answer, reader.calibration.threshold, is_calibrated=True)


def always_abstain(source: Source) -> Answers:
    """No answer to anything."""
    return Answers(("",) * len(source.asked), np.ones(len(source.asked)), 0.0)


def best_sentences(encoder: Embeds, source: Source) -> Answers:
    """The sentence of the passage nearest to the question, whole, when its cosine is high enough."""
    split = [_SENTENCE_END.split(passage) for passage in source.passages]
    firsts = np.cumsum([0, *(len(sentences) for sentences in split)])
    sentences = [sentence for each in split for sentence in each]
    vectors = encoder.embed(sentences)
    questions = encoder.embed([asked.question for asked in source.asked])
    texts, cosines = [], []
    for asked, question in zip(source.asked, questions, strict=True):
        found = vectors[firsts[asked.passage] : firsts[asked.passage + 1]] @ question
        texts.append(sentences[firsts[asked.passage] + int(found.argmax())])
        cosines.append(float(found.max()))
    return Answers(tuple(texts), -np.array(cosines), None)


def score_answers(answers: Answers, source: Source, name: str) -> dict[str, Any]:
    """The metrics of a set, the shares times 100; `auroc` and `ece` are not.

    Raises:
        ModelError: a score is not finite; names the set.
    """
    if not np.isfinite(answers.no_answer).all():
        raise ModelError(f"{name}: the reader gave a score that is not finite")
    references = [
        [source.passages[asked.passage][start:end] for start, end in asked.answers]
        for asked in source.asked
    ]
    is_told = np.array([bool(found) for found in references])
    pairs = list(zip(answers.texts, references, strict=True))
    exact = np.array([exact_match(text, found) if found else 0.0 for text, found in pairs])
    overlap = np.array([f1_score(text, found) if found else 0.0 for text, found in pairs])
    absent = (~is_told).astype(np.float64)
    threshold = answers.threshold
    if threshold is None:
        threshold = best_threshold(answers.no_answer, overlap, absent, np.ones(len(pairs)))
    abstains = answers.no_answer > threshold
    f1 = np.where(abstains, absent, overlap)
    found = {
        "em": _percent(np.where(abstains, absent, exact)),
        "f1": _percent(f1),
        "no_answer_accuracy": _percent(abstains[~is_told]),
        "has_answer_f1": _percent(f1[is_told]),
        "span_f1": _percent(overlap[is_told]),
        "auroc": round(area_under_curve(-answers.no_answer, is_told), 4),
    }
    if answers.is_calibrated:
        chance = 1 / (1 + np.exp(answers.no_answer))
        found["ece"] = round(calibration_error(chance, is_told), 4)
    return {**found, "n": len(pairs)}


def _percent(values: npt.NDArray[Any]) -> float:
    return round(100 * float(values.mean()), 2) if len(values) else 0.0


def find_sets(data: Path) -> list[Path]:
    """The files of a folder to evaluate on: the usual set where it is, else all of SQuAD's layout.

    Raises:
        DataError: there is none.
    """
    if data.is_file():
        return [data]
    for folder in (data, data / FOLDER, data / "eval" / FOLDER, data / "train" / "qa"):
        usual = folder / (USUAL_SET + _ENDING)
        if usual.is_file():
            return [usual]
        found = [path for path in sorted(folder.glob("*" + _ENDING)) if _is_squad(path)]
        if found:
            return found
    raise DataError(f"no {FOLDER} sets in {data}")


def _is_squad(path: Path) -> bool:
    if _set_name(path).endswith("_train"):
        return False
    first: dict[str, Any] = next(iter(read_rows(path)), {})
    asked = first.get("qas") or [None]
    return "context" in first and isinstance(asked[0], dict) and "answerable" in asked[0]


def _set_name(path: Path) -> str:
    return path.name.removesuffix(_ENDING)
