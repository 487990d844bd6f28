"""Questions as rows of ids, drawn from their kinds in changing shares, rows of like length together.

Shapes: N questions, B rows, T places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.ask_text import GRAMMAR, PADDING, PEOPLE, QUIZ, WORDS, Asked, prompt_ids, question_ids

FIRST_SHARES = {PEOPLE: 0.25, QUIZ: 0.1, WORDS: 0.1, GRAMMAR: 0.55}
LAST_SHARES = {PEOPLE: 0.45, QUIZ: 0.2, WORDS: 0.2, GRAMMAR: 0.15}
"""How much of a step's questions are of each kind, where there are any: at the first step and at the last."""
BLOCK_STEPS = 16
"""So many steps are drawn at a time, and sorted by length."""
STEP_OF_LENGTH = 16
"""Rows are filled up to a multiple of this."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AskSet:
    """Questions with their sentences as one array of ids."""

    ids: npt.NDArray[np.uint16]
    starts: Ints
    """int64 (N + 1,)"""
    questions: Ints
    """int64 (N,): in its row, the first place that belongs to the question."""
    kinds: Ints

    @property
    def lengths(self) -> Ints:
        """Ids of each row, int64 (N,)."""
        return np.diff(self.starts)


@dataclass(frozen=True, slots=True)
class AskBatch:
    """Rows filled up at their ends."""

    ids: npt.NDArray[np.int64]
    """int64 (B, T)"""
    weights: npt.NDArray[np.float32]
    """float32 (B, T): how much each id counts where it is to be guessed."""


def lay_out(asked: Sequence[Asked]) -> AskSet:
    """All rows, in order."""
    rows, questions = [], np.zeros(len(asked), np.int64)
    for at, one in enumerate(asked):
        prompt = prompt_ids(one.sentence, one.start, one.end, one.kind)
        questions[at] = len(prompt)
        rows.append(np.concatenate((prompt, question_ids(one.question))))
    starts = np.concatenate((np.zeros(1, np.int64), np.cumsum([len(row) for row in rows])))
    ids = np.concatenate(rows) if rows else np.zeros(0, np.uint16)
    kinds = np.array([one.kind for one in asked], np.int64)
    return AskSet(ids, starts.astype(np.int64), questions, kinds)


def gather(given: AskSet, rows: Ints, *, source_weight: float = 0.0) -> AskBatch:
    """Some rows as a batch; characters of the sentence count so much, those of the question one."""
    lengths = given.lengths[rows]
    longest = -(-int(lengths.max()) // STEP_OF_LENGTH) * STEP_OF_LENGTH
    places = np.arange(longest)
    is_filled = places < lengths[:, None]
    at = np.minimum(given.starts[rows][:, None] + places, len(given.ids) - 1)
    ids = np.where(is_filled, given.ids[at], PADDING).astype(np.int64)
    is_question = places >= given.questions[rows][:, None]
    weights = np.where(is_question, np.float32(1), np.float32(source_weight)) * is_filled
    return AskBatch(ids, weights.astype(np.float32))


def in_order(given: AskSet, tokens: int) -> Iterator[AskBatch]:
    """All rows once, the shortest first, in batches of about so many places."""
    order = np.argsort(given.lengths, kind="stable")
    yield from (gather(given, rows) for rows in cut(given, order, tokens))


def cut(given: AskSet, order: Ints, tokens: int) -> Iterator[Ints]:
    """Consecutive parts of rows sorted by length, each of about so many places."""
    lengths = given.lengths[order]
    at = 0
    while at < len(order):
        size = max(tokens // int(lengths[min(at + tokens // int(lengths[at]), len(order)) - 1]), 1)
        yield order[at : at + size]
        at += size


class AskDrawer:
    """Draws batches; what is drawn depends on the seed and on what was asked for before."""

    def __init__(self, given: AskSet, *, tokens: int, seed: int) -> None:
        self.given, self.tokens = given, tokens
        self._rng = np.random.default_rng(seed)
        self._rows = {int(kind): np.flatnonzero(given.kinds == kind) for kind in set(given.kinds)}
        self._mean_length = float(given.lengths.mean())
        self._waiting: list[Ints] = []

    def draw(self, progress: float, *, source_weight: float = 0.0) -> AskBatch:
        """The next batch.

        Args:
            progress: share of the training that is done, 0 to 1.
            source_weight: see `gather`.
        """
        if not self._waiting:
            self._refill(progress)
        return gather(self.given, self._waiting.pop(), source_weight=source_weight)

    def _refill(self, progress: float) -> None:
        count = max(int(BLOCK_STEPS * self.tokens / self._mean_length), 1)
        shares = {
            kind: FIRST_SHARES[kind] * (1 - progress) + LAST_SHARES[kind] * progress
            for kind in self._rows
        }
        total = sum(shares.values())
        drawn = [
            self._rng.choice(rows, max(round(count * shares[kind] / total), 1))
            for kind, rows in self._rows.items()
        ]
        rows = np.concatenate(drawn)
        # Rows of the same length stand in a new order every time.
        rows = rows[self._rng.permutation(len(rows))]
        order = rows[np.argsort(self.given.lengths[rows], kind="stable")]
        batches = list(cut(self.given, order, self.tokens))
        self._waiting = [batches[at] for at in self._rng.permutation(len(batches))]

    def state(self) -> dict[str, Any]:
        """Where it is."""
        return {
            "rng": self._rng.bit_generator.state,
            "waiting": [w.tolist() for w in self._waiting],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._rng.bit_generator.state = state["rng"]
        self._waiting = [np.array(rows, np.int64) for rows in state["waiting"]]
