"""Sentences with one thing changed: what the teacher says of them teaches how far a change goes.

Sentences drawn from a corpus are mostly far from each other. A variant differs from its sentence by
one word, a negation, a phrase less, or the end of another sentence; its meaning may or may not
change, and the teacher's vector says how much. The idea is that of the augmentation in TinyBERT
(Jiao et al. 2020), with words that stood in the same place in other sentences instead of a
language model's.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from model.texts import by_hash, fold_blanks, text_key

MAX_WORDS = 24
"""Longer sentences stay as they are: one change in so many words says little."""
MAX_SHARING = 200
"""Words remembered for a place, and sentences for a hinge."""

_AUXILIARIES = "is|are|was|were|can|could|will|would|should|has|have|had|does|do|did|may"
_AUXILIARY = re.compile(rf"\b({_AUXILIARIES})( not)? ")
_HINGES = frozenset(f"{_AUXILIARIES}|to|for|that|while|and|with|after|as".split("|"))
_OPENING = re.compile(r"(?:A|An|The|One|Some|This) ")
_PHRASE = re.compile(
    r",? (?:in|on|at|with|near|by|from|for|of|after|before|during|under|over|while) [^,.;:?!]+"
    r"?(?=[,.;:?!]|$| (?:is|are|was|were|in|on|at|with|near|by|from|for|after|to|and|that) )"
)

Variant = Callable[[Sequence[str], int], str]
"""Makes one variant of a sentence's words, drawn by a number; an empty text if there is none."""


def variants(sentences: Sequence[str], *, per_sentence: int) -> list[str]:
    """Up to so many variants of each short sentence; the same sentences give the same variants.

    Sentences lend each other words and endings, so those given together should be of one kind.
    """
    short = [words for text in sentences if 4 <= len(words := text.split()) <= MAX_WORDS]
    makers: tuple[Variant, ...] = (
        _Words(short),
        _Ends(short),
        _negated,
        _Words(short),
        _without_phrase,
    )
    made: list[str] = []
    for words in short:
        text = " ".join(words)
        key = text_key(text)
        # A text starts at a maker of its own: with fewer variants than makers, all get their share.
        turn = itertools.islice(itertools.cycle(enumerate(makers)), key % len(makers), None)
        found: dict[str, None] = {}
        for at, make in itertools.islice(turn, len(makers)):
            variant = make(words, text_key(f"{at} {text}"))
            if variant and variant != text:
                found[variant] = None
            if len(found) == per_sentence:
                break
        made.extend(found)
    return made


class _Words:
    """Replaces a word by one that stood between the same two neighbours elsewhere."""

    def __init__(self, sentences: Sequence[Sequence[str]]) -> None:
        self._between: dict[tuple[str, str], list[str]] = defaultdict(list)
        for words in sentences:
            for left, word, right in _threes(words):
                known = self._between[left, right]
                if len(known) < MAX_SHARING:
                    known.append(word)

    def __call__(self, words: Sequence[str], drawn: int) -> str:
        places = [
            (at, others)
            for at, (left, word, right) in enumerate(_threes(words))
            if (others := [other for other in self._between[left, right] if other != word])
        ]
        if not places:
            return ""
        at, others = places[drawn % len(places)]
        return " ".join((*words[:at], others[(drawn >> 16) % len(others)], *words[at + 1 :]))


def _threes(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Every word between its neighbours, "" beyond the ends."""
    return zip(("", *words[:-1]), words, (*words[1:], ""), strict=True)


class _Ends:
    """Goes on, after a word that many sentences share, as another of them does."""

    def __init__(self, sentences: Sequence[Sequence[str]]) -> None:
        self._ends: dict[str, list[Sequence[str]]] = defaultdict(list)
        for words in sorted(sentences, key=lambda words: by_hash(" ".join(words))):
            for at in _hinges(words):
                known = self._ends[words[at]]
                if len(known) < MAX_SHARING:
                    known.append(words[at:])

    def __call__(self, words: Sequence[str], drawn: int) -> str:
        hinges = _hinges(words)
        if not hinges:
            return ""
        at = hinges[drawn % len(hinges)]
        ends = self._ends[words[at]]
        return " ".join((*words[:at], *ends[(drawn >> 16) % len(ends)]))


def _hinges(words: Sequence[str]) -> list[int]:
    """Places of words that may join the beginning of one sentence and the end of another."""
    return [at for at in range(1, len(words) - 1) if words[at] in _HINGES]


def _negated(words: Sequence[str], drawn: int) -> str:
    """The contrary: "is not" for "is", or the other way, or "There is no" in front."""
    text = " ".join(words)
    found = _AUXILIARY.search(text)
    opening = _OPENING.match(text)
    if opening and (not found or drawn % 3 == 0):
        rest = text[opening.end() :]
        return "There is no " + _AUXILIARY.sub("", rest, count=1)
    if not found:
        return ""
    return text[: found.end(1)] + (" " if found[2] else " not ") + text[found.end() :]


def _without_phrase(words: Sequence[str], drawn: int) -> str:
    """One phrase less."""
    text = " ".join(words)
    phrases = list(_PHRASE.finditer(text))
    if not phrases:
        return ""
    phrase = phrases[drawn % len(phrases)]
    rest = fold_blanks(text[: phrase.start()] + text[phrase.end() :])
    return rest if len(rest.split()) >= 3 else ""
