"""A sentence of the article being learned, taken apart once for all its questions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from kb.dates import DateSpan, dates
from kb.protocols import FloatArray
from kb.quantities import Quantity, quantities
from kb.values import Article, Draft, Question
from kb.words import terms


@dataclass(frozen=True, slots=True)
class Sentence:
    """The sentence of a draft."""

    text: str
    start_char: int  # in the article
    published_at: datetime | None
    vector: FloatArray
    quantities: tuple[Quantity, ...]
    dates: tuple[DateSpan, ...]
    names: tuple[tuple[int, int], ...]  # spans of the names that were found in it
    terms: frozenset[str]

    def place_of(self, question: Question) -> tuple[int, int] | None:
        """Where the question's answer stands in the sentence."""
        if question.answer_start_char is None or question.answer_end_char is None:
            return None
        return (
            question.answer_start_char - self.start_char,
            question.answer_end_char - self.start_char,
        )

    def quantity_at(self, question: Question) -> Quantity | None:
        """The number that the question's answer is, with what follows it in the sentence."""
        if (place := self.place_of(question)) is None:
            return None
        start, end = place
        for number in self.quantities:
            if number.start_char < end and start < number.end_char:
                return number
        return None


def read_sentence(draft: Draft, article: Article, vector: FloatArray) -> Sentence:
    """Take a draft's sentence apart."""
    quote = draft.evidence.quote
    return Sentence(
        text=quote,
        start_char=draft.evidence.start_char,
        published_at=article.published_at,
        vector=vector,
        quantities=quantities(quote),
        dates=dates(quote, article.published_at),
        names=tuple(sorted(place for name in draft.names for place in _places(quote, name))),
        terms=frozenset(terms(quote)),
    )


def _places(quote: str, name: str) -> Iterator[tuple[int, int]]:
    start = quote.find(name)
    while start >= 0:
        yield start, start + len(name)
        start = quote.find(name, start + len(name))
