"""Ranked facts to an answer with its sources, or to an honest abstention. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from kb.quantities import unify
from kb.retrieve import Asked, Scored, kind_spans
from kb.values import Answer, AnswerKind, Fact, Match, NoAnswer, Question
from kb.words import terms

LIKE_QUESTION = 0.3  # Jaccard index from which a stored question is taken to be the one asked
AROUND = 4  # content words on either side of a span that say what it is
SUPPORTING = 3  # facts given with an answer


def match(asked: Asked, one: Scored, fact: Fact) -> Match:
    """A fact beside a question, with the span that answers where one can be named."""
    span = answer_span(asked, one, fact.answers)
    if span is None:
        return Match(fact, one.scores, None, None, None)
    start, end = span
    offset = fact.evidence.start_char
    return Match(fact, one.scores, fact.evidence.quote[start:end], offset + start, offset + end)


def answer_span(asked: Asked, one: Scored, stored: Sequence[Question]) -> tuple[int, int] | None:
    """Where the quote answers, in its own characters; None when no span of the kind stands out.

    A reader's span comes first, then the answer of a stored question like the one asked, else the
    fitting span that stands nearest to the question's words.
    """
    if one.span is not None:
        return one.span
    choices: list[tuple[float, int, int]] = []
    for question in stored:
        likeness = _likeness(asked.terms, frozenset(terms(question.text)))
        span = _inside(question, one)
        if question.kind is asked.question.kind and span and likeness >= LIKE_QUESTION:
            choices.append((1.0 + likeness, *span))
    if asked.question.kind is not AnswerKind.WHAT:
        choices.extend((_nearness(asked, one, span), *span) for span in kind_spans(asked, one.fact))
    if not choices:
        return None
    _, start, end = max(choices, key=lambda choice: (choice[0], -choice[1]))
    return start, end


def _nearness(asked: Asked, one: Scored, span: tuple[int, int]) -> float:
    """Share of the question's words among the few that stand around a span."""
    before = terms(one.fact.quote[: span[0]])[-AROUND:]
    after = terms(one.fact.quote[span[1] :])[:AROUND]
    nearness = len(asked.terms & {*before, *after}) / max(len(asked.terms), 1)
    counted = {word for n in one.fact.quantities if n.start_char == span[0] for word in n.counted}
    return nearness + (1.0 if counted & unify(asked.terms) else 0.0)


def _inside(question: Question, one: Scored) -> tuple[int, int] | None:
    if question.answer_start_char is None or question.answer_end_char is None:
        return None
    start = question.answer_start_char - one.fact.start_char
    end = question.answer_end_char - one.fact.start_char
    return (start, end) if 0 <= start < end <= len(one.fact.quote) else None


def _likeness(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a and b else 0.0


def reply(
    question: Question,
    matches: Sequence[Match],
    *,
    rivals: Callable[[Match], Sequence[Match]],
    threshold: float,
    as_of: datetime | None,
) -> Answer | NoAnswer:
    """Answer from the best match when it is likely enough, newer word first; abstain otherwise."""
    probability = matches[0].scores.probability if matches else 0.0
    if not matches or probability < threshold:
        return NoAnswer(question.text, probability, tuple(matches), as_of)
    best, older = _newest_word(matches[0], rivals(matches[0]))
    said = best.answer or best.fact.evidence.quote
    shown = {best.fact.id} | {one.fact.id for one in older}
    likely = [m for m in matches if m.scores.probability >= threshold and m.fact.id not in shown]
    supporting = [one for one in likely if one.answer == best.answer or best.answer is None]
    facts = (best, *supporting[: SUPPORTING - 1])
    shown |= {one.fact.id for one in facts}
    return Answer(
        question=question.text,
        probability=probability,
        answer=said,
        facts=facts,
        conflicts=tuple(older),
        nearest=tuple(one for one in matches if one.fact.id not in shown),
        as_of=as_of,
    )


def _newest_word(best: Match, rivals: Sequence[Match]) -> tuple[Match, list[Match]]:
    """The newest of the facts in conflict, and the others, newest first."""
    ordered = sorted([best, *rivals], key=_dated, reverse=True)
    # A fact nobody has spoken against since is the newest word even when dates are missing or equal.
    standing = next((one for one in ordered if one.fact.superseded_by is None), ordered[0])
    return standing, [one for one in ordered if one is not standing]


def _dated(one: Match) -> tuple[float, float, str]:
    known_at = one.fact.valid_from or one.fact.recorded_at
    return known_at.timestamp(), one.fact.recorded_at.timestamp(), one.fact.id


def in_order(scored: Sequence[Scored], facts: Mapping[str, Fact], asked: Asked) -> list[Match]:
    """Matches in the order of their scores; facts not shown at that date are left out."""
    return [match(asked, one, facts[one.fact.id]) for one in scored if one.fact.id in facts]
