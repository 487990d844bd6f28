"""Whether a text says only what given passages say: by its words, numbers, dates and names. Pure.

It does not read who did what to whom: the words of a passage in another order count as said.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from kb.dates import DateSpan, dates
from kb.names import name_spans
from kb.quantities import Quantity, quantities
from kb.words import plain, stem, words

# Without titles, and without what turns a meaning: "not", "may", "after", "against", "about", "more".
_FREE_WORDS = """
    a an the and of in on at to by for from with as that this these those which who whom whose where when it its he she
    they him her them his their there is are was were be been being has have had do does did
"""
_FREE = frozenset(_FREE_WORDS.split())
_FREE_SIGNS = frozenset(".,;:!?'’‘\"“”()-–—…")
# What makes the contrary of a statement, or less than one: it may neither come nor go.
_QUALIFIER_WORDS = """
    not no never nor neither none nobody nothing nowhere without may might could can would should will must if unless
    almost nearly barely hardly only allegedly reportedly expected likely unlikely
"""
_QUALIFIERS = frozenset(_QUALIFIER_WORDS.split())
_CONTRACTED = re.compile(r"\b(?:(can)(?:not|['’]t)|(wo)n['’]t)\b|n['’]t\b", re.IGNORECASE)
_MONTH_OF_MAY = re.compile(r"\bMay\b")
# Scores, times of day, numbers below zero: no quantities, and nothing without their signs.
_JOINED_DIGITS = re.compile(r"(?<!\S)-\d+|\d+(?:[-:/]\d+)+")
_DASH_IN_DIGITS = re.compile(r"(?<=\d)–(?=\d)")
_BEGINS_SENTENCE = re.compile(r"(?:^|[.!?…:][\"”’)]*\s)[\s\"“‘'(]*$")
BEFORE_CHARS = 8  # before a name, among which the sentence before it ends


@dataclass(frozen=True, slots=True)
class Passage:
    """Something said, and when it was published: only with that is "Tuesday" a day."""

    text: str
    published_at: datetime | None = None


def unsupported(text: str, passages: Sequence[Passage]) -> str | None:
    """The first part of a text that no passage has: a sign, a date, a number, a name or a word; None: all is said.

    Dates compare by the days that they mean, numbers by value, unit and what they count, words by their stems. A name
    must stand in one passage, words of it left out or not; a coarser date may stand for an exact one.
    """
    plain_passages = [Passage(_plain_dashes(it.text), it.published_at) for it in passages]
    return next(_unsupported(_plain_dashes(text), plain_passages), None)


def changed_qualifier(text: str, passages: Sequence[Passage]) -> str | None:
    """A word such as "not", "may" or "only" that stands in the text or in the passages, but not in both."""
    said = _qualifiers(" ".join(passage.text for passage in passages))
    return min(_qualifiers(text) ^ said, default=None)


def holds_words(text: str, part: str) -> bool:
    """Whether a text has the words of a part in a row, whatever their case and punctuation."""
    return bool(plain(part)) and f" {plain(part)} " in f" {plain(text)} "


def _unsupported(text: str, passages: Sequence[Passage]) -> Iterator[str]:
    said = " ".join(passage.text for passage in passages)
    yield from _new_signs(text, said)
    yield from _new_dates(text, passages)
    yield from _new_numbers(text, passages)
    yield from _new_names(text, passages)
    stems = {stem(word) for word in _spoken(said)}
    without_numbers = _without(text, quantities(text))
    yield from (it for it in _spoken(without_numbers) if it not in _FREE and stem(it) not in stems)


def _new_signs(text: str, said: str) -> Iterator[str]:
    signs = _FREE_SIGNS | frozenset(said)
    yield from (it for it in text if not (it.isalnum() or it.isspace() or it in signs))
    joined = frozenset(_JOINED_DIGITS.findall(said))
    yield from (it for it in _JOINED_DIGITS.findall(text) if it not in joined)


def _new_dates(text: str, passages: Sequence[Passage]) -> Iterator[str]:
    said_in = [(dates(text, it.published_at), dates(it.text, it.published_at)) for it in passages]
    for place, span in enumerate(dates(text, None)):
        if not any(_is_day_of(ours[place], one) for ours, said in said_in for one in said):
            yield span.words


def _is_day_of(ours: DateSpan, said: DateSpan) -> bool:
    return ours.words == said.words or any(
        first <= day and last_day <= last
        for first, last in ours.meanings
        for day, last_day in said.meanings
    )


def _new_numbers(text: str, passages: Sequence[Passage]) -> Iterator[str]:
    said = [one for it in passages for one in quantities(_without(it.text, dates(it.text, None)))]
    dateless = _without(text, dates(text, None))
    for number in quantities(dateless):
        if not any(_is_that_number(number, one) for one in said):
            yield dateless[number.start_char : number.end_char]


def _is_that_number(ours: Quantity, said: Quantity) -> bool:
    if (ours.value, ours.unit, ours.is_rough) != (said.value, said.unit, said.is_rough):
        return False
    return not (ours.counted and said.counted) or bool(set(ours.counted) & set(said.counted))


def _new_names(text: str, passages: Sequence[Passage]) -> Iterator[str]:
    said = [words(it.text[start:end]) for it in passages for start, end in name_spans(it.text)]
    named = {word for name in said for word in name}
    for start, end in name_spans(text):
        name = words(text[start:end])
        is_first = _BEGINS_SENTENCE.search(text[max(0, start - BEFORE_CHARS) : start])
        # A word that opens a sentence has its capital for that, unless it is part of a name elsewhere.
        if is_first and name and name[0] not in named:
            name = name[1:]
        if name and not any(_is_shorter(name, one) for one in said):
            yield text[start:end]


def _is_shorter(name: Sequence[str], said: Sequence[str]) -> bool:
    """Whether a name is another, or that with words left out: "Mayor Keller" of "Mayor Anna Keller"."""
    rest = iter(said)
    return all(word in rest for word in name)


def _qualifiers(text: str) -> frozenset[str]:
    return _QUALIFIERS.intersection(_spoken(_MONTH_OF_MAY.sub(" ", text)))


def _spoken(text: str) -> list[str]:
    """Folded words, with "n't" written out."""
    return words(_CONTRACTED.sub(_written_out, text))


def _written_out(match: re.Match[str]) -> str:
    return "can not" if match[1] else "will not" if match[2] else " not"


def _plain_dashes(text: str) -> str:
    return _DASH_IN_DIGITS.sub("-", text)


def _without(text: str, spans: Iterable[DateSpan | Quantity]) -> str:
    """The text with a stop in the place of each span: nothing is counted across it."""
    pieces, here = [], 0
    for span in spans:
        pieces.append(text[here : span.start_char])
        here = span.end_char
    return " ; ".join([*pieces, text[here:]])
