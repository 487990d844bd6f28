"""What the novelty suite calls new, and how sure its shares are. Pure, and blind to the encoder that is judged.

The rule sees words alone: a sentence says nothing new when one earlier sentence holds all its numbers, names and
answers and nearly all its other words. It takes a paraphrase for news, so what it calls redundant is the least there
is, and what it calls new the most.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from agent.word_sets import word_set

COVERED_AT = 0.8
"""Share of a sentence's content words that an earlier one must hold."""
WIDELY_AT = 0.6
"""The same for a wider net: about half of what it catches only touches on the same thing."""
ALIKE_AT = 0.8
"""Jaccard index of the content words of two sentences that are nearly identical."""
FEWEST_WORDS = 5
"""A sentence of fewer content words is never called redundant: another may hold them by chance."""
WINDOW = timedelta(days=10)
DRAWS = 1000
"""Samples of a bootstrap interval."""

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_POSSESSIVE = re.compile(r"['’]s?\b")
_NUMBER_NAMES = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBERS = {name: str(number) for number, name in enumerate(_NUMBER_NAMES.split())}
_STOP = word_set(
    "a about after again all also am an and any are as at be because been before being both but "
    "by can could did do does during each for from further had has have having he her here hers "
    "him his how i if in into is it its just me more most my no nor not now of off on once only "
    "or other our out over own said same say says she should so some such than that the their "
    "them then there these they this those through to too under until up very was we were what "
    "when where which while who whom whose why will with would you your s t"
)


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as the rule sees it."""

    article_id: str
    published_at: datetime
    words: frozenset[str]
    """Its content words, folded."""
    marks: frozenset[str]
    """Those of its names, numbers and answers: all that another sentence has to hold."""


def read_said(
    article_id: str, published_at: datetime, quote: str, answers: Sequence[str] = ()
) -> Said:
    """Take a sentence apart."""
    spoken = _spoken(quote)
    marked = {
        _fold(word)
        for place, word in enumerate(spoken)
        if word[0].isdigit() or (place and word[0].isupper()) or word.lower() in _NUMBERS
    }
    marked |= {_fold(word) for answer in answers for word in _spoken(answer)}
    return Said(
        article_id,
        published_at,
        frozenset(_fold(word) for word in spoken) - _STOP,
        frozenset(marked - _STOP),
    )


def _spoken(text: str) -> list[str]:
    return _WORD.findall(_POSSESSIVE.sub("", text))


def _fold(word: str) -> str:
    folded = word.casefold().replace(",", "")
    return _NUMBERS.get(folded, folded)


def covers(earlier: Said, later: Said, *, at: float = COVERED_AT) -> bool:
    """Whether the earlier sentence says already what the later one says: all its marks, and a share of its words."""
    if len(later.words) < FEWEST_WORDS or not later.marks <= earlier.words:
        return False
    return len(later.words & earlier.words) >= at * len(later.words)


def is_alike(a: Said, b: Said) -> bool:
    """Whether two sentences are nearly identical, with the same names, numbers and answers."""
    if len(a.words) < FEWEST_WORDS or not (a.marks <= b.words and b.marks <= a.words):
        return False
    return len(a.words & b.words) >= ALIKE_AT * len(a.words | b.words)


def find_covering(sentences: Sequence[Said], *, at: float = COVERED_AT) -> list[list[int]]:
    """For each sentence, in time order, the earlier ones of other articles that cover it, within the window.

    A covering sentence lacks few of the words, so it holds one of a few: only those that hold one of the rarest are
    compared.
    """
    counts = Counter(word for said in sentences for word in said.words)
    holding: dict[str, list[int]] = defaultdict(list)
    found = []
    for place, later in enumerate(sentences):
        rarest = sorted(later.words, key=lambda word: (counts[word], word))
        may_lack = int((1 - at) * len(rarest) + 1e-9)
        near = {other for word in rarest[: may_lack + 1] for other in holding[word]}
        found.append(
            [
                other
                for other in sorted(near)
                if sentences[other].article_id != later.article_id
                and later.published_at - sentences[other].published_at <= WINDOW
                and covers(sentences[other], later, at=at)
            ]
        )
        for word in later.words:
            holding[word].append(place)
    return found


def share_of(groups: Sequence[tuple[int, int]], *, seed: int) -> tuple[float, list[float]] | None:
    """A share and its bootstrap 95 % interval; None when nothing was counted.

    Args:
        groups: (hits, count) of each article. Whole articles are drawn: their sentences stand or fall together.
        seed: decides the draws.
    """
    counted = np.asarray([group for group in groups if group[1]], dtype=np.float64).reshape(-1, 2)
    if not len(counted):
        return None
    random = np.random.default_rng(seed)
    drawn = counted[random.integers(len(counted), size=(DRAWS, len(counted)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    hits, count = counted.sum(axis=0)
    return round(float(hits / count), 4), [round(float(low), 4), round(float(high), 4)]
