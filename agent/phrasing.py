"""An answer in a sentence or two with citation marks, worded by a writer, and shown only if it says nothing new.

The prompt, and the check of what the writer made of it. The writer is handed in: no model here.
"""

import logging
import re
from collections.abc import Callable, Sequence

from agent.sentences import split_sentences
from kb import Answer, Fact, Match, NoAnswer, Passage, changed_qualifier, holds_words, unsupported

logger = logging.getLogger(__name__)

Write = Callable[[str], str]
"""Continues a prompt with a line of text; empty when it can write none."""

MOST_SENTENCES = 2

_INSTRUCTION = (
    "Answer the question in one or two sentences. Use only words of the facts. After each sentence give"
    " the number of its fact in square brackets, such as [1]."
)
_MARK = re.compile(r"\s?\[([0-9]{1,3})\]")
_LATE_MARKS = re.compile(r"([.!?][\"”’)]?)((?:\s?\[[0-9]{1,3}\])+)")
_IS_FINISHED = re.compile(r"(?:[.!?][\"”’)]?|\])$")


def phrase_answer(reply: Answer | NoAnswer, write: Write) -> str | None:
    """The answer as the writer phrases it; None when nothing is known, or when its phrase does not pass."""
    if isinstance(reply, NoAnswer):
        return None
    phrase = first_sentences(write(prompt_for(reply)))
    if (reason := fault(phrase, reply)) is not None:
        logger.debug("phrase refused", extra={"reason": reason})
        return None
    return phrase


# ---------------------------------------------------------------------------------------------- the prompt
def prompt_for(reply: Answer) -> str:
    """What the writer is to continue: plain text, so that base models understand it as chat models do."""
    facts = "\n".join(
        f"[{number}] {_one_line(match.fact.evidence.quote)} ({_source(match.fact)})"
        for number, match in enumerate(reply.facts, start=1)
    )
    return (
        f"{_INSTRUCTION}\n\nFacts:\n{facts}\n\nQuestion: {_one_line(reply.question)}\n"
        f"Short answer: {_one_line(reply.answer)}\nAnswer in full:"
    )


def _source(fact: Fact) -> str:
    published_at = fact.article.published_at
    day = published_at.date().isoformat() if published_at else "undated"
    return f"{_one_line(fact.article.publisher)}, {day}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


# ----------------------------------------------------------------------------------------------- the check
def first_sentences(written: str) -> str:
    """What is kept of a continuation: its first two sentences on one line, marks before the full stop.

    A second one that was cut short is left out.
    """
    text = _LATE_MARKS.sub(_marks_first, _one_line(written))
    sentences = [text[start:end] for start, end in split_sentences(text)[:MOST_SENTENCES]]
    if len(sentences) > 1 and not _IS_FINISHED.search(sentences[-1]):
        sentences.pop()
    return " ".join(sentences)


def _marks_first(match: re.Match[str]) -> str:
    return f" {match[2].strip()}{match[1]}"


def fault(phrase: str, reply: Answer) -> str | None:
    """Why a phrase may not be shown; None: it may.

    It must hold the short answer, more than that, and marks of facts. Every word, number, date and name of it must
    stand in the facts that it cites, whose span the answer is, or in the question; "not", "may" and the like must stand
    in it just where those facts have them.
    """
    if not phrase:
        return "nothing written"
    if _IS_FINISHED.search(phrase) is None:
        return "unfinished"
    numbers = {int(mark) for mark in _MARK.findall(phrase)}
    if not numbers:
        return "no mark"
    if unknown := [number for number in sorted(numbers) if not 1 <= number <= len(reply.facts)]:
        return f"no fact [{unknown[0]}]"
    said = _MARK.sub("", phrase)
    if not holds_words(said, reply.answer):
        return "without the short answer"
    if holds_words(reply.answer, said):
        return "nothing but the short answer"
    return _new_in(said, reply, [reply.facts[number - 1] for number in sorted(numbers)])


def _new_in(said: str, reply: Answer, cited: Sequence[Match]) -> str | None:
    quotes = [
        Passage(match.fact.evidence.quote, match.fact.article.published_at) for match in cited
    ]
    part = unsupported(said, [*quotes, Passage(reply.question)])
    if part is not None:
        return f"not in the facts: {part}"
    word = changed_qualifier(said, quotes)
    return None if word is None else f"added or left out: {word}"
