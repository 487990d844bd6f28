"""The reader: a question and passages to the span of each that answers it best, and how likely none does.

Words of both come with the encoder's vectors and the tagger's tags; a small transformer scores all spans and
"none" (`read_forward.py`). It finds spans of one passage at a time and needs numpy only; it neither ranks
passages nor writes an answer of its own.

Shapes: B rows, L places, S span lengths.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.checkpoint import Checkpoint, load_checkpoint
from model.embed import Encoder
from model.errors import CheckpointError
from model.read_config import ReaderConfig
from model.read_forward import NumpyReadNetwork
from model.read_layout import MAX_QUESTION_WORDS, Pair, lay_out_pairs, row_length, windows
from model.read_words import TextWords, WordBook
from model.tag import Tagger, load_tagger

MAX_QUESTION_CHARS = 2000
LARGEST = 30.0
"""Log-odds beyond this are all the same to whoever reads them."""
BATCH_PLACES = 8192
REMEMBERED_CHARS = 2_000_000
"""Passages read before are remembered, up to so many characters of them."""
LONGEST_REMEMBERED = 5000
_NAME_DIGITS = 8
OUTER_MARKS = " \t\r\n\v\f\u00a0\u200b.,;:!?\"'“”‘’`´«»-–—…/\\|*_"
"""Taken off the ends of an answer."""
_BRACKETS = (("(", ")"), ("[", "]"), ("{", "}"))

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Span:
    """One reading of a passage; `passage[start:end]` is the answer."""

    start: int
    """Characters of the passage; 0, as the end is, where there is nothing to read."""
    end: int
    score: float
    """Log-odds that exactly this span is the answer."""
    no_answer: float
    """Log-odds that the passage does not hold the answer."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """From what the network says to log-odds of there being no answer, and when to abstain."""

    raw: float = 1.0
    """Weight of the network's own log-odds of none."""
    span: float = 0.0
    """Weight of the best span's log-odds."""
    bias: float = 0.0
    threshold: float = 0.0
    """Abstaining pays when `no_answer` is above this."""

    def apply(self, raw: Floats, span: Floats) -> Floats:
        """Calibrated log-odds of none."""
        found = self.raw * raw + self.span * span + self.bias
        return np.asarray(np.clip(found, -LARGEST, LARGEST))


