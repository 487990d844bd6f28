"""A pair to train on, and what is done to words without asking what they mean: cut, replace, look for.

Shapes: N passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.read_layout import MAX_PASSAGE_WORDS, MAX_QUESTION_WORDS
from model.read_sources import Place
from model.read_words import TextWords, WordBook, join_words

NEIGHBOURS = 8
COMPARED_AT_ONCE = 1024

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Exercise:
    """A pair to train on and its right spans, none where the answer is not there."""

    question: TextWords
    passage: TextWords
    answers: tuple[Place, ...]


def fitted(exercise: Exercise, rng: Rng, *, words: int = MAX_PASSAGE_WORDS) -> Exercise:
    """The exercise with its texts cut to so many words, around an answer if there is one."""
    question = exercise.question.take(slice(0, MAX_QUESTION_WORDS))
    passage = exercise.passage
    spare = len(passage) - words
    if spare <= 0:
        return Exercise(question, passage, exercise.answers)
    first, last = exercise.answers[0] if exercise.answers else (0, len(passage) - 1)
    low, high = sorted((max(0, last + 1 - words), min(spare, first)))
    at = int(rng.integers(low, high + 1))
    moved = [(a - at, b - at) for a, b in exercise.answers]
    answers = tuple(span for span in moved if span[0] >= 0 and span[1] < words)
    return Exercise(question, passage.take(slice(at, at + words)), answers)


def without_answer(book: WordBook, exercise: Exercise) -> Exercise | None:
    """The passage without the sentences of its answers; None if they are still told or nothing is left."""
    passage = exercise.passage
    told = {int(passage.sentences[at]) for span in exercise.answers for at in span}
    kept = np.flatnonzero(~np.isin(passage.sentences, list(told)))
    rest = passage.take(kept)
    stems = book.stems[rest.words]
    for first, last in exercise.answers:
        if holds(stems, book.stems[passage.words[first : last + 1]]):
            return None
    return Exercise(exercise.question, rest, ()) if len(rest) else None


def holds(words: npt.NDArray[np.int32], wanted: npt.NDArray[np.int32]) -> bool:
    """Whether some words stand among others in this order, nothing in between."""
    starts = np.flatnonzero(words[: max(len(words) - len(wanted) + 1, 0)] == wanted[0])
    return any((words[at : at + len(wanted)] == wanted).all() for at in starts)


def segments(is_inside: npt.NDArray[np.bool_], tags: npt.NDArray[np.int32]) -> list[Place]:
    """First and end of each name: its first word has an odd tag."""
    begins = is_inside & (tags % 2 == 1)
    before = np.concatenate(([False], is_inside[:-1]))
    begins |= is_inside & ~before
    firsts = np.flatnonzero(begins)
    stops = np.flatnonzero(begins | ~is_inside)
    ends = [int(stops[stops > at][0]) if (stops > at).any() else len(tags) for at in firsts]
    return list(zip(firsts.tolist(), ends, strict=True))


def replaced(text: TextWords, first: int, end: int, other: TextWords) -> TextWords:
    """A text with some words in place of others; all of it is one sentence."""
    return join_words([text.take(slice(0, first)), other, text.take(slice(end, len(text)))])


def nearest(book: WordBook, passages: Sequence[TextWords]) -> npt.NDArray[np.int64]:
    """For each passage those whose words' mean vector is most like its own, in any order, int64 (N, NEIGHBOURS)."""
    means = np.stack([book.rarity[text.words] @ book.vectors[text.words] for text in passages])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)
    count = min(NEIGHBOURS, len(means) - 1)
    found = np.empty((len(means), count), np.int64)
    for at in range(0, len(means), COMPARED_AT_ONCE):
        likeness = means[at : at + COMPARED_AT_ONCE] @ means.T
        own = np.arange(len(likeness))
        likeness[own, at + own] = -1
        found[at : at + len(own)] = np.argpartition(-likeness, max(count - 1, 0))[:, :count]
    return found
