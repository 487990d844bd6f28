"""Copies of questions with other names: what is copied from a sentence is learned apart from what it says.

A capitalised word or a number that sentence and question share, and that is no part of the answer, is exchanged
in both for another one, drawn by seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from model.ask_text import GRAMMAR, Asked

SHARE = 0.6
"""Of the words that may be exchanged, so many are."""
NAME = re.compile(r"\b[A-Z][^\W\d_]{2,}\b")
NUMBER = re.compile(r"\b\d+\b")
_FIRST_WORD = re.compile(r"^\W*\w+")


def names_of(asked: Sequence[Asked]) -> list[str]:
    """The capitalised words within sentences, each once, in order of their appearance."""
    found: dict[str, None] = {}
    for sentence in dict.fromkeys(one.sentence for one in asked):
        body = _FIRST_WORD.sub("", sentence)
        found.update(dict.fromkeys(NAME.findall(body)))
    return list(found)


def with_variants(
    asked: Sequence[Asked], *, copies: int, names: Sequence[str], seed: int
) -> Iterator[Asked]:
    """Each question as it is, and those of people again with other names, if they have any that may be exchanged.

    Args:
        asked: the questions.
        copies: how many of each there shall be, the first one counted.
        names: what names are exchanged for.
        seed: decides what is drawn.
    """
    rng = random.Random(seed)
    for one in asked:
        yield one
        shared = shared_words(one) if one.kind != GRAMMAR else []
        for _ in range(copies - 1 if shared and names else 0):
            yield renamed(one, shared, names, rng)


def shared_words(one: Asked) -> list[str]:
    """Names and numbers of the question that stand in the sentence outside of the answer."""
    body = _FIRST_WORD.sub("", one.question)
    outside = f"{one.sentence[: one.start]}\0{one.sentence[one.end :]}"
    places = (*NAME.findall(body), *NUMBER.findall(body))
    return [
        word
        for word in dict.fromkeys(places)
        if re.search(rf"\b{word}\b", outside) and not re.search(rf"\b{word}\b", one.answer)
    ]


def renamed(one: Asked, shared: Sequence[str], names: Sequence[str], rng: random.Random) -> Asked:
    """The question with some of its shared words exchanged; the answer stays."""
    chosen = [word for word in shared if rng.random() < SHARE] or [rng.choice(shared)]
    other = {word: _another(word, names, rng) for word in chosen}
    pattern = re.compile(r"\b(?:" + "|".join(sorted(other, key=len, reverse=True)) + r")\b")

    def exchanged(text: str) -> str:
        return pattern.sub(lambda found: other[found[0]], text)

    before = exchanged(one.sentence[: one.start])
    sentence = f"{before}{one.answer}{exchanged(one.sentence[one.end :])}"
    return replace(
        one,
        sentence=sentence,
        start=len(before),
        end=len(before) + len(one.answer),
        question=exchanged(one.question),
    )


def _another(word: str, names: Sequence[str], rng: random.Random) -> str:
    if word[0].isdigit():
        first = str(rng.randint(1, 9)) if word[0] != "0" else "0"
        return first + "".join(str(rng.randint(0, 9)) for _ in word[1:])
    return rng.choice(names)
