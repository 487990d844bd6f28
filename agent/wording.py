"""Word a question about a span of a sentence, by wh-templates over its clauses.

In order of preference: the span is the subject ("Who won ..."), the span is moved to the front and
the verb turned ("When did she win ..."), the span is asked for in its place ("She won how many
..."). The answer never stands in the question.
"""

import re
from dataclasses import dataclass

from agent.clauses import FINITE, Clause
from agent.phrases import (
    Sentence,
    amount_word,
    is_hedge,
    is_modifier,
    is_title,
    noun_end,
    says_nothing,
    which_title,
)
from agent.spans import AnswerSpan
from agent.tidy import shorten, tidy_question
from agent.verbs import SAYING
from agent.wording_front import ask_front
from agent.wording_in_place import ask_gap, ask_in_place
from kb import AnswerKind

MAX_TAIL_WORDS = 22

GAP_LIKING = 0.6
MIN_PRONOUN_WORDS = 8


@dataclass(frozen=True, slots=True)
class Worded:
    """A question and how well its form is liked: higher is better."""

    text: str
    liking: float
    is_in_place: bool = False


def word_question(sentence: Sentence, span: AnswerSpan) -> Worded | None:
    """The best question whose answer is the span, or None when none can be worded."""
    place = sentence.place(span)
    if place is None:
        return None
    speech = _ask_speaker(sentence, span, place) or _ask_age(sentence, span, place)
    if speech:
        return speech
    home = [
        c
        for c in sentence.clauses
        if c.lead <= place[0] < c.end or c.subject[0] <= place[0] < c.end
    ]
    for clause in sorted(home, key=lambda c: (c.is_pronoun, -c.subject[0])):
        for ask, liking in ((_ask_subject, 3.0), (ask_front, 2.0), (ask_in_place, 1.0)):
            if span.sort == "object" and ask is not ask_front:
                continue
            text = ask(sentence, clause, span, place)
            question = text and tidy_question(text, span.text)
            # "Who would he oppose?" tells nobody what it is about.
            if question and not (clause.is_pronoun and len(question.split()) < MIN_PRONOUN_WORDS):
                return Worded(question, liking - _doubts(sentence, clause), ask is ask_in_place)
    question = ask_gap(sentence, span, place)
    return Worded(question, GAP_LIKING, is_in_place=True) if question else None


def object_spans(sentence: Sentence) -> list[AnswerSpan]:
    """Things done: the noun phrase right behind a clause's verb, for sentences that name little else."""
    found = []
    for clause in sentence.clauses:
        start = clause.verbs[1]
        stop = noun_end(sentence, start + (sentence.low(start) in {"a", "an", "the"}))
        is_followed = stop < len(sentence.words) and (
            sentence.words[stop].pos in FINITE | {"PRP", "WP", "WDT", "CC"}
            or sentence.low(stop) in {"of", "that"}
        )
        if (
            stop - start > 1
            and not is_followed
            and stop <= clause.end
            and not is_modifier(sentence, stop)
        ):
            begin, end = sentence.words[start].start_char, sentence.words[stop - 1].end_char
            found.append(
                AnswerSpan(begin, end, AnswerKind.WHAT, sentence.text[begin:end], "object")
            )
    return found


def _doubts(sentence: Sentence, clause: Clause) -> float:
    """What speaks against asking about a clause: it says not of whom it speaks, it hangs on another, it is quoted."""
    doubts = 1.5 if clause.is_pronoun else 0.0
    doubts += 0.0 if clause.is_main else 0.3
    doubts += (
        0.5
        if sentence.low(clause.subject[0])
        in {"this", "that", "these", "those", "such", "its", "his", "her", "their"}
        else 0.0
    )
    before = sentence.text[: sentence.words[clause.verbs[0]].start_char]
    is_quoted = before.count("“") > before.count("”") or before.count('"') % 2 == 1
    return doubts + (0.8 if is_quoted else 0.0)


