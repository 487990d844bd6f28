"""The questions that templates ask of many articles, as exercises for an asker."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from agent.questions import draft_facts
from agent.replay import article_of
from agent.topics import find_topics
from model import Tagger

_ANY_TIME = datetime(2023, 1, 1, tzinfo=UTC)
LONGEST_SENTENCE = 400
READ_CHARS = 8000
"""Of an article, so much is read."""

Exercise = tuple[str, int, int, str]
"""A sentence, the first character of an answer in it, the one after its last, and the question."""


def grammar_questions(rows: Iterable[Mapping[str, Any]], tagger: Tagger) -> Iterator[Exercise]:
    """Raise the questions of articles; each span of each sentence is asked about once.

    Args:
        rows: with `url`, `title` and `body`.
        tagger: finds names and parts of speech.
    """
    seen: set[tuple[str, int]] = set()
    for row in rows:
        body = str(row["body"]).strip()[:READ_CHARS]
        if not body:
            continue
        article = article_of({**row, "body": body, "published": None}, fetched_at=_ANY_TIME)
        for draft in draft_facts(article, find_topics(article, tagger)):
            sentence, first = draft.evidence.quote, draft.evidence.start_char
            for question in draft.questions:
                start, end = question.answer_start_char, question.answer_end_char
                if start is None or end is None or (sentence, start - first) in seen:
                    continue
                if "\n" in sentence or len(sentence) > LONGEST_SENTENCE:
                    continue
                seen.add((sentence, start - first))
                yield sentence, start - first, end - first, question.text
