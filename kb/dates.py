"""Dates in text, resolved against the day the text was published."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

_MONTH_NAMES = (
    "january jan|february feb|march mar|april apr|may|june jun|july jul|august aug"
    "|september sept sep|october oct|november nov|december dec"
)
_MONTHS = {
    name: number
    for number, names in enumerate(_MONTH_NAMES.split("|"), start=1)
    for name in names.split()
}
_WEEKDAYS = {
    name: number
    for number, name in enumerate(
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    )
}
_NAMED_DAYS = {"today": 0, "tonight": 0, "yesterday": -1, "tomorrow": 1}
_COUNT_NAMES = "a two three four five six seven eight nine ten eleven twelve"
_COUNTS = {name: number for number, name in enumerate(_COUNT_NAMES.split(), start=1)}
_COUNTS |= {"an": 1, "one": 1}

# "may" and "march" are also verbs: months count only in title case, or in capitals.
_MONTH = "|".join(
    rf"{name.title()}\b\.?|{name.upper()}\b" for name in sorted(_MONTHS, key=len, reverse=True)
)
_WEEKDAY = "|".join(name.title() for name in _WEEKDAYS)
_DAY = r"(?:[12]\d|3[01]|0?[1-9])"
_YEAR = r"(?:1[5-9]|20)\d\d"
# "1500 witnesses" is no year, "the 2024 cases" and "in 2024 people" are: what is counted follows, and nothing before
# it makes a date of it.
_COUNTED = re.compile(
    r"\s(?:people|persons|men|women|children|students|pupils|teachers|workers|employees|jobs|troops|soldiers|officers"
    r"|witnesses|victims|patients|residents|migrants|refugees|protesters|voters|votes|deaths|homes|houses|buildings"
    r"|schools|vehicles|cars|miles|kilomet(?:er|re)s|met(?:er|re)s|feet|acres|hectares|tons|tonnes|dollars|euros|pounds)\b"
)
_DATED = re.compile(
    r"\b(?:in|since|by|until|till|from|of|during|before|after|through|for|the|a|an|this|that|its|his|her|their|our|my)\s$",
    re.IGNORECASE,
)
DATED_CHARS = 12  # before a year, among which such a word stands
# A look at one letter spares trying all that an expression may begin with.
_EXPRESSION = re.compile(
    rf"""(?<![\w-])(?=[\dA-Zaeflnosty])(?:
      (?P<iso>{_YEAR}-\d\d-\d\d)
    | (?P<month1>{_MONTH})\s(?P<day1>{_DAY})(?:st|nd|rd|th)?(?![\d:%,]\d|\d)(?:,?\s(?P<year1>{_YEAR}))?
    | (?P<day2>{_DAY})(?:st|nd|rd|th)?\s(?:of\s)?(?P<month2>{_MONTH})(?:,?\s(?P<year2>{_YEAR}))?
    | (?P<month3>{_MONTH})(?:,?\s(?:of\s)?(?P<year3>{_YEAR}))?
    | (?:(?P<side>[Ll]ast|[Nn]ext|[Tt]his|[Tt]he\sfollowing)\s)?(?P<weekday>{_WEEKDAY})
    | (?P<relative>(?i:last|next|this))\s(?P<period>week|month|year)
    | (?P<number>\d+|{"|".join(_COUNTS)})\s(?P<unit>day|week|month|year)s?\s(?P<when>ago|earlier|later)
    | (?P<named>(?i:today|tonight|yesterday|tomorrow))
    | (?P<year4>{_YEAR})(?!\s?%|[.,]\d|\d)
    )(?!\w)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class DateSpan:
    """A date expression and the stretches of days it may mean, first and last day included."""

    meanings: tuple[
        tuple[date, date], ...
    ]  # none: it cannot be resolved without a publication date
    words: str
    start_char: int
    end_char: int


def dates(text: str, published_at: datetime | None) -> tuple[DateSpan, ...]:
    """The date expressions of a text in order; those that name no year mean the nearest one."""
    return _dates(text, published_at.date() if published_at is not None else None)


@lru_cache(maxsize=1 << 12)
def _dates(text: str, day: date | None) -> tuple[DateSpan, ...]:
    """Remembered for the sentences just read: each is looked at as news and as a fact."""
    return tuple(
        DateSpan(
            _meanings(match, day),
            " ".join(match.group().lower().split()),
            match.start(),
            match.end(),
        )
        for match in _EXPRESSION.finditer(text)
        if not (match["year4"] and _is_count(text, match))
    )


