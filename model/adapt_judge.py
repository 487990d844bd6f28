"""Whether an adapted language model takes the place of the one in use: it must have learned, and not have forgotten.

Learned: articles that were kept out cost fewer bits a character, by more than chance. Chance is a paired bootstrap over
articles: in 97.5 % of draws of as many articles, with repeats, the sum of bits must fall. Forgotten: an older text
costs more bits. It is counted from the best of all nights so far, so that many small losses are not taken for none.

Everything is measured on weights as they are stored, by the code that runs them. Shapes: N articles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.adapt_text import AdaptText
from model.errors import DataError
from model.predict import LanguageModel

DRAWS = 2000
CHANCE = 0.025
"""Share of draws in which the bits may not fall."""
MOST_FORGOTTEN = 0.01
"""Bits that an older text may cost more, relative."""
LEAST_HELD_OUT = 5
"""Articles: of fewer, chance cannot be told."""
LEAST_OLDER = 2000
"""Characters."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bits:
    """What texts cost before and after, bits a character."""

    before: float
    after: float
    chars: int

    @property
    def ratio(self) -> float:
        """1 where nothing changed, less where it is better."""
        return self.after / self.before


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was measured and what follows."""

    held_out: Bits
    falls_by: tuple[float, float]
    """Bits a character that the articles kept out cost less: the ends of 95 % of draws."""
    older: Bits
    forgotten: float
    """Bits that the older text costs more than with the best of all nights, relative, 0 or more."""

    @property
    def has_learned(self) -> bool:
        """Whether the fall is more than chance."""
        return self.falls_by[0] > 0

    @property
    def has_forgotten(self) -> bool:
        """Whether the older text costs too much."""
        return not self.forgotten <= MOST_FORGOTTEN

    @property
    def is_kept(self) -> bool:
        """Whether the adapted model takes the place of the one in use."""
        return self.has_learned and not self.has_forgotten

    @property
    def reason(self) -> str:
        """What decided, in a line."""
        if self.has_forgotten:
            return (
                f"the gate: older text costs {100 * self.forgotten:.2f} % more bits, "
                f"allowed are {100 * MOST_FORGOTTEN:g} %"
            )
        if not self.has_learned:
            low, high = self.falls_by
            return f"nothing was learned: bits fall by {low:.4f} to {high:.4f}, which may be chance"
        return "held-out articles cost fewer bits, and older text does not cost more"


def require_enough(text: AdaptText) -> None:
    """Refuse samples that nothing can be judged on.

    Raises:
        DataError: says which, how much it has and how much it needs.
    """
    if len(text.held_out) < LEAST_HELD_OUT:
        raise DataError(
            f"too little to judge by: {len(text.held_out)} articles of these days are kept out "
            f"(one in ten), {LEAST_HELD_OUT} are needed; take more days"
        )
    older = sum(map(len, text.older))
    if older < LEAST_OLDER:
        raise DataError(
            f"too little older text to check against: {older} characters, {LEAST_OLDER} are "
            "needed; name a text file with --gate"
        )


def judge(
    before: LanguageModel,
    after: LanguageModel,
    text: AdaptText,
    *,
    forgotten: float = 0.0,
    seed: int = 1,
) -> Judgement:
    """Compare two language models.

    Args:
        before: the one in use.
        after: the adapted one.
        text: articles of five or more that are kept out, and older text.
        forgotten: what the one in use has forgotten already, relative.
        seed: of the draws.
    """
    costs, older = (
        [article_bits(model, texts) for model in (before, after)]
        for texts in (text.held_out, text.older)
    )
    chars = _chars(text.held_out)
    held_out, old = _bits(costs, chars), _bits(older, _chars(text.older))
    lost = (1 + forgotten) * old.ratio - 1
    falls = falls_of_draws(costs[0] - costs[1], chars, seed=seed)
    low, high = (float(np.quantile(falls, it)) for it in (CHANCE, 1 - CHANCE))
    return Judgement(held_out, (low, high), old, lost if not lost <= 0 else 0.0)


def article_bits(model: LanguageModel, texts: Sequence[str]) -> Doubles:
    """Bits of each article, read alone, float64 (N,)."""
    return np.array([model.bits(text).sum() for text in texts])


def falls_of_draws(saved: Doubles, chars: Doubles, *, seed: int) -> Doubles:
    """Mean bits a character that are saved, of draws of as many articles with repeats, float64 (DRAWS,).

    Args:
        saved: bits of each article, float64 (N,).
        chars: of each article, float64 (N,).
        seed: of the draws.
    """
    drawn = np.random.default_rng(seed).integers(0, len(saved), (DRAWS, len(saved)))
    return np.asarray(saved[drawn].sum(axis=1) / chars[drawn].sum(axis=1))


def _chars(texts: Sequence[str]) -> Doubles:
    """Characters of each that cost bits: the first one does not."""
    return np.array([max(len(text) - 1, 1) for text in texts], np.float64)


def _bits(costs: Sequence[Doubles], chars: Doubles) -> Bits:
    before, after = (float(each.sum() / chars.sum()) for each in costs)
    return Bits(before, after, int(chars.sum()))
