"""Questions with passages and answers, as words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.read_sources import Place, ReadTexts, Source
from model.read_words import TextWords, WordBook

logger = logging.getLogger(__name__)

READ_AT_ONCE = 256
MAX_ANSWER_WORDS = 16


@dataclass(frozen=True, slots=True)
class Example:
    """A question about a passage, with the first and the last word of its answers."""

    question: TextWords
    passage: int
    answers: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A source as words."""

    passages: tuple[TextWords, ...]
    siblings: tuple[tuple[int, ...], ...]
    """For each passage the others of its article."""
    examples: tuple[Example, ...]


def as_sets(texts: ReadTexts, book: WordBook) -> dict[str, ReadSet]:
    """The words of every source that has any."""
    sets = {}
    for name, source in texts.sources.items():
        if source.passages:
            sets[name] = as_words(source, book)
            logger.info("questions read", extra={"source": name, "count": len(source.asked)})
    return sets


def as_words(source: Source, book: WordBook) -> ReadSet:
    """Read all texts of a source; questions whose answers are too long for a span are left out."""
    passages = read_in_blocks(source.passages, book)
    questions = read_in_blocks([each.question for each in source.asked], book)
    members: dict[str, list[int]] = {}
    for at, title in enumerate(source.articles):
        members.setdefault(title, []).append(at)
    siblings = tuple(
        tuple(other for other in members[title] if other != at)
        for at, title in enumerate(source.articles)
    )
    examples = []
    for asked, question in zip(source.asked, questions, strict=True):
        passage = passages[asked.passage]
        spans = {word_span(passage, place) for place in asked.answers}
        answers = tuple(sorted(s for s in spans if 0 <= s[1] - s[0] < MAX_ANSWER_WORDS))
        if len(question) and len(passage) and bool(answers) == bool(asked.answers):
            examples.append(Example(question, asked.passage, answers))
    return ReadSet(tuple(passages), siblings, tuple(examples))


def read_in_blocks(texts: Sequence[str], book: WordBook) -> list[TextWords]:
    """The words of many texts."""
    found: list[TextWords] = []
    for at in range(0, len(texts), READ_AT_ONCE):
        found += book.read(texts[at : at + READ_AT_ONCE])
    return found


def word_span(passage: TextWords, place: Place) -> Place:
    """First and last word that a stretch of characters touches; the last before the first: none."""
    first = int(np.searchsorted(passage.ends, place[0], side="right"))
    last = int(np.searchsorted(passage.starts, place[1], side="left")) - 1
    return first, last
