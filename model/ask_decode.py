"""Questions written by an asker's network, for many marked sentences at once.

Deterministic: at each step the few likeliest beginnings go on (beam search), with characters that are allowed.
Rows of like length are read together.

Shapes: B rows, T places, V alphabet.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.ask_forward import NumpyAskNetwork
from model.ask_names import NameGuard
from model.ask_text import PADDING, QUESTION_END, prompt_ids, write_characters

PLACES = 4096
"""Places that are read at a time."""
LONGEST_WRITTEN = 120
LOOP_CHARS = 16
HOPELESS = -7.0
"""A beginning whose characters' logs sum up to less is given up."""
WAYS = 4
"""Beginnings that go on."""
LENGTH_POWER = 0.7
"""Questions of different lengths are compared by their total over this power of the length."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A sentence, `sentence[start:end]` being the answer, and the kind of question that is wanted."""

    sentence: str
    start: int
    end: int
    kind: int


@dataclass(frozen=True, slots=True)
class Written:
    """A question as the network wrote it."""

    text: str
    """Empty where it found no end, or gave up."""
    score: float
    """Sum of the logs of the characters' shares, in nats, over the root of their number; 0 at best."""
    rank: float = -np.inf
    """By which the best of several was chosen."""


def write_questions(network: NumpyAskNetwork, marked: Sequence[Marked]) -> list[Written]:
    """One question each, in order; the same whatever else is given but for rounding."""
    prompts = [prompt_ids(one.sentence, one.start, one.end, one.kind) for one in marked]
    written = [Written("", -np.inf)] * len(marked)
    for places in _alike([len(prompt) for prompt in prompts]):
        guards = [NameGuard(marked[at].sentence, marked[at].start, marked[at].end) for at in places]
        found = _write(network, [prompts[at] for at in places], guards)
        for at, one in zip(places, found, strict=True):
            written[at] = one
    return written


def _alike(lengths: Sequence[int]) -> Iterator[list[int]]:
    order = sorted(range(len(lengths)), key=lambda at: (lengths[at], at))
    batch: list[int] = []
    for at in order:
        if batch and (len(batch) + 1) * lengths[at] > PLACES:
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch


@dataclass(slots=True)
class _Way:
    """A question that is being written."""

    guard: NameGuard
    text: str = ""
    total: float = 0.0
    """Sum of the logs of its characters' shares."""

    def onward(self, sign: int, total: float) -> _Way:
        """The same with one more character."""
        guard = copy.copy(self.guard)
        guard.write(sign)
        return _Way(guard, self.text + write_characters([sign]), total)

    @property
    def is_lost(self) -> bool:
        """Whether it says again what it said, and would go on for ever."""
        is_long = len(self.text) >= 2 * LOOP_CHARS
        return is_long and self.text[-LOOP_CHARS:] in self.text[:-LOOP_CHARS]


def _write(
    network: NumpyAskNetwork,
    prompts: Sequence[npt.NDArray[np.uint16]],
    guards: Sequence[NameGuard],
) -> list[Written]:
    longest = max(map(len, prompts))
    ids = np.full((len(prompts), longest), PADDING, np.int64)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = prompt
    told, scores = network.read(ids, ids != PADDING)
    told.fan_out(WAYS)
    scores = scores.repeat(WAYS, axis=0)
    rows = list(range(len(prompts)))
    # The ways begin alike: only the first may go on at first.
    ways = [[_Way(guard), *(_Way(guard, "", -np.inf),) * (WAYS - 1)] for guard in guards]
    found: list[Written] = [Written("", -np.inf)] * len(prompts)
    for length in range(1, LONGEST_WRITTEN + 2):
        onward: dict[int, list[_Step]] = {}
        for at, steps in enumerate(_best_steps(scores, ways)):
            found[rows[at]] = _better(found[rows[at]], ways[at], steps, length)
            going = _going_on(steps, ways[at], least_rank=found[rows[at]].rank, length=length)
            if going:
                onward[at] = going
        if not onward:
            break
        came_from = [at * WAYS + way for at, going in onward.items() for way, _, _ in going]
        told.keep(np.array(list(onward)), np.array(came_from))
        signs = np.array([sign for going in onward.values() for _, sign, _ in going])
        scores = network.write(signs, told)
        rows = [rows[at] for at in onward]
        ways = [
            [ways[at][way].onward(sign, total) for way, sign, total in going]
            for at, going in onward.items()
        ]
    return found


_Step = tuple[int, int, float]
"""A way, the character that it goes on with, and its total then."""


def _best_steps(
    scores: npt.NDArray[np.float32], ways: Sequence[Sequence[_Way]]
) -> list[list[_Step]]:
    """For each row the likeliest steps that are allowed, the best first: enough for all ways to go on."""
    V = scores.shape[1]
    allowed = np.stack([way.guard.allowed() for each in ways for way in each])
    totals = np.array([way.total for each in ways for way in each])
    sums = np.where(allowed, _log_shares(scores) + totals[:, None], -np.inf)
    sums = sums.reshape(len(ways), -1)  # (rows, ways x V)
    likeliest = np.argsort(-sums, axis=1, kind="stable")[:, : 2 * WAYS]
    return [
        [(*divmod(int(at), V), float(sums[row, at])) for at in places if sums[row, at] > -np.inf]
        for row, places in enumerate(likeliest)
    ]


def _going_on(
    steps: Sequence[_Step], ways: Sequence[_Way], *, least_rank: float, length: int
) -> list[_Step]:
    """The steps by which all ways of a row go on; none where it is done, or hopeless."""
    going = [step for step in steps if step[1] != QUESTION_END and not ways[step[0]].is_lost][:WAYS]
    if not going or going[0][2] < HOPELESS or _rank(going[0][2], length) < least_rank:
        return []
    # Where fewer ways are left, one that is not to be taken fills up.
    return going + [(*going[0][:2], -np.inf)] * (WAYS - len(going))


def _better(known: Written, ways: Sequence[_Way], steps: Sequence[_Step], length: int) -> Written:
    """The question known so far, or a better one that ends with these steps."""
    for way, sign, total in steps[:WAYS]:
        if sign == QUESTION_END and _rank(total, length) > known.rank:
            known = Written(ways[way].text, total / length**0.5, _rank(total, length))
    return known


def _rank(total: float, length: int) -> float:
    return float(total / length**LENGTH_POWER)


def _log_shares(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    moved = scores.astype(np.float64)
    moved -= moved.max(axis=1, keepdims=True)
    return np.asarray(moved - np.log(np.exp(moved).sum(axis=1, keepdims=True)))
