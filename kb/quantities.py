"""Numbers in text, with what they count: "$1.2bn", "twelve people", "5 per cent"."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from kb.words import STOP_WORDS, stem

_SMALL_NAMES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen"
)
_TENS_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {name: number for number, name in enumerate(_SMALL_NAMES.split())}
_TENS = {name: 10 * number for number, name in enumerate(_TENS_NAMES.split(), start=2)}
_SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_SHORT_SCALES = {"k": 10**3, "m": 10**6, "mn": 10**6, "bn": 10**9, "b": 10**9, "tn": 10**12}
_CURRENCIES = {
    "$": "usd",
    "us$": "usd",
    "a$": "aud",
    "c$": "cad",
    "nz$": "nzd",
    "hk$": "hkd",
    "s$": "sgd",
    "£": "gbp",
    "€": "eur",
    "¥": "jpy",
    "₹": "inr",
    "rs": "inr",
    "dollar": "usd",
    "pound": "gbp",
    "euro": "eur",
    "yen": "jpy",
    "rupee": "inr",
    "yuan": "cny",
    "cent": "cent",
    "usd": "usd",
    "eur": "eur",
    "gbp": "gbp",
}
_SAME_COUNT = {
    "person": "peopl",
    "resident": "peopl",
    "civilian": "peopl",
    "passenger": "peopl",
    "kill": "dead",
    "di": "dead",
    "death": "dead",
    "dead": "dead",
    "fatality": "dead",
    "victim": "dead",
    "injur": "hurt",
    "wound": "hurt",
    "hurt": "hurt",
    "kilometer": "kilometr",
    "km": "kilometr",
    "yr": "year",
}
_ROUGH = re.compile(
    r"(?:about|around|roughly|nearly|almost|some|approximately|over|more than|less than|fewer than|under|at least"
    r"|at most|up to|as many as|close to|an estimated)\s+(?:an?\s+)?(?:record\s+)?$",
    re.IGNORECASE,
)
ROUGH_CHARS = 48  # before a number, among which such words stand
_SPELLED = "|".join((*_SMALL, *_TENS))
_SCALE = "|".join(_SCALES)
# A look at one letter spares trying all that a number may begin with.
_NUMBER = re.compile(
    rf"""(?<![\w.,:/-])(?=[\s\d$£€¥₹acefhnorstuz])(?P<currency>(?:US|NZ|HK|A|C|S)?\$|[£€¥₹]|\bRs\.?\ ?)?\s?
    (?:
      (?P<digits>\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+(?:\.\d+)?)
      (?:[\s-]?(?P<scale>(?:{_SCALE})s?|(?<=[\d\s])(?:bn|mn|tn|[kmb]))(?!\w))?
      |
      (?P<spelled>\b(?:half\ an?\ (?:{_SCALE})|
        (?:an?\ (?={_SCALE})|(?:{_SPELLED})\b)
        (?:[\s-](?:and\ )?(?:{_SPELLED}|{_SCALE})\b|(?<=\ )(?:{_SCALE})\b)*
      ))\b
    )
    (?P<percent>\s?%|[\s-]per\s?cent(?:age\ points?)?|\spercentage\ points?)?""",
    re.VERBOSE | re.IGNORECASE,
)
_FOLLOWING = re.compile(r"[\s-]*([^\W\d_]+)")
_CLAUSE_END = re.compile(r"[,;:.!?()\"“”—–]")
_WORDS = re.compile(r"[^\W\d_]+")
_ROUGH_TEXT = "about around roughly nearly almost approximately least most many close estimated"
_ROUGH_WORDS = frozenset(_ROUGH_TEXT.split())
_SKIPPED = frozenset(["other", "more", "of", "the", "his", "her", "their", "additional"])
UNIT_WORDS = 4
REACH = 2  # content words on either side of a number that say what it is a number of


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as a text gives it."""

    value: Fraction
    place: Fraction  # worth of its last significant digit: 100 for 1,200
    unit: str  # "usd", "percent", "point", or "" for a plain count
    counted: tuple[str, ...]  # stems of the words that follow: what is counted
    is_rough: bool  # "about", "at least", ...
    start_char: int
    end_char: int


@lru_cache(maxsize=1 << 12)
def quantities(text: str) -> tuple[Quantity, ...]:
    """The numbers of a text in order; ordinals, dates in digits and decades are left out.

    Remembered for the sentences just read: each is looked at as news and as a fact.
    """
    found = (_quantity(text, match) for match in _NUMBER.finditer(text))
    return tuple(quantity for quantity in found if quantity is not None)


def _quantity(text: str, match: re.Match[str]) -> Quantity | None:
    start, end = match.start(), match.end()
    start += len(text[start:end]) - len(text[start:end].lstrip())
    if match["digits"] and re.match(r"(?:st|nd|rd|th|s)\b|[:/-]\d|[\w]", text[end:]):
        return None
    value, place = _digits_value(match) if match["digits"] else _spelled_value(match["spelled"])
    counted = _counted(text, end)
    unit = _unit(match, counted)
    if unit in _CURRENCIES.values():
        counted = tuple(word for word in counted if _CURRENCIES.get(word) != unit)
    is_rough = _ROUGH.search(text[max(0, start - ROUGH_CHARS) : start]) is not None
    return Quantity(value, place, unit, counted, is_rough, start, end)