def _is_count(text: str, year: re.Match[str]) -> bool:
    if _COUNTED.match(text, year.end()) is None:
        return False
    return _DATED.search(text[max(0, year.start() - DATED_CHARS) : year.start()]) is None


def _meanings(match: re.Match[str], day: date | None) -> tuple[tuple[date, date], ...]:
    try:
        return _absolute(match, day) or (_relative(match, day) if day is not None else ())
    except (ValueError, OverflowError):  # the 31st of April, a million years ago
        return ()


def _absolute(match: re.Match[str], day: date | None) -> tuple[tuple[date, date], ...]:
    if match["iso"]:
        exact = date.fromisoformat(match["iso"])
        return ((exact, exact),)
    if match["year4"]:
        return (_year(int(match["year4"])),)
    name = match["month1"] or match["month2"] or match["month3"]
    if not name:
        return ()
    month = _MONTHS[name.lower().rstrip(".")]
    day_of_month = match["day1"] or match["day2"]
    year = match["year1"] or match["year2"] or match["year3"]
    if year is not None:
        return (_stretch(int(year), month, day_of_month),)
    if day is None:
        return ()
    around = [_stretch(day.year + step, month, day_of_month) for step in (-1, 0, 1)]
    return (min(around, key=lambda stretch: abs((stretch[0] - day).days)),)


def _stretch(year: int, month: int, day_of_month: str | None) -> tuple[date, date]:
    if day_of_month is not None:
        exact = date(year, month, int(day_of_month))
        return exact, exact
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def _year(year: int) -> tuple[date, date]:
    return date(year, 1, 1), date(year, 12, 31)


def _relative(match: re.Match[str], day: date) -> tuple[tuple[date, date], ...]:
    if match["weekday"]:
        return _weekday(_WEEKDAYS[match["weekday"].lower()], (match["side"] or "").lower(), day)
    if match["named"]:
        exact = day + timedelta(days=_NAMED_DAYS[match["named"].lower()])
        return ((exact, exact),)
    if match["relative"]:
        step = {"last": -1, "this": 0, "next": 1}[match["relative"].lower()]
        return (_period(match["period"], step, day),)
    return _ago(match, day) if match["unit"] else ()


def _weekday(weekday: int, side: str, day: date) -> tuple[tuple[date, date], ...]:
    back = day - timedelta(days=(day.weekday() - weekday) % 7)
    week = timedelta(days=7)
    if side == "last":
        options = [back if back < day else back - week, back - week]
    elif side in ("next", "the following"):
        options = [back + week, back + 2 * week]
    else:  # the one just past, or the one to come: only the sentence's tense could tell
        options = [back, back + week] if back < day else [day]
    return tuple((option, option) for option in dict.fromkeys(options))


def _period(period: str, step: int, day: date) -> tuple[date, date]:
    if period == "year":
        return _year(day.year + step)
    if period == "month":
        months = day.year * 12 + day.month - 1 + step
        return _stretch(months // 12, months % 12 + 1, None)
    monday = day - timedelta(days=day.weekday() - 7 * step)
    return monday, monday + timedelta(days=6)


def _ago(match: re.Match[str], day: date) -> tuple[tuple[date, date], ...]:
    number = match["number"].lower()
    count = int(number) if number.isdigit() else _COUNTS[number]
    if match["when"] != "ago":
        return ()  # counted from a day that the sentence does not give
    if match["unit"] in ("day", "week"):
        exact = day - timedelta(days=count * (7 if match["unit"] == "week" else 1))
        return ((exact, exact),)
    return (_period(match["unit"], -count, day),)


def can_agree(a: DateSpan, b: DateSpan) -> bool:
    """Whether some reading of both falls on common days, such as "March" and "March 3"."""
    if a.words == b.words and not (a.meanings and b.meanings):
        return True
    return any(x[0] <= y[1] and y[0] <= x[1] for x in a.meanings for y in b.meanings)


def must_differ(a: DateSpan, b: DateSpan) -> bool:
    """Whether both are resolved and no reading of the two falls on a common day."""
    return bool(a.meanings and b.meanings) and not can_agree(a, b)
