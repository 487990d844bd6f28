"""Find named entities and parts of speech: two linear taggers over hashed features of words and characters.

Each word is scored from itself, its neighbours and a few combinations; the best sequence of a sentence is found by
Viterbi under learned transitions. numpy only. It does not read across sentences, and it resolves nothing: two mentions
of one name may receive different kinds.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from model.checkpoint import CONFIG, WEIGHTS
from model.errors import CheckpointError
from model.tag_scores import Head, WordBook, mix_slot
from model.tag_sequence import layout, split_for_tagging, viterbi
from model.tag_stored import FORMAT, HEADS, READ_FORMATS, stored_head, stored_vocabulary
from model.tag_words import BOUNDARY, OFFSETS, WORD, Vocabulary, joint_features

IMPOSSIBLE = np.float32(-1e4)
_NAME_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Span:
    """A named entity: text[start_char:end_char], of kind person, organization, location or misc."""

    start_char: int
    end_char: int
    kind: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text with its part of speech, a Penn Treebank tag (punctuation is ".")."""

    start_char: int
    end_char: int
    text: str
    pos: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What the tagger sees in one text, both in text order."""

    words: tuple[Word, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """What a tagger was read from."""

    hash: str = ""
    """Of the weights."""
    bytes: int = 0
    """Of the weights."""
    rounded_from: str | None = None
    """Name of the tagger whose weights these are, rounded: whoever was taught with its tags may read with ours."""


NOT_STORED = Stored()


class Tagger:
    """Names and parts of speech of English text.

    Attributes:
        name: changes whenever the tags would change.
        vocabulary: background counts, shared with whoever weighs words by rarity.
        stored: the file behind it.
        params: number of weights, those between tags included.
        heads: of names and of parts of speech.
    """

    def __init__(
        self,
        name: str,
        *,
        names: Head,
        parts: Head,
        vocabulary: Vocabulary,
        stored: Stored = NOT_STORED,
    ) -> None:
        self.name = name
        self.vocabulary = vocabulary
        self.stored = stored
        self.params = sum(head.weights.size + head.transitions.size for head in (names, parts))
        self.heads = (names, parts)
        self._book = WordBook(self.heads, vocabulary)
        self._reading = threading.Lock()  # of the book: while one thread learns, another may answer

    def tag(self, text: str) -> list[Span]:
        """Entities of a text, in text order, never overlapping."""
        return list(self.read(text).spans)

    def tag_batch(self, texts: Sequence[str]) -> list[list[Span]]:
        """`tag` for many texts at once; the same spans as one by one."""
        return [list(reading.spans) for reading in self.read_batch(texts)]

    def read(self, text: str) -> Reading:
        """Words and entities of a text."""
        return self.read_batch([text])[0]

    def read_batch(self, texts: Sequence[str]) -> list[Reading]:
        """`read` for many texts at once; the same readings as one by one."""
        tokens: list[list[tuple[int, int]]] = []
        sentences: list[list[str]] = []
        for text in texts:
            spans = [match.span() for match in WORD.finditer(text)]
            tokens.append(spans)
            sentences += split_for_tagging(text, spans)
        with self._reading:
            names, parts = self._decode(sentences)
        readings = []
        place = 0
        for text, spans in zip(texts, tokens, strict=True):
            end = place + len(spans)
            readings.append(
                Reading(
                    tuple(
                        Word(start, stop, text[start:stop], self.heads[1].tags[tag])
                        for (start, stop), tag in zip(spans, parts[place:end], strict=True)
                    ),
                    tuple(_entities(spans, [self.heads[0].tags[tag] for tag in names[place:end]])),
                )
            )
            place = end
        return readings

    def _decode(self, sentences: Sequence[Sequence[str]]) -> tuple[list[int], list[int]]:
        if not sentences:
            return [], []
        number = self._book.numbers(chain([BOUNDARY], *sentences))
        padded, is_word, is_first = layout(
            [[number[word] for word in words] for words in sentences], number[BOUNDARY]
        )
        joined = joint_features(self._book.traits(padded), is_first[2:-2])
        joint = mix_slot(joined[is_word[2:-2]], len(OFFSETS) + 1)
        here = np.flatnonzero(is_word)
        lengths = [len(words) for words in sentences]
        decoded = []
        for n, head in enumerate(self.heads):
            scores = head.score(joint) + self._book.scores(n, 0, padded[here])
            for slot, offset in enumerate(OFFSETS, start=1):
                scores += self._book.scores(n, slot, padded[here + offset])
            decoded.append(viterbi(scores, lengths, head.transitions))
        return decoded[0], decoded[1]


def _entities(spans: Sequence[tuple[int, int]], tags: Sequence[str]) -> list[Span]:
    found: list[Span] = []
    open_kind = ""
    for (start, end), tag in zip(spans, tags, strict=True):
        if tag == "O":
            open_kind = ""
            continue
        mark, _, kind = tag.partition("-")
        if mark == "I" and kind == open_kind:
            found[-1] = Span(found[-1].start_char, end, kind)
        else:
            found.append(Span(start, end, kind))
        open_kind = kind
    return found


def tag_weights_path() -> Path:
    """Folder of the weights that come with this package."""
    return Path(__file__).parent / "weights" / "tag"


def load_tagger(path: Path | None = None) -> Tagger:
    """Load a tagger; without a path the one that comes with this package.

    Raises:
        CheckpointError: the folder lacks a file, or one of them is damaged or of another format.
    """
    folder = path or tag_weights_path()
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        packed = (folder / WEIGHTS).read_bytes()
        if config["format"] not in READ_FORMATS:
            raise CheckpointError(f"tagger weights of format {config['format']}, expected {FORMAT}")
        tensors = load(packed)
        names, parts = (stored_head(config, tensors, head) for head in HEADS)
        vocabulary = stored_vocabulary(tensors)
    except (OSError, ValueError, KeyError, SafetensorError) as exc:
        raise CheckpointError(f"cannot load the tagger from {folder}: {exc}") from exc
    found = sha256(packed).hexdigest()
    stored = Stored(found, len(packed), config.get("rounded_from"))
    name = f"tagger-{found[:_NAME_DIGITS]}"
    return Tagger(name, names=names, parts=parts, vocabulary=vocabulary, stored=stored)