def _digits_value(match: re.Match[str]) -> tuple[Fraction, Fraction]:
    digits = match["digits"].replace(",", "")
    scale_name = (match["scale"] or "").lower()
    scale = _SHORT_SCALES.get(scale_name) or _SCALES.get(scale_name.rstrip("s")) or 1
    if "." in digits:
        place = Fraction(1, 10 ** len(digits.partition(".")[2]))
    else:
        zeros = len(digits) - len(digits.rstrip("0"))
        place = Fraction(10**zeros) if len(digits) > 3 and scale == 1 else Fraction(1)
    return Fraction(digits) * scale, place * scale


def _spelled_value(spelled: str) -> tuple[Fraction, Fraction]:
    spoken = re.split(r"[\s-]+", spelled.lower())
    if spoken[0] == "half":
        scale = Fraction(_SCALES[spoken[-1]])
        return scale / 2, scale / 2
    total, group, smallest = 0, 0, 1
    for word in spoken:
        if word in _SCALES:
            smallest = _SCALES[word]
            group = max(group, 1) * smallest
            if smallest >= 1000:
                total, group = total + group, 0
        elif word in _SMALL or word in _TENS:
            smallest = 1
            group += _SMALL.get(word, 0) + _TENS.get(word, 0)
    return Fraction(total + group), Fraction(smallest)


def _counted(text: str, end: int) -> tuple[str, ...]:
    stems: list[str] = []
    position = end
    for _ in range(UNIT_WORDS):
        match = _FOLLOWING.match(text, position)
        if match is None or (word := match.group(1).lower()) in STOP_WORDS - _SKIPPED:
            break
        if word in _SKIPPED:
            position = match.end()
            continue
        cut = stem(word)
        stems.append(_SAME_COUNT.get(cut, cut))
        position = match.end()
    return tuple(stems)


def _unit(match: re.Match[str], counted: tuple[str, ...]) -> str:
    if match["currency"]:
        return _CURRENCIES[match["currency"].strip(" .").lower()]
    if percent := match["percent"]:
        return "point" if "point" in percent.lower() else "percent"
    return _CURRENCIES.get(counted[0], "") if counted else ""


def surroundings(text: str, number: Quantity) -> frozenset[str]:
    """What is said of a number: the nearest content words on either side, as `unify` has them."""
    before = _content(_WORDS.findall(_CLAUSE_END.split(text[: number.start_char])[-1])[::-1])
    after = _content(_WORDS.findall(_CLAUSE_END.split(text[number.end_char :])[0]))
    return unify([*before, *after])


def _content(spoken: Sequence[str]) -> list[str]:
    kept = []
    for word in spoken:
        lowered = word.lower()
        if lowered in STOP_WORDS or lowered in _ROUGH_WORDS or word[0].isupper():
            continue
        kept.append(stem(lowered))
        if len(kept) == REACH:
            break
    return kept


def unify(stems: Iterable[str]) -> frozenset[str]:
    """Stems with the usual words for people, the dead and the hurt made one."""
    return frozenset(_SAME_COUNT.get(cut, cut) for cut in stems)


def is_same(a: Quantity, b: Quantity) -> bool:
    """Whether two numbers say the same amount, allowing for rounding and for "about"."""
    if not _units_fit(a, b):
        return False
    if a.value == b.value:
        return True
    is_rough = a.is_rough or b.is_rough
    if not is_rough and a.place == b.place:
        return False
    gap, size = abs(a.value - b.value), max(abs(a.value), abs(b.value))
    if is_rough:
        return gap * 50 <= size
    return gap * 2 <= max(a.place, b.place) and gap * 20 <= size


def is_different(a: Quantity, b: Quantity) -> bool:
    """Whether two numbers cannot be two spellings or roundings of one amount; not the contrary of `is_same`."""
    if not _units_fit(a, b):
        return False
    gap, size = abs(a.value - b.value), max(abs(a.value), abs(b.value))
    if a.is_rough or b.is_rough:
        return gap * 10 > size
    if a.place == b.place:
        return gap > 0
    return gap * 2 > max(a.place, b.place)  # else the rounder one may be the other, rounded


def _units_fit(a: Quantity, b: Quantity) -> bool:
    return a.unit == b.unit or not (a.unit and b.unit)


def count_the_same(a: Quantity, b: Quantity) -> bool:
    """Whether two numbers are known to count one kind of thing."""
    if a.unit or b.unit:
        shared = set(a.counted) & set(b.counted)
        return a.unit == b.unit and (bool(shared) or not (a.counted and b.counted))
    return bool(set(a.counted) & set(b.counted))
