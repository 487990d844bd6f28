"""Two sentences that are one but for a word: the same statement, or the same with another number or name. Pure.

Questions see a sentence a piece at a time, and a piece proves little. Where a whole sentence recurs word for word, what
is left over is all that can differ: nothing, or one number or name in the place of another.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from kb.dates import DateSpan
from kb.names import is_same_name
from kb.quantities import Quantity, is_different, is_same
from kb.words import STOP_WORDS, fold, stem

# Share of the longer sentence's words, the difference aside, that both have in order.
LIKENESS_AT = 0.85
FEWEST_WORDS = 5  # content words that two sentences with a difference must share
FEWEST_SAME = 3  # and two that say the same
FEWEST_ALIKE = 8  # words of any kind that do as well, where none is different
LONGEST_NAME = 6  # words

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|%")
_DATELINE = re.compile(
    r"[A-Z][A-Z.'’-]+(?:[ /,]+[A-Z][\w.'’-]*){0,6},?\s*(?:\([^)]{2,30}\)\s*)?(?:—|–|--?)\s"
)
# What may come, go or change without changing what is said.
_LIGHT_WORDS = """
    a an the that which who of in on at as and his her their its he she they it was were is are has have had been be
    also then mr mrs ms dr president sen senator rep gov
"""
_LIGHT = frozenset(_LIGHT_WORDS.split())
# Capitalised and no name by itself: of a nation, a faith or a party.
_ADJECTIVE = re.compile(
    r"(?:\w+(?:ish|ese|ian|ean|ican|isian|aeli|aqi|stani|ench|utch|ocratic)s?|(?:Democrat|Greek|Czech|Arab|Muslim|GOP)s?)$"
)
_ROLE = re.compile(r"(?:I|He|She|We|They|It|You|This|That|These|Those|There|The|A|An|But|And)$")
_INSIDE_NAMES = "of the and for de da del la el al bin van von der"
_INSIDE = frozenset(_INSIDE_NAMES.split())
# What may stand without an article where a sentence begins.
_BARE_WORDS = """
    police nobody everybody somebody everyone someone anyone people staff nothing everything
"""
_BARE = frozenset(_BARE_WORDS.split())
# Where a word has a capital whatever it is: not behind "Mr.", nor behind a quotation that ends.
_BEGIN = re.compile(r"(?:^|(?<![A-Z][a-z])(?<![A-Z][a-z]{2})[.!?]|[:;“‘(…—]|(?<!\S)[\"'])\s*$")

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence with what was found in it."""

    text: str
    quantities: Sequence[Quantity]
    dates: Sequence[DateSpan]
    names: Sequence[Place]  # spans of names in it


@dataclass(frozen=True, slots=True)
class Twin:
    """An earlier sentence in the same words, or in the same but for one place."""

    place: Place | None = None  # in our sentence; None: both say the same
    rival: str = ""  # the other's number or name there; "": it is not sure that both are names


def find_twin(ours: Spoken, theirs: Spoken) -> Twin | None:
    """How our sentence repeats the other; None when it says something else, or not surely the same."""
    a, b = _tokens(ours.text), _tokens(theirs.text)
    x, y = [_plain(token[0]) for token in a], [_plain(token[0]) for token in b]
    differences: list[Twin] = []
    shared: list[str] = []
    left, right = len(x), len(y)  # words outside the difference
    for tag, i, j, k, m in SequenceMatcher(None, x, y, autojunk=False).get_opcodes():
        here, there = _cover(a[i:j]), _cover(b[k:m])
        if tag == "equal":
            shared += x[i:j]
        elif _is_light(x[i:j]) and _is_light(y[k:m]):
            continue
        elif here is None or there is None:
            return None
        elif _is_one_quantity(ours, here, theirs, there):
            shared += x[i:j]
            right += (j - i) - (m - k)
        elif (difference := _difference(ours, here, theirs, there)) is not None:
            differences.append(difference)
            left, right = left - (j - i), right - (m - k)
        else:
            return None
    content = {stem(word) for word in shared if word not in STOP_WORDS}
    if len(shared) < LIKENESS_AT * max(left, right) or len(differences) > 1:
        return None
    if differences:
        return differences[0] if len(content) >= FEWEST_WORDS else None
    says_enough = len(content) >= FEWEST_SAME or (x == y and len(x) >= FEWEST_ALIKE)
    return Twin() if says_enough else None


