"""When two answers are one: numbers in any spelling, names with or without titles, dates from any day.

Pure. Three outcomes, because "not the same" is not yet "different": a rounded figure, a surname that two people
share or a bare weekday proves nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kb.dates import DateSpan, can_agree, dates, must_differ
from kb.names import is_same_name, name_spans, name_words
from kb.quantities import Quantity, is_different, is_same, quantities
from kb.values import AnswerKind
from kb.words import fold, terms


class Agreement(StrEnum):
    """What can be said of two answers to one question."""

    SAME = "same"
    UNSURE = "unsure"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer and when it was published, which relative dates need."""

    text: str
    published_at: datetime | None = None


def same_answer(a: Said, b: Said, kind: AnswerKind) -> bool:
    """Whether both say the same thing."""
    return compare(a, b, kind) is Agreement.SAME


def compare(a: Said, b: Said, kind: AnswerKind) -> Agreement:
    """Compare two answers to one question."""
    if _spelling(a.text) == _spelling(b.text) and (kind is not AnswerKind.WHEN or a == b):
        return Agreement.SAME
    match kind:
        case AnswerKind.HOW_MANY:
            return _compare_numbers(quantities(a.text), quantities(b.text))
        case AnswerKind.WHEN:
            found = dates(a.text, a.published_at), dates(b.text, b.published_at)
            if all(found):
                return _compare_dates(*found)
            same = _spelling(a.text) == _spelling(b.text) and not any(found)
            return Agreement.SAME if same else Agreement.UNSURE
        case AnswerKind.WHO | AnswerKind.WHERE:
            return _compare_names(a.text, b.text)
        case AnswerKind.WHAT:
            return _compare_phrases(a.text, b.text)


def _spelling(text: str) -> str:
    return " ".join(fold(text).split())


def _compare_numbers(a: Sequence[Quantity], b: Sequence[Quantity]) -> Agreement:
    if len(a) != 1 or len(b) != 1:
        pairs_up = len(a) == len(b) and len(a) > 0 and all(map(is_same, a, b))
        return Agreement.SAME if pairs_up else Agreement.UNSURE
    if is_same(a[0], b[0]):
        return Agreement.SAME
    return Agreement.DIFFERENT if is_different(a[0], b[0]) else Agreement.UNSURE


def _compare_dates(a: Sequence[DateSpan], b: Sequence[DateSpan]) -> Agreement:
    if any(can_agree(x, y) for x in a for y in b):
        return Agreement.SAME
    if all(must_differ(x, y) for x in a for y in b):
        return Agreement.DIFFERENT
    return Agreement.UNSURE


def _compare_names(a: str, b: str) -> Agreement:
    if is_same_name(a, b):
        return Agreement.SAME
    share = set(name_words(a)) & set(name_words(b))
    return (
        Agreement.UNSURE if share or not name_words(a) or not name_words(b) else Agreement.DIFFERENT
    )


def _compare_phrases(a: str, b: str) -> Agreement:
    x, y = set(terms(a)), set(terms(b))
    if not x or not y:
        return Agreement.UNSURE
    numbers = quantities(a), quantities(b)
    if all(numbers) and _compare_numbers(*numbers) is not Agreement.SAME:
        return Agreement.DIFFERENT
    if is_same_name(a, b) or len(x & y) >= 0.75 * max(len(x), len(y)):
        return Agreement.SAME
    return Agreement.UNSURE if x & y else Agreement.DIFFERENT


def find_answer(answer: Said, quote: Said, kind: AnswerKind) -> tuple[int, int] | None:
    """Where the quote gives this answer, in characters of the quote; None when it does not."""
    match kind:
        case AnswerKind.HOW_MANY:
            wanted = quantities(answer.text)
            for number in quantities(quote.text):
                if len(wanted) == 1 and is_same(wanted[0], number):
                    return number.start_char, number.end_char
        case AnswerKind.WHEN:
            sought = dates(answer.text, answer.published_at)
            for day in dates(quote.text, quote.published_at):
                if any(can_agree(one, day) for one in sought):
                    return day.start_char, day.end_char
        case AnswerKind.WHO | AnswerKind.WHERE | AnswerKind.WHAT:
            return _find_words(answer.text, quote.text)
    return None


def _find_words(answer: str, quote: str) -> tuple[int, int] | None:
    if wanted := answer.strip():
        whole = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", quote, re.IGNORECASE)
        if whole is not None:
            return whole.span()
    for start, end in name_spans(quote):
        if is_same_name(answer, quote[start:end]):
            return start, end
    return None
