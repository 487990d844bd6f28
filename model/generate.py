"""Text from the language model: character by character, or as many at once as it is sure of.

A level that has just completed a state says which characters come next, 2, 4 or 8 of them. The highest one that is sure
enough is heard; if none is, the lowest level's next character is taken. With `CHECKED` the lowest level then reads the
whole block at once and keeps it as far as it would have written it itself: the text is the one that it writes alone,
in fewer steps (self-speculation, Zhang and others 2023). With `FREE` the block is kept as it is.

What followed when the last characters stood in the text before is checked likewise, before any level is heard: texts
repeat their names and phrases, found by a hash (Saxena 2023, prompt lookup).

Shapes: L characters of a block.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from model.alphabet import Ids
from model.predict import LanguageModel, Reading

FloatArray = npt.NDArray[np.float32]

BEGINNING = "\n"
"""What an empty prompt is taken for: a text begins behind a line break."""


RECALLED_BY, RECALLED = 6, 12
"""So many last characters are looked up, and at most so many that followed them are recalled."""


class Climb(StrEnum):
    """What the levels above the lowest one are good for."""

    PLAIN = "plain"
    """Nothing: one character a step."""
    CHECKED = "checked"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Writing:
    """How a text is written."""

    chars: int
    """As many."""
    climb: Climb = Climb.CHECKED
    """Only at temperature 0 blocks can be checked: else one character a step."""
    recalls: bool = True
    """Whether what stood in the text before is checked first."""
    least_share: float = 0.3
    """A level's block is heard when so many of such blocks are right."""
    temperature: float = 0.0
    """0 for the likeliest character always."""
    top_p: float = 1.0
    """Only the likeliest characters are drawn that have so much of the distribution together."""
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse what makes no text."""
        is_finite = math.isfinite(self.temperature) and math.isfinite(self.least_share)
        if self.chars < 0 or not is_finite or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"nothing can be written so: {self}")


@dataclass(slots=True)
class Written:
    """A text and how it came about."""

    text: str
    steps: int
    """Times the network read."""
    heard: dict[str, int] = field(default_factory=dict)
    """Blocks that were read, by where they come from: `level 1` and higher, `recalled`, or `next` character."""
    kept: dict[str, int] = field(default_factory=dict)
    """Characters of them that stayed."""


def write_on(model: LanguageModel, prompt: str, writing: Writing) -> Written:
    """Write what may come after a prompt; the same prompt and seed give the same text.

    Args:
        model: a language model.
        prompt: any text of any length; of a longer one than the model looks back over, the end counts.
        writing: how.
    """
    writer = _Writer(model, prompt, writing)
    while len(writer.ids) < writing.chars:
        writer.step()
    written = np.array(writer.ids[: writing.chars], np.int64)
    return Written(model.alphabet.text(written), writer.steps, writer.heard, writer.kept)


class _Writer:
    def __init__(self, model: LanguageModel, prompt: str, writing: Writing) -> None:
        self.model, self.writing = model, writing
        self.random = np.random.default_rng(writing.seed)
        self.ids: list[int] = []
        self.steps = 0
        self.heard: dict[str, int] = {}
        self.kept: dict[str, int] = {}
        self.reading: Reading = model.reading()
        known = model.alphabet.ids(prompt or BEGINNING)
        self.memory = _Memory(known.tolist())
        said = self.reading.read(known)
        self.next = self._choose(self.model.scores(said[0][-1:]))
        self.above = self._fresh(said)

    def step(self) -> None:
        """Read the next character, or a block that begins with it, and settle which one follows."""
        source, block = self._block()
        said = self.reading.read(np.array(block, np.uint8))
        scores = self.model.scores(said[0])
        count = len(block)
        if count > 1 and self.writing.climb is not Climb.FREE:
            count = 1 + _agreeing(block[1:], scores[:-1].argmax(axis=1))
            self.reading.take_back(len(block) - count)
        self.steps += 1
        self.heard[source] = self.heard.get(source, 0) + 1
        self.kept[source] = self.kept.get(source, 0) + count
        self.ids += block[:count]
        self.memory.add(block[:count])
        self.next = self._choose(scores[count - 1 : count])
        self.above = self._fresh(said)

    def _block(self) -> tuple[str, list[int]]:
        """What is recalled, or what the highest level says that is sure enough, else the next character."""
        if self._recalls and (recalled := self.memory.following(self.next)):
            return "recalled", [self.next, *recalled]
        for level in sorted(self.above, reverse=True):
            code = self.above[level]
            if self.model.share_right(level, code) >= self.writing.least_share:
                block = self.model.stored.blocks[level - 1].read(code).tolist()
                if block[0] == self.next:
                    return f"level {level}", list(block)
        return "next", [self.next]

    @property
    def _recalls(self) -> bool:
        writing = self.writing
        return writing.recalls and writing.climb is Climb.CHECKED and not writing.temperature

    def _fresh(self, said: list[FloatArray]) -> dict[int, FloatArray]:
        """The codes of levels, above the lowest, that have a state that ends where the text does now."""
        writing = self.writing
        if writing.climb is Climb.PLAIN or writing.temperature or not self.model.sureness:
            return {}
        ends = {level: self.reading.ends(level) for level in range(1, len(said))}
        return {
            level: said[level][len(found) - 1]  # what was said behind it was taken back
            for level, found in ends.items()
            if len(found) and found[-1] == self.reading.length
        }

    def _choose(self, scores: FloatArray) -> int:
        """The next character, from the scores of all, (1, V)."""
        if not self.writing.temperature:
            return int(scores[0].argmax())
        logs = scores[0].astype(np.float64)
        with np.errstate(over="ignore"):  # the colder, the nearer to the likeliest alone
            shares = np.exp((logs - logs.max()) / self.writing.temperature)
        shares[_is_unlikely(shares / shares.sum(), self.writing.top_p)] = 0
        return int(self.random.choice(len(shares), p=shares / shares.sum()))


class _Memory:
    """A text, and where in it each few characters stood last."""

    def __init__(self, ids: list[int]) -> None:
        self._ids: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}
        self.add(ids)

    def add(self, ids: list[int]) -> None:
        for one in ids:
            # Known only once something follows it: a stretch is not found at its own place.
            if len(self._ids) >= RECALLED_BY:
                self._ends[tuple(self._ids[-RECALLED_BY:])] = len(self._ids)
            self._ids.append(one)

    def following(self, one: int) -> list[int]:
        """What followed when the text ended last as it does with one more character."""
        end = self._ends.get((*self._ids[1 - RECALLED_BY :], one))
        return [] if end is None else self._ids[end : end + RECALLED]


def _agreeing(block: list[int], best: Ids | npt.NDArray[np.int64]) -> int:
    """How many characters at the beginning are the best ones."""
    differs = np.flatnonzero(np.array(block) != best) if block else np.zeros(0)
    return int(differs[0]) if len(differs) else len(block)


def _is_unlikely(shares: npt.NDArray[np.float64], top_p: float) -> npt.NDArray[np.bool_]:
    """Characters beyond the likeliest ones that have a share of all together."""
    order = np.argsort(-shares, kind="stable")
    before = np.cumsum(shares[order]) - shares[order]
    unlikely = np.zeros(len(shares), dtype=bool)
    unlikely[order] = before >= top_p
    return unlikely
