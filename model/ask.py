"""The asker: a sentence and the place of an answer in it to a question that a person might ask.

A small causal transformer over characters proposes (`ask_forward.py`); the reader disposes: it must find the answer
in the sentence, and must not find it once the answer is taken out. What does not pass is no question; a grammar of
templates, which this package does not have, is then asked instead. Needs numpy only, and is deterministic.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from model.ask_config import AskConfig
from model.ask_decode import Marked, Written, write_questions
from model.ask_form import is_question, is_told, is_well_formed
from model.ask_forward import NumpyAskNetwork
from model.ask_text import ALPHABET, LONGEST_SENTENCE, PEOPLE, SIZE
from model.checkpoint import Checkpoint, load_checkpoint
from model.errors import CheckpointError
from model.read import Reader, Span
from model.tag import Tagger, load_tagger

LEAST_SCORE = -0.56
"""Less sure questions are not put to the reader; see `Written.score`."""
LARGEST_NONE = -0.3
"""Log-odds that the sentence does not answer: a reader that is less sure has not found the answer."""
FOUND_SHARE = 0.5
"""Of the words of the answer and of what the reader found, at least so many are the same."""
LONGEST_FOUND = 60
_NAME_DIGITS = 8
_WORD = re.compile(r"[^\W_]+")
_LITTLE = frozenset(
    {"the", "a", "an", "of", "in", "on", "at", "to", "for", "and", "his", "her", "its", "their"}
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the asker wrote about one span, and what became of it."""

    question: str
    """As written; empty where nothing whole was."""
    score: float
    """How sure the network was, 0 at best; see `Written.score`."""
    fault: str | None
    """Why it is no question: "malformed" (no question mark, no wh-word, ...), "clumsy" (a verb too many, words from
    nowhere), "tells" (its answer), "unsure", "lost" (the reader does not find the answer), "leaks" (it finds it
    without the answer in the sentence); None: it passed."""


class Asker:
    """Writes questions; not for more than one thread at a time, as the reader is not."""

    def __init__(self, checkpoint: Checkpoint, reader: Reader, tagger: Tagger) -> None:
        """Set up from a checkpoint.

        Args:
            checkpoint: of an asker.
            reader: tries the questions.
            tagger: tells their parts of speech.

        Raises:
            CheckpointError: an array or a setting is missing or does not fit.
        """
        config = checkpoint.config
        try:
            sizes = {field.name for field in dataclasses.fields(AskConfig)}
            self.config = AskConfig(**{k: v for k, v in config.items() if k in sizes})
            if self.config.alphabet != SIZE or config["characters"] != ALPHABET:
                raise ValueError("another alphabet")
            self._network = NumpyAskNetwork(self.config, checkpoint.arrays)
            self.hash = str(checkpoint.meta["hash"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
            raise CheckpointError(f"these weights are no asker: {exc}") from exc
        self._reader, self._tagger = reader, tagger
        self.name = f"tidings-ask-{self.config.preset}-{self.hash[:_NAME_DIGITS]}"
        self.params = sum(int(array.size) for array in checkpoint.arrays.values())
        self.bytes = sum(int(array.nbytes) for array in checkpoint.arrays.values())

    def propose(
        self, spans: Sequence[tuple[str, int, int]], *, kind: int = PEOPLE
    ) -> list[Proposal]:
        """Write a question about each span and try it.

        Args:
            spans: sentence, first character of the answer in it, and the one after its last.
            kind: whose questions it shall be like, one of `ask_text.KINDS`.

        Returns:
            One proposal a span, in order; the questions are the same whatever else is given, but for rounding.
        """
        written = self.write(spans, kind=kind)
        return [self.tried(*span, one) for span, one in zip(spans, written, strict=True)]

    def write(self, spans: Sequence[tuple[str, int, int]], *, kind: int = PEOPLE) -> list[Written]:
        """Write a question about each span, untried; empty where the sentence is too long to be read."""
        marked = [Marked(*span, kind) for span in spans]
        legible = [at for at, one in enumerate(marked) if _is_legible(one)]
        written = [Written("", float("-inf"))] * len(marked)
        found = write_questions(self._network, [marked[at] for at in legible])
        for at, one in zip(legible, found, strict=True):
            written[at] = one
        return written

    def tried(self, sentence: str, start: int, end: int, written: Written) -> Proposal:
        """Judge a question about `sentence[start:end]`, whoever wrote it."""
        question, answer = written.text, sentence[start:end]
        if not question:
            return Proposal(question, written.score, "unsure")
        if not is_question(question):
            return Proposal(question, written.score, "malformed")
        words = self._tagger.read_batch([question])[0].words
        if not (is_well_formed(words) and is_told(question, sentence)):
            return Proposal(question, written.score, "clumsy")
        if tells(question, answer):
            return Proposal(question, written.score, "tells")
        if written.score < LEAST_SCORE:
            return Proposal(question, written.score, "unsure")
        return Proposal(
            question, written.score, self.round_trip_fault(question, sentence, start, end)
        )

    def round_trip_fault(self, question: str, sentence: str, start: int, end: int) -> str | None:
        """What the reader makes of a question: "lost", "leaks", or None where it finds the answer and must."""
        answer, rest = sentence[start:end], f"{sentence[:start]}{sentence[end:]}"
        found, without = self._reader.read(question, [sentence, rest])
        if found.no_answer > LARGEST_NONE or not is_found(found, sentence, start, end):
            return "lost"
        if without.no_answer < 0 and same_words(rest[without.start : without.end], answer):
            return "leaks"
        return None


def _is_legible(marked: Marked) -> bool:
    return 0 <= marked.start < marked.end <= len(marked.sentence) <= LONGEST_SENTENCE


def tells(question: str, answer: str) -> bool:
    """Whether the question holds the words that it asks for."""
    asked, wanted = _words(question), _words(answer)
    return bool(wanted) and wanted <= asked


def same_words(found: str, answer: str) -> bool:
    """Whether two answers are mostly the same words."""
    one, other = _words(found), _words(answer)
    if not one or not other:
        return found.strip().lower() == answer.strip().lower()
    return len(one & other) / len(one | other) >= FOUND_SHARE


def is_found(span: Span, sentence: str, start: int, end: int) -> bool:
    """Whether the reader's span is the answer where it stands."""
    overlaps = span.start < end and start < span.end
    return overlaps and same_words(sentence[span.start : span.end], sentence[start:end])


def _words(text: str) -> set[str]:
    words = set(_WORD.findall(text.lower()))
    return words - _LITTLE or words


class QuestionFinder:
    """Finds answers in sentences for questions that come without them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def find(self, question: str, sentence: str) -> tuple[int, int]:
        """The place of the answer; an empty one where the reader is not sure."""
        span = self._reader.read(question, [sentence])[0]
        is_sure = span.no_answer < 0 and span.end - span.start <= LONGEST_FOUND
        return (span.start, span.end) if is_sure else (0, 0)


def load_asker(path: Path | None = None, *, reader: Reader, tagger: Tagger | None = None) -> Asker:
    """Load an asker, by default the packaged one with the packaged tagger.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    tagger = tagger if tagger is not None else load_tagger()
    if path is not None:
        return Asker(load_checkpoint(path), reader, tagger)
    with as_file(files("model") / "weights" / "ask") as packaged:
        return Asker(load_checkpoint(packaged), reader, tagger)


def asker_settings(config: AskConfig) -> dict[str, Any]:
    """What a checkpoint says of an asker."""
    return {**dataclasses.asdict(config), "characters": ALPHABET}