def _tokens(text: str) -> list[tuple[str, int, int]]:
    """Words and numbers with their places, behind "PARIS (Agency) - "."""
    dateline = _DATELINE.match(text)
    start = dateline.end() if dateline else 0
    return [(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text, start)]


def _plain(token: str) -> str:
    return fold(token).replace("’", "'")


def _cover(tokens: Sequence[tuple[str, int, int]]) -> Place | None:
    return (tokens[0][1], tokens[-1][2]) if tokens else None


def _is_light(words: Iterable[str]) -> bool:
    return all(word in _LIGHT for word in words)


def _is_one_quantity(ours: Spoken, here: Place, theirs: Spoken, there: Place) -> bool:
    pair = _quantity_at(ours, here), _quantity_at(theirs, there)
    return pair[0] is not None and pair[1] is not None and is_same(pair[0], pair[1])


def _difference(ours: Spoken, here: Place, theirs: Spoken, there: Place) -> Twin | None:
    """What stands in the place of our number or name; None when the two are none, or can be one."""
    if _is_dated(ours, here) or _is_dated(theirs, there):
        return None
    a, b = _quantity_at(ours, here), _quantity_at(theirs, there)
    if a is not None and b is not None:
        rival = theirs.text[b.start_char : b.end_char]
        return Twin(here, rival) if is_different(a, b) else None
    mine, other = _capitalised(ours, here), _capitalised(theirs, there)
    if a is not None or b is not None or mine is None or other is None:
        return None
    if is_same_name(mine, other):
        return None
    sure = _is_name(ours, here), _is_name(theirs, there)
    if not any(sure):
        return None
    likely = all(sure) or _may_be_name(other if sure[0] else mine)
    return Twin(here, other if likely else "")


def _is_dated(spoken: Spoken, place: Place) -> bool:
    return any(_meet((day.start_char, day.end_char), place) for day in spoken.dates)


def _quantity_at(spoken: Spoken, place: Place) -> Quantity | None:
    """The number that the place is, or is part of; None when there is none, or other words beside it."""
    for number in spoken.quantities:
        start, end = number.start_char, number.end_char
        if not _meet((start, end), place):
            continue
        beside = spoken.text[place[0] : max(start, place[0])] + spoken.text[end : place[1]]
        return None if re.search(r"\w", beside) else number
    return None


def _capitalised(spoken: Spoken, place: Place) -> str | None:
    """The place when it may be a name: capitalised throughout, and neither a pronoun nor an adjective."""
    found = spoken.text[place[0] : place[1]]
    words = found.removeprefix("The ").removeprefix("the ").split()
    if not words or len(words) > LONGEST_NAME:
        return None
    if any(not word[:1].isupper() and word not in _INSIDE for word in words):
        return None
    if _ADJECTIVE.match(words[-1]) or any(_ROLE.match(word) for word in words):
        return None
    return " ".join(words)


def _is_name(spoken: Spoken, place: Place) -> bool:
    """Whether a capitalised place is a name: where a sentence or a quotation begins, only if it was found to be."""
    begins = _BEGIN.search(spoken.text, 0, place[0])
    return begins is None or any(_meet(name, place) for name in spoken.names)


def _may_be_name(found: str) -> bool:
    """Whether a word that begins a sentence where another has a name is one too: "Officials" and "Police" are not."""
    return not found.endswith("s") and found.lower() not in _BARE


def _meet(a: Place, b: Place) -> bool:
    return a[0] < b[1] and b[0] < a[1]
