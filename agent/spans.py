"""Find the spans of a text that can answer a question: names, places, dates, amounts, titles.

Entities come from the tagger; dates, amounts and quoted titles are found by rule. Works on any text, a sentence or a
whole article; offsets are into the text given. It raises no questions and judges no sentence.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.marked import Marked
from kb import AnswerKind
from model import Span


@dataclass(frozen=True, slots=True)
class AnswerSpan:
    """A span that can answer a question of a kind: text[start:end]."""

    start: int
    end: int
    kind: AnswerKind
    text: str
    sort: str
    """person, organization, location, misc, title, date, time, duration, money, percent, count or age."""


_MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.?)"
)
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_YEAR = r"(?:1[5-9]\d\d|20\d\d)"
_SMALL = (
    r"(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
    r"|sixteen|seventeen|eighteen"
    r"|nineteen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-(?:one|two|three"
    r"|four|five|six|seven|eight|nine))?)"
)
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_SCALE = r"(?:hundred|thousand|million|billion|trillion)"
_NUMBER = rf"(?:(?:{_DIGITS}|{_SMALL}|one|a|half a)(?:\s{_SCALE})+|{_DIGITS}|{_SMALL}|one)"
_UNIT_OF_TIME = r"(?:second|minute|hour|day|week|month|year|decade|centur(?=y|ies))(?:s|y|ies)?"
_DAY_PART = r"(?:morning|afternoon|evening|night|noon)"
_SEASON = r"(?:spring|summer|autumn|fall|winter)"

# Behind a boundary a look at one letter spares trying all that a date may begin with.
_DATE = re.compile(
    r"\b(?=[\dA-Zaefhlmnostwy])(?:"
    rf"(?:{_WEEKDAY},?\s)?{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?(?![\d:,]*\d)(?:,?\s{_YEAR}\b)?"
    rf"|(?:{_WEEKDAY},?\s)?\d{{1,2}}(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}(?:,?\s{_YEAR})?\b"
    rf"|(?:early\s|late\s|mid-)?{_MONTH},?\s(?:of\s)?{_YEAR}"
    r"|\d{4}-\d{2}-\d{2}"
    rf"|(?:(?:last|next|this|early|late)\s)?{_WEEKDAY}(?:\s{_DAY_PART})?"
    rf"|(?:(?:last|next|this)\s)(?:week|month|year|weekend|decade|century|{_SEASON}|{_MONTH})"
    rf"|(?:yesterday|tomorrow|tonight|today)(?:\s{_DAY_PART})?"
    rf"|(?:{_NUMBER}|several|a few|a)\s{_UNIT_OF_TIME}\s(?:ago|earlier|later)"
    rf"|(?:the\s)?(?:early\s|late\s|mid-)?(?:1[5-9]|20)\d0s"
    rf"|(?:the\s)?{_SEASON}\sof\s{_YEAR}"
    rf"|(?<=in\s){_MONTH}(?=[\s,.;:)]|$)|(?<=since\s){_MONTH}(?=[\s,.;:)]|$)"
    rf"|(?<=until\s){_MONTH}(?=[\s,.;:)]|$)"
    rf"|(?<![$£€.,\d#-])(?:{_YEAR})(?:[-–]\d{{2,4}})?(?![\d,.]*\d|%|-(?:year|vote|page|point)"
    rf"|\s(?:people|voters|miles|votes))"
    r")(?!\w)"
)
_TIME = re.compile(
    r"(?=\d)\b(?:\d{1,2}(?::\d{2})?\s?(?:[ap]\.m\.|[AaPp][Mm]\b)(?:\s(?:E[DS]?T|P[DS]?T|GMT|UTC"
    r"|local time)\b)?"
    r"|\d{1,2}:\d{2}\s(?:GMT|UTC|local time)\b)"
)
_MONEY_PATTERN = re.compile(
    rf"(?:(?:US|A|C|HK|NZ)?[$£€¥₹](?:{_DIGITS})(?:\s?(?:{_SCALE}|m|bn|k|tn)\b)?"
    r"|\b(?i:(?:tens|hundreds|dozens)\sof\s(?:thousands|millions|billions)|thousands|millions"
    r"|billions)\sof\s(?:dollars|euros|pounds)\b"
    rf"|\b{_NUMBER}\s(?:U\.S\.\s)?(?:dollars?|cents?|euros?|pounds|yen|yuan|rupees|rubles"
    rf"|roubles|pesos)\b)"
)
_MONEY = Marked(
    _MONEY_PATTERN,
    (
        *("$", "£", "€", "¥", "₹", "dollar", "cent", "euro", "pounds", "yen", "yuan", "rupees"),
        *("rubles", "roubles", "pesos"),
    ),
)
_PERCENT = Marked(
    re.compile(rf"\b(?:{_NUMBER})(?:\s?%|\s(?:percent|per\scent|percentage\spoints?)\b)"),
    ("%", "cent"),
)
_AGE = re.compile(
    r"(?=\d)(?:(?<=,\s)\d{1,3}(?=,\s)|\b\d{1,3}(?=\s?-year-old\b)|\b\d{1,3}(?=\syears\sold\b))"
)
_COUNT = re.compile(
    rf"(?<![\w$£€.,/-])(?:(?i:(?:tens|hundreds|dozens)\sof\s(?:thousands|millions|billions)"
    rf"|dozens|hundreds|thousands|millions|billions)(?=\sof\s)|{_NUMBER})"
    r"(?=\s(?:of\s(?:the\s|its\s|their\s)?)?[^\W\d_]{3,})(?![\w%]|[.,:/]\d)"
)
_TITLE = re.compile(
    r"[“\"](?P<title>(?:[A-Z][\w'’.&-]*|\d+)(?:\s(?:[A-Z][\w'’.&-]*|of|the|and|in|to|a|for|on"
    r"|\d+)){0,6})[,.!]?[”\"]"
)
_NOT_COUNTED = re.compile(
    rf"\s(?:{_MONTH}|{_UNIT_OF_TIME}\s(?:ago|earlier|later|old)|percent|per\b|of\sthe\s(?:most"
    rf"|biggest|largest|best)|and\b|or\b|to\b|in\b|"
    r"on\b|at\b|who\b|that\b|was\b|is\b|had\b|has\b|by\b|from\b|for\b|with\b|as\b|but\b|said\b"
    r"|day\b|another\b|thing\b|another's\b|can\b|"
    r"EST|EDT|ET|GMT|p\.m|a\.m|way\b|more\b|less\b|such\b)"
)
_PERSON_TITLES = re.compile(
    r"(?:(?:U\.S\.|US|UK|then-|former|the|[A-Z]-)\s?)*(?:(?:President-elect|Vice|Prime|First"
    r"|Foreign|Defen[cs]e|Interior|Attorney|Senator|Sen\.|"
    r"Representative|Rep\.|Gov\.|Governor|President|Minister|Secretary|Chancellor|Chairman"
    r"|Chairwoman|Chair|Speaker|Judge|Justice|"
    r"King|Queen|Prince|Princess|Pope|Mayor|Gen\.|General|Col\.|Colonel|Capt\.|Captain|Lt\."
    r"|Sgt\.|Mr\.?|Mrs\.?|Ms\.?|Dr\.?|Prof\.|"
    r"Professor|Rev\.|Sir|Dame|Lord|Lady|Officer|Detective|Sheriff|Coach|Ambassador"
    r"|Director)\s)+(?=[A-Z])"
)
_BARE_TITLES = frozenset(
    {
        "president",
        "vice president",
        "prime minister",
        "chancellor",
        "senator",
        "secretary",
        "pope",
        "speaker",
        "governor",
        "mayor",
    }
    | {
        "minister",
        "attorney general",
        "king",
        "queen",
        "prince",
        "general",
        "judge",
        "chairman",
        "director",
        "justice",
        "coach",
    }
)
_HAS_OF = re.compile(
    r"\b(?:Department|Ministry|House|University|Bank|Board|Bureau|Office|College|Court|Council"
    r"|Federation|Chamber|Church|Institute)$"
)
_OF_WHAT = re.compile(r"\sof\s(?:the\s)?[A-Z][\w’'-]+(?:\s[A-Z][\w’'-]+)*")
_DEMONYM_END = re.compile(
    r"(?:ish|ese|ian|ean|can|ch|eek|raqi|aeli|stani|shi|mocrat|blican|iss|utch)s?$"
)
_KIND_OF = {
    "person": AnswerKind.WHO,
    "organization": AnswerKind.WHO,
    "location": AnswerKind.WHERE,
    "misc": AnswerKind.WHAT,
}
_MAX_NAME_CHARS = 90


def find_spans(text: str, entity_spans: Iterable[Span]) -> list[AnswerSpan]:
    """All answer-bearing spans of a text, in text order, none overlapping.

    Args:
        text: any text.
        entity_spans: what the tagger found, with offsets into the same text.
    """
    found: list[AnswerSpan] = []
    taken = bytearray(len(text))
    for pattern, kind, sort in _RULES:
        for match in pattern.finditer(text):
            group = "title" if sort == "title" else 0
            if sort == "count" and (
                _NOT_COUNTED.match(text, match.end()) or match[0].lower() == "one"
            ):
                continue
            _take(found, taken, AnswerSpan(*match.span(group), kind, match[group], sort))
    for span in entity_spans:
        start, end = _trim(text, span.start_char, span.end_char)
        if span.kind == "person":
            start = _after_titles(text, start, end)
        if (
            span.kind == "organization"
            and (more := _OF_WHAT.match(text, end))
            and _HAS_OF.search(text[start:end])
        ):
            end = more.end()
        if start < end and end - start <= _MAX_NAME_CHARS and is_name(text, start, end, span.kind):
            _take(
                found,
                taken,
                AnswerSpan(start, end, _KIND_OF[span.kind], text[start:end], span.kind),
            )
    return sorted(found, key=lambda span: span.start)


_RULES: tuple[tuple[re.Pattern[str] | Marked, AnswerKind, str], ...] = (
    (_MONEY, AnswerKind.HOW_MANY, "money"),
    (_PERCENT, AnswerKind.HOW_MANY, "percent"),
    (_TIME, AnswerKind.WHEN, "time"),
    (_DATE, AnswerKind.WHEN, "date"),
    (_AGE, AnswerKind.HOW_MANY, "age"),
    (_COUNT, AnswerKind.HOW_MANY, "count"),
    (_TITLE, AnswerKind.WHAT, "title"),
)


def is_name(text: str, start: int, end: int, kind: str) -> bool:
    """Whether an entity names something by itself: not a nationality before a noun, not a lone letter or number."""
    name = text[start:end]
    if not any(character.isalpha() for character in name) or len(name) < 2:
        return False
    if name.lower().removeprefix("the ") in _BARE_TITLES:
        return False
    if kind == "misc" and " " not in name:
        return not _DEMONYM_END.search(name) and not re.match(r"\s[a-z]", text[end : end + 2])
    return True


def _take(found: list[AnswerSpan], taken: bytearray, span: AnswerSpan) -> None:
    if not any(taken[span.start : span.end]):
        taken[span.start : span.end] = b"\x01" * (span.end - span.start)
        found.append(span)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out blanks, quotes and a possessive at the edges of a name."""
    for ending in ("'s", "’s"):
        if text[start:end].endswith(ending):
            end -= 2
    while start < end and not (text[start].isalnum() or text[start] in "@#"):
        start += 1
    while end > start and not (text[end - 1].isalnum() or text[end - 1] in ".)"):
        end -= 1
    return start, end


def _after_titles(text: str, start: int, end: int) -> int:
    """Where the name begins behind "President", "Sen." and the like."""
    match = _PERSON_TITLES.match(text, start, end)
    return match.end() if match else start


def spans_within(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """Entities that lie in text[start:end], moved to its own offsets."""
    return [
        Span(span.start_char - start, span.end_char - start, span.kind)
        for span in spans
        if start <= span.start_char and span.end_char <= end
    ]