def _ask_speaker(sentence: Sentence, span: AnswerSpan, place: tuple[int, int]) -> Worded | None:
    """A quotation at the start with its speaker after it: “...,” said X / “...,” X said."""
    if span.kind is not AnswerKind.WHO:
        return None
    # Without an opening mark the quotation began in the sentence before.
    begun = (
        0
        if re.match(r"[^“\"]*”", sentence.text)
        else 1
        if sentence.text[:1] in {"“", '"'}
        else None
    )
    if begun is None:
        return None
    start, end = place
    closers = [i for i in range(1, start) if sentence.words[i].text in {"”", '"'}]
    if not closers or start - closers[-1] > 6:
        return None
    near = {sentence.low(closers[-1] + 1), sentence.low(end)}
    verb = next((word for word in near if word in SAYING), None)
    quote = sentence.piece(begun, closers[-1]).rstrip(" ,.")
    if verb in {"told", "tells"}:
        hearer = (
            noun_end(sentence, end + 1 + (sentence.low(end + 1) in {"the", "a"}))
            if sentence.low(end) == verb
            else end + 1
        )
        verb = f"{verb} {sentence.piece(end + 1, hearer)}" if hearer > end + 1 else None
    question = (
        tidy_question(f"Who {verb}, <<{shorten(quote, 26)}>>", span.text)
        if verb and quote
        else None
    )
    return Worded(question, 2.2) if question else None


def _ask_age(sentence: Sentence, span: AnswerSpan, place: tuple[int, int]) -> Worded | None:
    """Ask for the age in «Ana Bell, 61, ...»."""
    first = last = place[0] - 1
    if span.sort != "age" or sentence.low(last) != ",":
        return None
    while first > 0 and sentence.words[first - 1].pos == "NNP":
        first -= 1
    question = (
        tidy_question(f"How old is {sentence.piece(first, last)}", span.text)
        if first < last
        else None
    )
    return Worded(question, 2.0) if question else None


def _ask_subject(
    sentence: Sentence, clause: Clause, span: AnswerSpan, place: tuple[int, int]
) -> str | None:
    """The span is, or heads, the subject: the verb follows the wh-word."""
    start, end = place
    if not (clause.subject[0] <= start and end <= clause.subject[1]):
        return None
    quote = _quoted_words(sentence, clause)
    if not quote and says_nothing(sentence, clause):
        return None
    rest = shorten(sentence.piece(clause.verbs[0], clause.end), MAX_TAIL_WORDS) + quote
    before = sentence.piece(clause.subject[0], start)
    after = sentence.piece(end, clause.subject[1])
    if span.sort in {"count", "money", "percent"}:
        if not is_hedge(before):
            return None
        return f"{amount_word(span)} {after.removeprefix('of ') if span.sort == 'count' else after} {rest}"
    if after.startswith(("'s ", "’s ")) and span.sort in {"person", "organization"}:
        return f"{before} whose {after[3:]} {rest}"
    if span.sort in {"person", "organization", "location", "misc", "title"} and not after:
        if not before or before.lower() in {"the", "a", "an"}:
            return f"{'What' if span.sort in {'misc', 'title'} else 'Who'} {rest}"
        if span.sort == "person" and is_title(sentence, clause.subject[0], start):
            return f"{which_title(before) or 'Who'} {rest}"
    return None


def _quoted_words(sentence: Sentence, clause: Clause) -> str:
    """What follows "said:" in quotation marks."""
    if sentence.low(clause.verbs[1] - 1) not in SAYING or sentence.low(clause.end) not in {
        ":",
        ",",
    }:
        return ""
    if sentence.low(clause.end + 1) not in {"“", '"'}:
        return ""
    closers = [
        i
        for i in range(clause.end + 2, len(sentence.words))
        if sentence.words[i].text in {"”", '"'}
    ]
    quote = sentence.piece(clause.end + 2, closers[0] if closers else len(sentence.words))
    return f", <<{shorten(quote.rstrip(' ,.'), 20)}>>" if quote else ""
