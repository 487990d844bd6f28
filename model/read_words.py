"""Texts as the reader sees them: words with part of speech, name and place, and a book of all words met.

A word's number leads to its vector (the encoder's, of the word alone, in any case as written), its stem,
its rarity and what its letters look like. The book grows as words are met and is emptied when it is full.

Shapes: T words of a text, V words of the book, D width of the encoder's vectors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.embed import Encoder
from model.tag import Reading, Tagger
from model.tag_sequence import split_for_tagging

FloatArray = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int32]

MAX_WORD_CHARS = 40
MAX_BOOK_WORDS = 60_000
RAREST_BITS = 14.0
COMMON_BITS = 1.5
"""A word at most so rare says nothing about what a text is about."""
NAME_KINDS = ("person", "organization", "location", "misc")
NAME_TAGS = 1 + 2 * len(NAME_KINDS)
UNKNOWN_PART = 0

LOOKS = ("capital", "all capitals", "digit", "number", "year", "mark", "common")
CAPITAL, ALL_CAPITALS, DIGIT, NUMBER, YEAR, MARK, COMMON = range(len(LOOKS))

_YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}")
_NUMBER = re.compile(
    r"[\d.,:/-]*\d[\d.,:/-]*|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
    r"|twenty|thirty|forty|fifty|hundred|thousand|million|billion)s?",
    re.IGNORECASE,
)
_ENDINGS = (
    "ingly", "ation", "ments", "ings", "ions", "ment", "ness", "edly", "ies", "ied", "ing", "ers",
    "ors", "ion", "ed", "es", "ly", "er", "or", "al", "s", "e", "y",
)  # fmt: skip
_LEAST_STEM = 3


@dataclass(frozen=True, slots=True)
class TextWords:
    """The words of one text, each array (T,)."""

    words: Numbers
    """Numbers in the book."""
    parts: Numbers
    """Part of speech, 0 for one that is not listed."""
    names: Numbers
    """0 outside names; for each kind the first word of a name and the later ones."""
    sentences: Numbers
    """Which sentence, ascending from 0."""
    starts: Numbers
    """Characters of the text."""
    ends: Numbers

    def __len__(self) -> int:
        return len(self.words)

    def take(self, chosen: slice | npt.NDArray[np.int64]) -> TextWords:
        """Some of the words, in the order given."""
        return TextWords(
            self.words[chosen],
            self.parts[chosen],
            self.names[chosen],
            self.sentences[chosen],
            self.starts[chosen],
            self.ends[chosen],
        )


def join_words(texts: Sequence[TextWords]) -> TextWords:
    """Texts one after the other; their sentences are counted on, their characters are not."""
    sentences, first = [], 0
    for text in texts:
        sentences.append((text.sentences + first).astype(np.int32))
        first += int(text.sentences[-1]) + 1 if len(text) else 0
    return TextWords(
        np.concatenate([text.words for text in texts]),
        np.concatenate([text.parts for text in texts]),
        np.concatenate([text.names for text in texts]),
        np.concatenate(sentences),
        np.concatenate([text.starts for text in texts]),
        np.concatenate([text.ends for text in texts]),
    )


class WordBook:
    """Words by number, with what the reader knows of each."""

    def __init__(self, encoder: Encoder, tagger: Tagger, parts: Sequence[str]) -> None:
        """Set up an empty book.

        Args:
            encoder: gives the words' vectors.
            tagger: gives parts of speech, names and how rare a word is.
            parts: the parts of speech that have a number, from 1 on.
        """
        self._encoder = encoder.limited(depth=0)
        self._tagger = tagger
        self._part_of = {part: at for at, part in enumerate(parts, start=UNKNOWN_PART + 1)}
        self._tag_of = {kind: 1 + 2 * at for at, kind in enumerate(NAME_KINDS)}
        self.dim = encoder.dim
        self.clear()

    def clear(self) -> None:
        """Forget all words; numbers given before are worth nothing."""
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}
        self._keys: dict[str, int] = {}
        self.vectors = np.empty((0, self.dim), np.float32)
        self.lowers, self.stems = np.empty(0, np.int32), np.empty(0, np.int32)
        self.rarity = np.empty(0, np.float32)
        self.looks = np.empty((0, len(LOOKS)), np.float32)

    def read(self, texts: Sequence[str]) -> list[TextWords]:
        """Take the words of some texts; numbers hold until `clear`."""
        readings = self._tagger.read_batch(texts)
        self.add(word.text for reading in readings for word in reading.words)
        return [
            self._text_words(text, reading) for text, reading in zip(texts, readings, strict=True)
        ]

    @property
    def is_full(self) -> bool:
        """Whether there are more words than should be kept."""
        return len(self.texts) > MAX_BOOK_WORDS

    def _text_words(self, text: str, reading: Reading) -> TextWords:
        words = reading.words
        spans = [(word.start_char, word.end_char) for word in words]
        counts = [len(sentence) for sentence in split_for_tagging(text, spans)]
        starts = np.array([start for start, _ in spans], np.int32)
        names = np.zeros(len(words), np.int32)
        for name in reading.spans:
            first, end = np.searchsorted(starts, (name.start_char, name.end_char))
            names[first:end] = self._tag_of[name.kind] + 1
            names[first : first + 1] = self._tag_of[name.kind]
        return TextWords(
            np.array([self._numbers[word.text] for word in words], np.int32),
            np.array([self._part_of.get(word.pos, UNKNOWN_PART) for word in words], np.int32),
            names,
            np.repeat(np.arange(len(counts)), counts).astype(np.int32),
            starts,
            np.array([end for _, end in spans], np.int32),
        )

    def add(self, words: Iterable[str]) -> None:
        """Give words that are new the next numbers, in order."""
        new = [word for word in dict.fromkeys(words) if word not in self._numbers]
        if not new:
            return
        self._numbers.update(
            zip(new, range(len(self.texts), len(self.texts) + len(new)), strict=True)
        )
        self.texts += new
        short = [word[:MAX_WORD_CHARS] for word in new]
        vectors = self._encoder.embed(short)
        lowers = [self._key(word.lower()) for word in new]
        stems = [self._key(stem(word)) for word in short]
        bits = [self._tagger.vocabulary.rarity_bits(word) for word in short]
        self.vectors = np.concatenate((self.vectors, vectors))
        self.lowers = np.concatenate((self.lowers, np.array(lowers, np.int32)))
        self.stems = np.concatenate((self.stems, np.array(stems, np.int32)))
        rarity = np.array(bits, np.float32) / np.float32(RAREST_BITS)
        self.rarity = np.concatenate((self.rarity, rarity))
        looks = [_looks(word, rare) for word, rare in zip(short, bits, strict=True)]
        self.looks = np.concatenate((self.looks, np.array(looks, np.float32)))

    def _key(self, form: str) -> int:
        return self._keys.setdefault(form, len(self._keys))


def stem(word: str) -> str:
    """A word without its ending, in small letters: crude, the same for most forms of a word."""
    small = word.lower()
    if not small.isalpha():
        return small
    for _ in range(2):
        for ending in _ENDINGS:
            if small.endswith(ending) and len(small) - len(ending) >= _LEAST_STEM:
                small = small.removesuffix(ending)
                break
    return small


def _looks(word: str, bits: float) -> tuple[bool, ...]:
    is_mark = not any(character.isalnum() for character in word)
    return (
        word[:1].isupper(),
        len(word) > 1 and word.isupper(),
        any(character.isdigit() for character in word),
        bool(_NUMBER.fullmatch(word)),
        bool(_YEAR.fullmatch(word)),
        is_mark,
        is_mark or bits <= COMMON_BITS,
    )
