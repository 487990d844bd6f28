"""Second copies of an article, made for the novelty suite: syndicated, and with one number or one name changed.

Deterministic: an article, a sentence and a seed give the same copy.
"""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from typing import TypeVar

from agent.plain_text import clean_text
from agent.sentences import Place
from kb import Article, content_id, hash_of_text

T = TypeVar("T")

SEED = 7
DELAY = timedelta(hours=1)
"""How much later a copy is published."""
CLEARLY_OTHER = Fraction(1, 3)
"""Least gap between a number and its replacement, as a share of the larger: no rounding spans it."""
_FACTORS = (Fraction(2), Fraction(3), Fraction(2, 5), Fraction(1, 2), Fraction(5, 2), Fraction(4))
_DIGITS = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?|(?<![\w.,])\d+(?:\.\d+)?")
_SPELLED_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
_SPELLED = _SPELLED_NAMES.split()
_SPELLED_NUMBER = re.compile(rf"(?<![\w-])(?:{'|'.join(_SPELLED[2:])})(?![\w-])", re.IGNORECASE)
_DATELINE = re.compile(r"^[A-Z][A-Z .,’'-]+\s*\([^)]{2,30}\)\s*(?:—|–|--?)\s*")


def syndicated_copy(article: Article) -> Article:
    """The article as another publisher would print it: its own byline, no dateline, a paragraph less, other blanks.

    Its text is what extraction makes of that.
    """
    paragraphs = _DATELINE.sub("", article.text).split("\n\n")
    if len(paragraphs) > 2:
        del paragraphs[len(paragraphs) // 2]
    spaced = [re.sub(r"(?<=[.!?]) (?=[A-Z])", "  ", paragraph) for paragraph in paragraphs]
    text = "\n \n".join(["By a Staff Writer", *spaced]) + "\n"
    return _copy(article, clean_text(text), "syndicated")


def changed_copy(article: Article, place: Place, words: str) -> Article:
    """The article in another paper, with one span replaced."""
    text = article.text[: place[0]] + words + article.text[place[1] :]
    return _copy(article, text, f"changed-{place[0]}")


def _copy(article: Article, text: str, name: str) -> Article:
    url = f"https://copies.invalid/{name}/{article.id}"
    published_at = article.published_at
    return replace(
        article,
        id=content_id(url),
        url=url,
        text=text,
        publisher=f"The {name.partition('-')[0].title()} Copy",
        published_at=published_at + DELAY if published_at else None,
        text_hash=hash_of_text(text),
    )


def original_id(copy: Article) -> str:
    """The id of the article that a copy was made of."""
    return copy.url.rpartition("/")[2]


def another_number(answer: str, *, key: str) -> str | None:
    """The answer with its number scaled so far that it cannot be a rounding.

    None when the answer holds no number that can be read, or more than one.
    """
    digits, spelled = _DIGITS.findall(answer), _SPELLED_NUMBER.findall(answer)
    if len(digits) + len(spelled) != 1:
        return None
    chance = random.Random(f"{SEED}:{key}")
    if spelled:
        return _SPELLED_NUMBER.sub(_another_spelled(spelled[0], chance), answer)
    scaled = _scaled(digits[0], chance, top=100 if _is_percent(answer) else None)
    return _DIGITS.sub(scaled, answer) if scaled else None


def _is_percent(answer: str) -> bool:
    return "%" in answer or "percent" in answer or "per cent" in answer


def _another_spelled(word: str, chance: random.Random) -> str:
    value = Fraction(_SPELLED.index(word.lower()))
    others = [other for other in range(2, len(_SPELLED)) if _is_other(value, Fraction(other))]
    chosen = _SPELLED[chance.choice(others)]
    return chosen.title() if word[0].isupper() else chosen


def _scaled(digits: str, chance: random.Random, *, top: int | None) -> str | None:
    value = Fraction(digits.replace(",", ""))
    decimals = len(digits.partition(".")[2])
    step = Fraction(1, 10**decimals)
    for factor in chance.sample(_FACTORS, len(_FACTORS)):
        other: Fraction = round(value * factor / step) * step
        if other > 1 and _is_other(value, other) and (top is None or other <= top):
            # Without its comma, 1,700 could be a year.
            return f"{float(other):{',' if ',' in digits or value < 1000 else ''}.{decimals}f}"
    return None


def _is_other(a: Fraction, b: Fraction) -> bool:
    return abs(a - b) >= CLEARLY_OTHER * max(a, b)


def another_name(name: str, kind: str, pool: Iterable[str], *, avoid: str, key: str) -> str | None:
    """Another name of the same kind and as many words; None when the pool holds none.

    Args:
        name: as it stands in the article.
        kind: of what it names; of a person a surname alone will do.
        pool: names of that kind in other articles.
        avoid: text that holds no word of the other name.
        key: decides which, together with the seed.
    """
    length = len(name.split())
    spoken = {word.strip("\"“”‘’'.,;:()").casefold() for word in avoid.split()}
    fitting = sorted(
        {
            cut
            for other in pool
            if (cut := _cut_to(other, length, kind)) and spoken.isdisjoint(cut.casefold().split())
        }
    )
    return pick(fitting, key=key) if fitting else None


def _cut_to(name: str, length: int, kind: str) -> str | None:
    spoken = name.split()
    if kind == "person" and length == 1 and len(spoken) == 2:
        return spoken[-1]
    return name if len(spoken) == length else None


def pick(options: Sequence[T], *, key: str) -> T:
    """One of several, decided by the key and the seed."""
    return random.Random(f"{SEED}:{key}").choice(options)
