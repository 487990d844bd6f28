"""A sentence of the article being learned, taken apart once for all its questions."""

from dataclasses import dataclass
from datetime import datetime

from kb.dates import DateSpan, dates
from kb.protocols import FloatArray
from kb.quantities import Quantity, quantities
from kb.values import Article, Draft, Question


@dataclass(frozen=True, slots=True)
class Sentence:
    """The sentence of a draft."""

    text: str
    start_char: int  # in the article
    published_at: datetime | None
    vector: FloatArray
    quantities: tuple[Quantity, ...]
    dates: tuple[DateSpan, ...]

    def quantity_at(self, question: Question) -> Quantity | None:
        """The number that the question's answer is, with what follows it in the sentence."""
        if question.answer_start_char is None or question.answer_end_char is None:
            return None
        start = question.answer_start_char - self.start_char
        end = question.answer_end_char - self.start_char
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
    )
