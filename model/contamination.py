"""Which training texts stand in an evaluation set: the check before every training.

A text is seen if it shares a run of `RUN_WORDS` words with an evaluation text, or if it holds the
same letters and digits, which catches short ones. Words are runs of letters and digits in folded
case; marks and blanks count for nothing.

Shapes: N texts, T characters, W words, G runs of words.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.errors import DataError
from model.hashing import Hashes, SpanHasher, mix
from model.texts import read_rows

RUN_WORDS = 13
"""The length of GPT-3's and BEIR-style overlap checks: shorter runs are often idiom."""

READING_TEST = "train/qa/squad2_dev.jsonl.xz"
"""A test set that lies among the training files."""

_BATCH = 50_000
_BASE = np.uint64(0x9E3779B97F4A7C15)
_FIELDS = ("a", "b", "title", "text", "text2", "query", "context")

Flags = npt.NDArray[np.bool_]


class EvaluationTexts:
    """Hashes of every text that is kept for evaluation."""

    def __init__(self, texts: Sequence[str]) -> None:
        forms, runs = [], []
        for start in range(0, len(texts), _BATCH):
            hashed = _HashedTexts(texts[start : start + _BATCH])
            forms.append(hashed.forms[hashed.form_lengths > 0])
            runs.append(hashed.runs)
        self._forms = np.unique(np.concatenate(forms or [np.empty(0, np.uint64)]))
        self._runs = np.unique(np.concatenate(runs or [np.empty(0, np.uint64)]))
        self.count = len(texts)
        """Texts that were hashed, repeats included."""

    def contain(self, texts: Sequence[str]) -> Flags:
        """Which of the texts are seen, bool (N,)."""
        flags = [
            self._contain(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)
        ]
        return np.concatenate(flags) if flags else np.zeros(0, dtype=np.bool_)

    def _contain(self, texts: Sequence[str]) -> Flags:
        hashed = _HashedTexts(texts)
        seen = _isin(hashed.forms, self._forms)
        seen &= hashed.form_lengths > 0
        seen[hashed.run_texts[_isin(hashed.runs, self._runs)]] = True
        return seen


def read_evaluation_texts(data: Path) -> EvaluationTexts:
    """Hash every text below `eval/`, all sets and splits, and the reading test.

    Args:
        data: folder with `eval/` and perhaps the reading test.

    Raises:
        DataError: there is no evaluation text, or a file cannot be read.
    """
    paths = sorted((data / "eval").rglob("*.jsonl.xz"))
    if (data / READING_TEST).exists():
        paths.append(data / READING_TEST)
    texts = list(itertools.chain.from_iterable(map(_texts_of, paths)))
    if not texts:
        raise DataError("no evaluation texts under eval: cannot check for contamination")
    return EvaluationTexts(texts)


def _texts_of(path: Path) -> Iterator[str]:
    for row in read_rows(path):
        parts = [row[field] for field in _FIELDS if row.get(field)]
        yield from parts
        if row.get("title") and row.get("text"):
            yield f"{row['title']} {row['text']}"
        yield from (qa["q"] for qa in row.get("qas", ()))


@functools.cache
def _is_word_point() -> Flags:
    return np.fromiter((chr(point).isalnum() for point in range(0x110000)), np.bool_, 0x110000)


class _HashedTexts:
    """The forms and the runs of words of some texts, hashed."""

    forms: Hashes
    """uint64 (N,)"""
    form_lengths: npt.NDArray[np.int64]
    """Letters and digits of each text, int64 (N,)."""
    runs: Hashes
    """uint64 (G,)"""
    run_texts: npt.NDArray[np.int64]
    """The text that each run stands in, int64 (G,)."""

    def __init__(self, texts: Sequence[str]) -> None:
        folded = [text.casefold() for text in texts]
        # A line break between texts, so that no word reaches from one into the next.
        joined = "\n".join([*folded, ""]).encode("utf-32-le", "surrogatepass")
        points = np.frombuffer(joined, dtype=np.uint32)  # (T,)
        is_word = _is_word_point()[points]
        ends = np.cumsum([len(text) + 1 for text in folded], dtype=np.int64)  # (N,)
        self._hash_forms(points[is_word], np.cumsum(is_word, dtype=np.int64)[ends - 1])
        edges = np.diff(is_word.astype(np.int8), prepend=0)
        starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        words = mix(SpanHasher(points).spans(starts, stops))  # (W,)
        self._hash_runs(words, np.searchsorted(ends, starts, side="right"))

    def _hash_forms(self, kept: npt.NDArray[np.uint32], ends: npt.NDArray[np.int64]) -> None:
        starts = np.concatenate(([0], ends[:-1]))
        self.form_lengths = ends - starts
        self.forms = mix(SpanHasher(kept).spans(starts, ends))

    def _hash_runs(self, words: Hashes, texts: npt.NDArray[np.int64]) -> None:
        count = max(len(words) - RUN_WORDS + 1, 0)
        sums = np.zeros(count, dtype=np.uint64)
        for offset in range(RUN_WORDS):
            sums *= _BASE
            sums += words[offset : offset + count]
        first, last = texts[:count], texts[RUN_WORDS - 1 :]
        within = first == last[:count]
        self.runs = mix(sums[within])
        self.run_texts = first[within]


def _isin(values: Hashes, known: Hashes) -> Flags:
    """Which values stand in a sorted array."""
    if not len(known):
        return np.zeros(len(values), dtype=np.bool_)
    at = np.searchsorted(known, values)
    at[at == len(known)] = 0
    return np.asarray(known[at] == values)
