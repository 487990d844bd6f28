"""Raise questions: one draft for every sentence of an article, and the kind of a question that a user asks.

A draft is kept when the sentence is worth keeping and at least one question can be worded about a span of it. Nothing
is asked of the store here.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence

from agent.phrases import Sentence
from agent.sentences import split_sentences
from agent.spans import AnswerSpan, find_spans, spans_within
from agent.topics import Mentions
from agent.wording import Worded, object_spans, word_question
from agent.worth import dateline_end, skip_reason
from kb import AnswerKind, Article, Draft, Evidence, Question
from model import Span, Word

MAX_QUESTIONS = 4
MAX_OF_A_KIND = 2
ENOUGH = 2
MIN_LIKING = 1.0

_SORT_WORTH = {
    "person": 1.0,
    "organization": 0.9,
    "count": 1.2,
    "money": 1.2,
    "percent": 1.2,
    "date": 0.8,
    "time": 0.6,
    "location": 0.8,
    "misc": 0.5,
    "title": 0.7,
    "object": 0.3,
    "age": 0.0,
}
_KIND_WORDS = (
    (
        r"how (?:many|much|old|long|often|far|tall|big|large|high|fast|deep|heavy)\b|how (?:few"
        r"|frequently)\b",
        AnswerKind.HOW_MANY,
    ),
    (
        r"(?:what|which) (?:percent|percentage|number|share|proportion|amount|age|price|score)\b",
        AnswerKind.HOW_MANY,
    ),
    (
        r"when\b|(?:what|which) (?:year|month|day|date|time|week|decade|century|season"
        r"|weekday)\b|how (?:soon|recently)\b",
        AnswerKind.WHEN,
    ),
    (
        r"where\b|(?:what|which) (?:\w+ )?(?:country|city|state|town|place|region|continent"
        r"|county|province|island|village|nation|"
        r"location|street|river|airport|countries|cities|states)\b",
        AnswerKind.WHERE,
    ),
    (
        r"who\b|whom\b|whose\b|who['’]s\b|(?:what|which) (?:\w+ )?(?:person|man|woman|actor"
        r"|actress|singer|player|politician|president|minister|"
        r"senator|governor|company|team|club|party|band|organi[sz]ation|agency|group|firm|bank"
        r"|airline|university|author|artist|"
        r"athlete|celebrity|director|ceo|leader|king|queen|newspaper|network|studio|retailer"
        r"|automaker)\b",
        AnswerKind.WHO,
    ),
    (r"what\b|which\b|what['’]s\b|how\b|why\b", AnswerKind.WHAT),
)
_KINDS = tuple(
    (re.compile(rf"\b(?:{pattern})", re.IGNORECASE), kind) for pattern, kind in _KIND_WORDS
)


def draft_facts(article: Article, mentions: Mentions) -> tuple[Draft, ...]:
    """One draft a sentence, in text order, kept with its questions or with the reason why not."""
    drafts = []
    words = mentions.words
    spans = sorted(mentions.spans, key=lambda span: span.start_char)
    place = span = 0
    for start, end in split_sentences(article.text):
        place = bisect_left(words, start, lo=place, key=lambda word: word.start_char)
        stop = place
        while stop < len(words) and words[stop].end_char <= end:
            stop += 1
        span = bisect_left(spans, start, lo=span, key=lambda found: found.start_char)
        last = bisect_left(spans, end, lo=span, key=lambda found: found.start_char)
        entities = spans_within(spans[span:last], start, end)
        drafts.append(_draft(article, (start, end), words[place:stop], entities))
        place = stop
    return tuple(drafts)


def _draft(
    article: Article, place: tuple[int, int], words: Sequence[Word], entities: Sequence[Span]
) -> Draft:
    """Of one sentence; offsets of its words are into the article, those of its entities into the sentence."""
    start, end = place
    text = article.text[start:end]
    evidence = Evidence(article.id, start, end, text)
    names = tuple(dict.fromkeys(text[span.start_char : span.end_char] for span in entities))
    skipped = dateline_end(text)
    body, begin = text[skipped:], start + skipped
    words = [word for word in words if word.start_char >= begin]
    reason = skip_reason(text, words)
    if reason:
        return Draft(evidence, (), names, reason)
    own = [Word(w.start_char - begin, w.end_char - begin, w.text, w.pos) for w in words]
    sentence = Sentence.read(body, own)
    spans = find_spans(body, spans_within(entities, skipped, len(text)))
    if not spans and not object_spans(sentence):
        return Draft(evidence, (), names, "no answer-bearing span")
    questions = _best_questions(sentence, spans, begin)
    return Draft(evidence, questions, names, None if questions else "no question could be worded")


def _best_questions(
    sentence: Sentence, spans: Sequence[AnswerSpan], offset: int
) -> tuple[Question, ...]:
    kept: list[Question] = []
    for span, question in liked_questions(sentence, spans):
        repeated = sum(known.kind is span.kind for known in kept) >= MAX_OF_A_KIND
        # A question with its wh-word left in place reads poorly: only where there is little else.
        if question.is_in_place and len(kept) >= ENOUGH:
            continue
        if question.is_in_place and kept and kept[-1].kind is span.kind:
            continue
        if (
            repeated
            or worth_of(span, question) < MIN_LIKING
            or any(known.text == question.text for known in kept)
        ):
            continue
        kept.append(
            Question(
                question.text,
                _kind_asked(span, question),
                span.text,
                offset + span.start,
                offset + span.end,
            )
        )
    return tuple(kept[:MAX_QUESTIONS])


def liked_questions(
    sentence: Sentence, spans: Sequence[AnswerSpan]
) -> list[tuple[AnswerSpan, Worded]]:
    """Spans that a question can be worded about, with it, the best first; things done where little else is named."""
    worded = [(span, question) for span in spans if (question := word_question(sentence, span))]
    if len(worded) < ENOUGH:
        worded += [
            (span, question)
            for span in object_spans(sentence)
            if (question := word_question(sentence, span))
        ]
    return sorted(worded, key=lambda pair: (-worth_of(*pair), pair[0].start))


def _kind_asked(span: AnswerSpan, question: Worded) -> AnswerKind:
    """A place that acts is asked for by "who"."""
    if span.kind is AnswerKind.WHERE and question.text.startswith("Who "):
        return AnswerKind.WHO
    return span.kind


def worth_of(span: AnswerSpan, question: Worded) -> float:
    """How much it is liked to ask so about such a span."""
    return _SORT_WORTH[span.sort] + question.liking


def parse_question(text: str) -> Question:
    """A user's question with the kind of answer it asks for; "what" where its words do not say."""
    found = [
        (match.start(), order, kind)
        for order, (pattern, kind) in enumerate(_KINDS)
        if (match := pattern.search(text))
    ]
    # The first wh-word decides; of two readings of it the more particular one, listed first.
    kind = min(found)[2] if found else AnswerKind.WHAT
    return Question(" ".join(text.split()), kind)
