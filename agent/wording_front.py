"""Word questions whose wh-phrase goes to the front while subject and verb change places: "When did she win"."""

import re

from agent.clauses import FINITE, Clause
from agent.phrases import (
    Sentence,
    after_region,
    amount_word,
    before_hedges,
    is_modifier,
    noun_end,
    says_nothing,
)
from agent.spans import AnswerSpan
from agent.tidy import shorten
from agent.verbs import AUXILIARIES, BE, HAVE, base_form
from agent.word_sets import word_set
from kb import AnswerKind

MAX_TAIL_WORDS = 22

_PLACE_BEFORE = word_set("in at near outside inside across around")
_TIME_BEFORE = word_set("on in at during by since until from")
_KEPT_BEFORE = word_set("by since until")


def ask_front(
    sentence: Sentence, clause: Clause, span: AnswerSpan, place: tuple[int, int]
) -> str | None:
    """The span's phrase goes to the front, subject and verb change places."""
    start, end = place
    in_lead = clause.lead <= start < clause.subject[0]
    if not in_lead and not clause.verbs[1] <= start < clause.end:
        return None
    if says_nothing(sentence, clause):
        return None
    between = (
        sentence.words[clause.lead : start] if in_lead else sentence.words[clause.verbs[1] : start]
    )
    if any(word.pos in FINITE or (in_lead and word.pos in {"VBG", "VBN"}) for word in between):
        return None
    if sentence.low(end) in {"that", "who", "which", "whose"} or sentence.low(
        clause.subject[0]
    ) in {"it", "there", "that", "this"}:
        return None
    moved = _moved_phrase(sentence, clause, span, place)
    if moved is None:
        return None
    front, cut_start, cut_end = moved
    turned = _turn(sentence, clause)
    if turned is None:
        return None
    stop = _first_verb_end(sentence, clause)
    if in_lead:
        return f"{front} {turned} {shorten(sentence.piece(clause.verbs[1], stop), MAX_TAIL_WORDS)}"
    if cut_end > stop or sentence.low(cut_end) in {"and", "or"}:
        return None
    tail = f"{sentence.piece(clause.verbs[1], cut_start)} {sentence.piece(cut_end, stop)}"
    return f"{front} {turned} {shorten(tail, MAX_TAIL_WORDS)}"


def _first_verb_end(sentence: Sentence, clause: Clause) -> int:
    """Where a second verb of the same subject begins: it cannot follow the turned first one."""
    for here in range(clause.verbs[1], clause.end - 1):
        if sentence.words[here].pos == "CC" or sentence.low(here) == "then":
            after = here + 1 + (sentence.words[here + 1].pos == "RB" and here + 2 < clause.end)
            if sentence.words[after].pos in {"VBD", "VBZ", "VBP", "MD"}:
                return here
    return clause.end


def _moved_phrase(
    sentence: Sentence, clause: Clause, span: AnswerSpan, place: tuple[int, int]
) -> tuple[str, int, int] | None:
    """What stands in front, and which words it takes the place of."""
    start, end = place
    before = sentence.low(start - 1)
    follows_verb = start == clause.verbs[1]
    if span.kind is AnswerKind.WHEN:
        if before in {"the", "early", "late"}:
            start, before = start - 1, sentence.low(start - 2)
        if before in {
            "before",
            "after",
            "to",
            "and",
            "between",
            "of",
            "than",
            "as",
            "'s",
            "’s",
            "for",
        } or is_modifier(sentence, end):
            return None
        front = f"{before.capitalize()} when" if before in _KEPT_BEFORE else "When"
        return front, start - (before in _TIME_BEFORE), end
    if span.kind is AnswerKind.WHERE:
        if before == "the":
            start, before = start - 1, sentence.low(start - 2)
        if before in _PLACE_BEFORE and not is_modifier(sentence, end):
            return "Where", start - 1, after_region(sentence, end, clause.end)
        return None
    if span.sort in {"count", "money", "percent"}:
        return _moved_amount(sentence, clause, span, place)
    if span.sort == "object":
        return ("What", start, end) if follows_verb else None
    if span.kind is AnswerKind.WHO and follows_verb and not is_modifier(sentence, end):
        return "Who", start, end
    return None


def _moved_amount(
    sentence: Sentence, clause: Clause, span: AnswerSpan, place: tuple[int, int]
) -> tuple[str, int, int] | None:
    start, end = place
    first = before_hedges(sentence, start, clause.verbs[1])
    end += span.sort == "count" and sentence.low(end) == "of"
    stop = noun_end(sentence, end) if span.sort == "count" else end
    if span.sort == "count" and stop == end:
        return None
    if span.sort != "count" and is_modifier(sentence, end):
        return None
    front = f"{amount_word(span)} {sentence.piece(end, stop)}".strip()
    if first == clause.verbs[1]:
        return front, first, stop
    before = sentence.low(first - 1)
    if sentence.words[first - 1].pos in {"IN", "TO"} and first - 1 == clause.verbs[1]:
        return f"{before.capitalize()} {front[0].lower()}{front[1:]}", first - 1, stop
    return None


def _turn(sentence: Sentence, clause: Clause) -> str | None:
    """Auxiliary, subject, rest of the verb group."""
    first, stop = clause.verbs
    verb = sentence.words[first]
    low = verb.text.lower()
    subject = _as_inner(sentence, *clause.subject)
    adverbs = " ".join(
        word.text for word in sentence.words[clause.subject[1] : first] if word.pos == "RB"
    )
    if low in BE or (
        low in AUXILIARIES and (low not in HAVE | {"do", "does", "did"} or stop - first > 1)
    ):
        if low not in AUXILIARIES:
            return None
        rest = sentence.piece(first + 1, stop)
        rest = re.sub(r"^n['’]t\b", "not", rest)
        return f"{low} {subject} {adverbs} {rest}"
    helper = {"VBD": "did", "VBZ": "does", "VBP": "do"}.get(verb.pos)
    if helper is None:
        return None
    return f"{helper} {subject} {adverbs} {base_form(verb.text, verb.pos)} {sentence.piece(first + 1, stop)}"


def _as_inner(sentence: Sentence, start: int, end: int) -> str:
    """Words moved from the front: a capital that only the sentence's start gave is taken back."""
    text = sentence.piece(start, end)
    word = sentence.words[start]
    is_common = word.pos in {"DT", "PRP", "PRP$", "IN", "CD", "EX", "VBG", "RB", "JJR", "JJS"} or (
        start == 0 and word.pos in {"JJ", "NNS"}
    )
    if word.text == "I" or not is_common or (len(word.text) > 1 and not word.text[1:].islower()):
        return text
    return text[:1].lower() + text[1:]