class Reader:
    """Finds answers in passages; words and passages met before are remembered, so one thread at a time."""

    def __init__(self, checkpoint: Checkpoint, encoder: Encoder, tagger: Tagger) -> None:
        """Set up from a checkpoint.

        Raises:
            CheckpointError: an array or a setting is missing or does not fit, or the reader was
                trained on another encoder or tagger; with the tags of one that the tagger is a
                rounding of it may read.
        """
        config = checkpoint.config
        try:
            sizes = {field.name for field in dataclasses.fields(ReaderConfig)}
            self.config = ReaderConfig(**{k: v for k, v in config.items() if k in sizes})
            self.calibration = Calibration(
                **{k: float(v) for k, v in config["calibration"].items()}
            )
            parts = [str(part) for part in config["parts"]]
            vectors_of, tags_of = str(config["encoder"]), str(config["tagger"])
            self._network = NumpyReadNetwork(
                self.config, checkpoint.arrays, dim=encoder.dim, parts=len(parts) + 1
            )
            self.hash = str(checkpoint.meta["hash"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
            raise CheckpointError(f"these weights are no reader: {exc}") from exc
        if vectors_of != encoder.hash or tags_of not in (tagger.name, tagger.stored.rounded_from):
            raise CheckpointError("this reader was trained on another encoder or tagger")
        self.name = f"tidings-read-{self.config.preset}-{self.hash[:_NAME_DIGITS]}"
        self.params = sum(int(array.size) for array in checkpoint.arrays.values())
        self.bytes = sum(int(array.nbytes) for array in checkpoint.arrays.values())
        self.book = WordBook(encoder, tagger, parts)
        self._remembered: dict[str, TextWords] = {}
        self._remembered_chars = 0

    def read(self, question: str, passages: Sequence[str]) -> list[Span]:
        """Read each passage for the answer.

        Returns:
            One span a passage, in order; the same to 1e-5 whatever other passages are given.
        """
        raw = self.raw_spans(question, passages)
        spans = []
        for passage, (start, end, score, none) in zip(passages, raw, strict=True):
            if start == end:
                spans.append(Span(0, 0, -LARGEST, LARGEST))
                continue
            log_odds = float(self.calibration.apply(np.array(none), np.array(score)))
            spans.append(Span(*trimmed(passage, start, end), score, log_odds))
        return spans

    def raw_spans(
        self, question: str, passages: Sequence[str]
    ) -> list[tuple[int, int, float, float]]:
        """Start, end, log-odds of the span and of none, before calibration; empty: nothing to read."""
        self._forget_when_full()
        asked = self.book.read([question[:MAX_QUESTION_CHARS]])[0]
        asked = asked.take(slice(0, MAX_QUESTION_WORDS))
        found: list[tuple[int, int, float, float]] = [(0, 0, 0.0, 0.0)] * len(passages)
        if not len(asked):
            return found
        texts = self._words_of(passages)
        pairs: list[Pair] = []
        owners: list[tuple[int, int]] = []
        for owner, text in enumerate(texts):
            for first, end in windows(len(text)) if len(text) else ():
                pairs.append((asked, text.take(slice(first, end))))
                owners.append((owner, first))
        best = np.full(len(passages), -np.inf)
        none = np.full(len(passages), np.inf)
        for at, (first, last, lead, score, absent) in self._scored(pairs):
            owner, moved = owners[at]
            none[owner] = min(none[owner], absent)
            start = int(texts[owner].starts[moved + first])
            end = int(texts[owner].ends[moved + last])
            if lead > best[owner]:
                best[owner] = lead
                found[owner] = start, end, score, 0.0
        return [
            (start, end, score, float(none[owner]) if end > start else 0.0)
            for owner, (start, end, score, _) in enumerate(found)
        ]

    def _scored(
        self, pairs: Sequence[Pair]
    ) -> Iterator[tuple[int, tuple[int, int, float, float, float]]]:
        """For each pair, by its place: first and last word, lead over none, log-odds of span and none."""
        lengths = np.array([row_length(pair) for pair in pairs], np.int64)
        for length in np.unique(lengths):
            places = np.flatnonzero(lengths == length)
            step = max(BATCH_PLACES // int(length), 1)
            for at in range(0, len(places), step):
                chosen = places[at : at + step]
                rows = lay_out_pairs(self.book, [pairs[place] for place in chosen], int(length))
                spans, none = self._network.score(rows, self.book.vectors)
                for row, place in enumerate(chosen):
                    best = best_span(spans[row], float(none[row]))
                    first, last, lead, score, absent = best
                    moved = int(rows.firsts[row])
                    yield int(place), (first - moved, last - moved, lead, score, absent)

    def _words_of(self, passages: Sequence[str]) -> list[TextWords]:
        new = [text for text in dict.fromkeys(passages) if text not in self._remembered]
        read = dict(zip(new, self.book.read(new), strict=True))
        texts = [read[text] if text in read else self._remembered[text] for text in passages]
        for text, words in read.items():
            if len(text) <= LONGEST_REMEMBERED:
                self._remembered[text] = words
                self._remembered_chars += len(text)
        return texts

    def _forget_when_full(self) -> None:
        if self.book.is_full or self._remembered_chars > REMEMBERED_CHARS:
            self._remembered.clear()
            self._remembered_chars = 0
            self.book.clear()


def best_span(spans: npt.NDArray[np.float32], none: float) -> tuple[int, int, float, float, float]:
    """The best span of one row.

    Args:
        spans: float32 (L, S), scores by first place and length.
        none: the score of there being no answer.

    Returns:
        First and last place, its lead over none, its log-odds against all else, and those of none
        against all spans.
    """
    scores = spans.astype(np.float64)
    first, length = np.unravel_index(int(scores.argmax()), scores.shape)
    most = float(scores[first, length])
    shares = np.exp(scores - most)
    total = float(shares.sum())
    lead = most - none
    others = total - 1 + float(np.exp(np.clip(-lead, -LARGEST, LARGEST)))
    score = -float(np.log(max(others, np.exp(-LARGEST))))
    absent = float(np.clip(-lead - np.log(total), -LARGEST, LARGEST))
    return int(first), int(first + length), lead, max(score, -LARGEST), absent


def trimmed(passage: str, start: int, end: int) -> tuple[int, int]:
    """Characters of a span without blanks, marks and lone brackets at its ends, if anything is left."""
    first, last = start, end
    while first < last:
        before = first, last
        first += len(passage[first:last]) - len(passage[first:last].lstrip(OUTER_MARKS))
        last -= len(passage[first:last]) - len(passage[first:last].rstrip(OUTER_MARKS))
        inner = passage[first:last]
        for opening, closing in _BRACKETS:
            lone = inner.count(opening) > inner.count(closing)
            if inner.startswith(closing) or (inner.startswith(opening) and lone):
                first += 1
            lone = inner.count(closing) > inner.count(opening)
            if inner.endswith(opening) or (inner.endswith(closing) and lone):
                last -= 1
        if (first, last) == before:
            return first, last
    return start, end


def load_reader(
    path: Path | None = None, *, encoder: Encoder, tagger: Tagger | None = None
) -> Reader:
    """Load a reader, by default the packaged one with the packaged tagger.

    Raises:
        CheckpointError: there is none, it is damaged, or it was trained on another encoder or tagger.
    """
    tagger = tagger if tagger is not None else load_tagger()
    if path is not None:
        return Reader(load_checkpoint(path), encoder, tagger)
    with as_file(files("model") / "weights" / "read") as packaged:
        return Reader(load_checkpoint(packaged), encoder, tagger)


def reader_settings(
    config: ReaderConfig,
    calibration: Calibration,
    parts: Sequence[str],
    *,
    encoder: Encoder,
    tagger: Tagger,
) -> dict[str, Any]:
    """What a checkpoint says of a reader."""
    return {
        **dataclasses.asdict(config),
        "calibration": dataclasses.asdict(calibration),
        "parts": list(parts),
        "encoder": encoder.hash,
        "tagger": tagger.name,
    }
