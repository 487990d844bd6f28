"""Word questions whose wh-word stands where the answer stood: "She won how many ..."."""

from agent.clauses import NOUNS, Clause
from agent.phrases import (
    Sentence,
    amount_word,
    before_hedges,
    is_modifier,
    is_title,
    says_nothing,
    which_title,
    who_or_whom,
)
from agent.spans import AnswerSpan
from agent.tidy import shorten, tidy_question
from kb import AnswerKind

MAX_TAIL_WORDS = 22

_GAP_WORDS = {
    "person": "whom",
    "organization": "which organization",
    "location": "which place",
    "misc": "what",
    "title": "what",
    "date": "when",
    "time": "when",
    "count": "how many",
    "money": "how much money",
    "percent": "what percentage",
}


def ask_in_place(
    sentence: Sentence, clause: Clause, span: AnswerSpan, place: tuple[int, int]
) -> str | None:
    """The wh-word stands where the answer stood."""
    start, end = place
    if not clause.subject[0] <= start < clause.end or clause.verbs[0] <= start < clause.verbs[1]:
        return None
    if "," in {
        word.text for word in sentence.words[clause.subject[0] : min(start, clause.verbs[0])]
    } or says_nothing(sentence, clause):
        return None
    if span.sort == "age" or (span.kind is AnswerKind.WHEN and is_modifier(sentence, end)):
        return None
    wh = _word_in_place(sentence, clause, span, place)
    if wh is None:
        return None
    begin, word = wh
    head = sentence.piece(clause.subject[0], begin)
    stop = end
    if word.endswith(("whose", "'s")) or (span.sort == "count" and sentence.low(end) == "of"):
        stop = end + 1
    tail = sentence.piece(stop, clause.end)
    return f"{head} {word} {shorten(tail, max(6, MAX_TAIL_WORDS - len(head.split())))}"


def _word_in_place(
    sentence: Sentence, clause: Clause, span: AnswerSpan, place: tuple[int, int]
) -> tuple[int, str] | None:
    start, end = place
    before, after = sentence.low(start - 1), sentence.low(end)
    if (
        before in {",", "—", "–", "(", ":"}
        or sentence.words[start - 1].pos in {"CD", "POS"}
        or "and" in {before, after}
    ):
        return None
    title = start
    while (
        span.sort == "person" and title > clause.subject[0] and is_title(sentence, title - 1, start)
    ):
        title -= 1
    if title < start and (
        title == 0
        or sentence.words[title - 1].pos in NOUNS | {"POS", "CC", "PRP$"}
        or sentence.low(title) == "and"
    ):
        return None
    if after in {"'s", "’s"} and span.kind in {AnswerKind.WHO, AnswerKind.WHERE}:
        if title < start:
            which = which_title(sentence.piece(title, start))
            return title, f"which{which[5:]}'s" if which else "whose"
        return start - (before == "the"), "whose"
    if span.sort in {"count", "money", "percent"}:
        if span.sort == "money" and is_modifier(sentence, end):
            return None
        return before_hedges(sentence, start, clause.subject[0]), amount_word(span).lower()
    if is_modifier(sentence, end):
        return None
    first = start - (before == "the")
    if title < start:
        which = which_title(sentence.piece(title, start))
        return title, which.lower()[:5] + which[5:] if which else "whom"
    if (
        sentence.words[first - 1].pos in {"JJ", "NN", "NNS", "NNP"}
        and first > clause.verbs[1]
        and span.kind is not AnswerKind.WHEN
    ):
        return None
    if span.kind is AnswerKind.WHEN:
        if "between" in {sentence.low(k) for k in range(start - 4, start)}:
            return None
        return first - (before in {"on", "in", "at"}), "when"
    return first, who_or_whom(sentence, first) if span.sort == "person" else _GAP_WORDS[span.sort]


def ask_gap(sentence: Sentence, span: AnswerSpan, place: tuple[int, int]) -> str | None:
    """Without a clause we can read: the words around the span, the wh-word in its place."""
    start, end = place
    if span.sort in {"age", "object"} or (span.sort != "count" and is_modifier(sentence, end)):
        return None
    wh = _GAP_WORDS[span.sort]
    first = before_hedges(sentence, start, 0) if span.kind is AnswerKind.HOW_MANY else start
    first -= sentence.low(first - 1) == "the"
    if not _may_stand_alone(sentence, span, first, end):
        return None
    if wh == "when" and sentence.low(first - 1) in {"on", "in", "at"}:
        first -= 1
    if wh == "whom":
        wh = who_or_whom(sentence, first)
    begin = max(
        (i + 1 for i in range(first - 16) if sentence.words[i].text in {",", ";", ":", "—", "–"}),
        default=0,
    )
    head = sentence.piece(begin, first) if first - begin <= 20 else ""
    tail = shorten(
        sentence.piece(end, len(sentence.words)), max(8, MAX_TAIL_WORDS - len(head.split()))
    )
    return tidy_question(f"{head} {wh} {tail}", span.text)


def _may_stand_alone(sentence: Sentence, span: AnswerSpan, first: int, end: int) -> bool:
    """Whether a bare wh-word may take the place of words first:end, with nothing left over that described the name."""
    before, after = sentence.words[first - 1] if first else None, sentence.low(end)
    if sentence.low(first - 1) in {"(", "between"} or (
        first == 0 and after in {"and", "or", ",", "but"}
    ):
        return False
    if span.kind in {AnswerKind.WHEN, AnswerKind.HOW_MANY} or before is None:
        return True
    return before.pos not in NOUNS | {"JJ", "JJR", "JJS", "VBG", "POS", "CD", "PRP$", "DT"}
