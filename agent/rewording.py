"""Questions in the words of an asker in place of those of templates, where it finds some that pass.

What is asked about stays: the span, its kind and its answer come from the templates' question. Words that ask for
another kind of answer, "what" of a person, are not taken.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from agent.questions import parse_question
from kb import AnswerKind, Draft, Question


class Proposed(Protocol):
    """What an asker wrote about one span."""

    @property
    def question(self) -> str:
        """The words."""
        ...

    @property
    def fault(self) -> str | None:
        """Why they are no question; None: they are."""
        ...


class QuestionWriter(Protocol):
    """Writes questions and tries them."""

    def propose(self, spans: Sequence[tuple[str, int, int]]) -> Sequence[Proposed]:
        """One proposal for each sentence with the place of the answer in it, in order."""
        ...


def reword_questions(drafts: Sequence[Draft], writer: QuestionWriter) -> tuple[Draft, ...]:
    """The drafts with those questions reworded that the writer has better words for; the others as they are."""
    spans: dict[tuple[str, int, int], None] = {}
    for draft in drafts:
        spans.update((place, None) for q in draft.questions if (place := _place(draft, q)))
    proposed = dict(zip(spans, writer.propose(list(spans)), strict=True))
    words = {place: one.question for place, one in proposed.items() if one.fault is None}
    return tuple(_reworded(draft, words) for draft in drafts)


def _reworded(draft: Draft, words: dict[tuple[str, int, int], str]) -> Draft:
    questions: dict[str, Question] = {}
    for question in draft.questions:
        place = _place(draft, question)
        text = words.get(place, question.text) if place else question.text
        text = text if asks_for(text, question.kind) else question.text
        # Two spans may be asked about in the same words: then the first alone is.
        questions.setdefault(text, replace(question, text=text))
    return replace(draft, questions=tuple(questions.values()))


def asks_for(text: str, kind: AnswerKind) -> bool:
    """Whether a question asks for this kind of answer, by its wh-word."""
    return parse_question(text).kind is kind


def _place(draft: Draft, question: Question) -> tuple[str, int, int] | None:
    start, end = question.answer_start_char, question.answer_end_char
    if start is None or end is None:
        return None
    first = draft.evidence.start_char
    return draft.evidence.quote, start - first, end - first
