"""Find named entities and parts of speech: two linear taggers over hashed features of words and characters.

Each word is scored from itself, its neighbours and a few combinations; the best sequence of a sentence is found by
Viterbi under learned transitions. numpy only. Scores of a word alone do not depend on where it stands, so they are
remembered between texts. It does not read across sentences, and it resolves nothing: two mentions of one name may
receive different kinds.

Shapes: N words, S sentences, T words of the longest sentence, K tags, R rows of a table, F features.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from model.errors import CheckpointError
from model.tag_sequence import Floats, Ints, layout, split_for_tagging, viterbi
from model.tag_words import (
    BOUNDARY,
    OFFSETS,
    WORD,
    Hashes,
    Vocabulary,
    joint_features,
    mix,
    word_features,
)

FORMAT = 1
VOCABULARY_FIELDS = ("keys", "fine", "coarse", "small", "rarity")
MAX_REMEMBERED_WORDS = 50_000
IMPOSSIBLE = np.float32(-1e4)


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
class Head:
    """One tag set: a table of feature weights and the transitions between its tags."""

    tags: tuple[str, ...]
    weights: npt.NDArray[np.int8]
    """(R, K); R is a power of two."""
    scale: Floats
    """(K,) value of one weight step."""
    transitions: Floats
    """(K + 1, K); the last row is the start of a sentence."""

    def rows(self, hashes: Hashes) -> Ints:
        """Rows of the table for hashes of any shape."""
        return (hashes & np.uint64(len(self.weights) - 1)).astype(np.int64)

    def score(self, hashes: Hashes) -> Floats:
        """Sum the weights of (..., F) hashes: float32 (..., K)."""
        total = self.weights[self.rows(hashes)].sum(axis=-2, dtype=np.int32)
        return np.asarray(total * self.scale, np.float32)


class Tagger:
    """Names and parts of speech of English text.

    Attributes:
        name: changes whenever the tags would change.
        vocabulary: background counts, shared with whoever weighs words by rarity.
    """

    def __init__(self, name: str, *, names: Head, parts: Head, vocabulary: Vocabulary) -> None:
        self.name = name
        self.vocabulary = vocabulary
        self._heads = (names, parts)
        self._index: dict[str, int] = {}
        self._traits: list[tuple[int, ...]] = []
        self._scores: tuple[list[Floats], list[Floats]] = ([], [])

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
        names, parts = self._decode(sentences)
        readings = []
        place = 0
        for text, spans in zip(texts, tokens, strict=True):
            end = place + len(spans)
            readings.append(
                Reading(
                    tuple(
                        Word(start, stop, text[start:stop], self._heads[1].tags[tag])
                        for (start, stop), tag in zip(spans, parts[place:end], strict=True)
                    ),
                    tuple(_entities(spans, [self._heads[0].tags[tag] for tag in names[place:end]])),
                )
            )
            place = end
        return readings

    def _decode(self, sentences: Sequence[Sequence[str]]) -> tuple[list[int], list[int]]:
        if not sentences:
            return [], []
        if len(self._index) > MAX_REMEMBERED_WORDS:
            self._forget()
        padded, is_word, is_first = layout(
            [[self._word(w) for w in words] for words in sentences], self._word(BOUNDARY)
        )
        distinct, local = np.unique(padded, return_inverse=True)
        traits = np.array([self._traits[i] for i in distinct], np.uint64)[local]
        joint = mix_slot(joint_features(traits, is_first[2:-2]), len(OFFSETS) + 1)[is_word[2:-2]]
        here = np.flatnonzero(is_word)
        lengths = [len(words) for words in sentences]
        decoded = []
        for head, remembered in zip(self._heads, self._scores, strict=True):
            slots = np.stack([remembered[i] for i in distinct])  # (W, 1 + offsets, K)
            scores = head.score(joint) + slots[local[here], 0]
            for slot, offset in enumerate(OFFSETS, start=1):
                scores += slots[local[here + offset], slot]
            decoded.append(viterbi(scores, lengths, head.transitions))
        return decoded[0], decoded[1]

    def _word(self, word: str) -> int:
        known = self._index.get(word)
        if known is not None:
            return known
        features = word_features(word, self.vocabulary)
        for head, remembered in zip(self._heads, self._scores, strict=True):
            rows = [head.score(hashes) for hashes in slot_hashes(features.unit, features.near)]
            remembered.append(np.stack(rows))
        self._traits.append(features.traits)
        self._index[word] = len(self._index)
        return self._index[word]

    def _forget(self) -> None:
        self._index.clear()
        self._traits.clear()
        for remembered in self._scores:
            remembered.clear()


def slot_hashes(unit: Sequence[int], near: Sequence[int]) -> list[Hashes]:
    """Hashes of one word as itself and as the neighbour at each offset, each in a slot of its own."""
    from_near = np.array(near, np.uint64)
    slots = [mix_slot(np.array(unit, np.uint64), 0)]
    for slot, offset in enumerate(OFFSETS, start=1):
        slots.append(mix_slot(from_near if abs(offset) == 1 else from_near[:3], slot))
    return slots


def mix_slot(hashes: Hashes, slot: int) -> Hashes:
    """Tell the same feature in different slots apart."""
    return mix(hashes + np.uint64((slot + 1) << 40))


def _entities(spans: Sequence[tuple[int, int]], tags: Sequence[str]) -> list[Span]:
    found: list[Span] = []
    open_kind = ""
    for (start, end), tag in zip(spans, tags, strict=True):
        mark, _, kind = tag.partition("-")
        if mark == "I" and kind == open_kind:
            found[-1] = Span(found[-1].start_char, end, kind)
        elif mark != "O":
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
        config = json.loads((folder / "config.json").read_text("utf-8"))
        packed = (folder / "weights.safetensors").read_bytes()
        tensors = load_file(folder / "weights.safetensors")
        if config["format"] != FORMAT:
            raise CheckpointError(f"tagger weights of format {config['format']}, expected {FORMAT}")
        heads = [
            Head(
                tuple(config[f"{head}_tags"]),
                tensors[f"{head}_weights"],
                tensors[f"{head}_scale"],
                tensors[f"{head}_transitions"],
            )
            for head in ("names", "parts")
        ]
        vocabulary = Vocabulary(*(tensors[f"vocabulary_{field}"] for field in VOCABULARY_FIELDS))
    except (OSError, ValueError, KeyError, SafetensorError) as exc:
        raise CheckpointError(f"cannot load the tagger from {folder}: {exc}") from exc
    name = f"tagger-{sha256(packed).hexdigest()[:12]}"
    return Tagger(name, names=heads[0], parts=heads[1], vocabulary=vocabulary)
