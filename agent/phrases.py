"""A sentence as the wh-templates see it, and the small questions they ask of its phrases.

Places are numbers of words in the sentence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.clauses import FINITE, NOUNS, Clause, find_clauses
from agent.spans import AnswerSpan
from agent.verbs import SAYING
from agent.word_sets import word_set
from model import Word

_HEDGES = word_set(
    "about around nearly almost roughly approximately some over exactly just only the more "
    "fewer less than as many"
)
_HEDGE_PAIRS = frozenset({("at", "least"), ("at", "most"), ("up", "to")})


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its words and clauses; offsets are into its own text."""

    text: str
    words: tuple[Word, ...]
    clauses: tuple[Clause, ...] = field(default=())

    @classmethod
    def read(cls, text: str, words: Sequence[Word]) -> "Sentence":
        """Find the clauses of a sentence."""
        return cls(text, tuple(words), tuple(find_clauses(words)))

    def piece(self, start: int, end: int) -> str:
        """Text of words start:end as printed."""
        return (
            self.text[self.words[start].start_char : self.words[end - 1].end_char]
            if start < end
            else ""
        )

    def place(self, span: AnswerSpan) -> tuple[int, int] | None:
        """Numbers of the words that a span covers."""
        inside = [
            i
            for i, word in enumerate(self.words)
            if word.start_char < span.end and word.end_char > span.start
        ]
        return (inside[0], inside[-1] + 1) if inside else None

    def low(self, number: int) -> str:
        """A word in lower case; "" outside the sentence."""
        return self.words[number].text.lower() if 0 <= number < len(self.words) else ""


def amount_word(span: AnswerSpan) -> str:
    """The wh-phrase that asks for a count, money or a percentage."""
    return {"count": "How many", "money": "How much money", "percent": "What percentage"}[span.sort]


def is_hedge(text: str) -> bool:
    """Whether the words only make an amount vague: "more than", "at least"."""
    return all(
        word in _HEDGES | {"at", "least", "most", "up", "to"} for word in text.lower().split()
    )


def before_hedges(sentence: Sentence, start: int, floor: int) -> int:
    """Where an amount begins, with "at least", "more than" and the like."""
    first = start
    while first > floor:
        if first - 1 > floor and (sentence.low(first - 2), sentence.low(first - 1)) in _HEDGE_PAIRS:
            first -= 2
        elif sentence.low(first - 1) in _HEDGES:
            first -= 1
        else:
            break
    return first


def is_title(sentence: Sentence, start: int, end: int) -> bool:
    """Whether the words are such as stand before a person's name: "Democratic Senator"."""
    words = sentence.words[start:end]
    return bool(words) and all(
        w.pos in {"JJ", "NN", "NNP", "DT", "VBN"}
        and w.text.lower() not in {"a", "this", "that", "no", "time"}
        for w in words
    )


def which_title(title: str) -> str:
    """Ask "Which Democratic senator"; "" for a bare "Mr." or "President", which says too little."""
    title = re.sub(r"^(?:the|an?)\s", "", title, flags=re.IGNORECASE)
    return "" if title.endswith(".") or " " not in title else f"Which {title}"


def is_modifier(sentence: Sentence, end: int) -> bool:
    """Whether the word after a span is a noun that the span only describes."""
    return end < len(sentence.words) and (
        sentence.words[end].pos in NOUNS | {"POS", "JJ", "CD"}
        or sentence.low(end) in {"-", "'s", "’s"}
    )


def noun_end(sentence: Sentence, start: int) -> int:
    """Where the counted noun phrase ends."""
    stop = here = start
    while (
        here < len(sentence.words)
        and here - start < 5
        and sentence.words[here].pos in NOUNS | {"JJ", "VBN", "VBG", "JJR"}
    ):
        here += 1
        if sentence.words[here - 1].pos in NOUNS:
            stop = here
    return stop


def after_region(sentence: Sentence, end: int, limit: int) -> int:
    """Take ", Calif.," along with the town."""
    if sentence.low(end) == "," and end + 1 < limit and sentence.words[end + 1].pos == "NNP":
        after = end + 2
        return (
            after + (sentence.low(after) == ",")
            if sentence.low(after) in {",", ".", "", "?"} or after >= limit
            else end
        )
    return end


def says_nothing(sentence: Sentence, clause: Clause) -> bool:
    """Whether the clause only names the speaker of words that stand elsewhere."""
    tail = sentence.words[clause.verbs[1] : clause.end]
    return sentence.low(clause.verbs[1] - 1) in SAYING and not any(
        word.pos in FINITE | {"VB", "VBG"} for word in tail
    )


def who_or_whom(sentence: Sentence, first: int) -> str:
    """Say "whom" behind a verb or a preposition, "who" where a clause begins."""
    before = sentence.words[first - 1] if first else None
    is_object = before is not None and (
        before.pos in {"TO", "VB", "VBD", "VBG", "VBN", "VBZ", "VBP"} or before.pos == "IN"
    )
    return (
        "whom"
        if is_object
        and sentence.low(first - 1)
        not in {"that", "because", "while", "if", "as", "after", "before"}
        else "who"
    )
