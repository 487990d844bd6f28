"""Passages: longer texts cut at sentence ends, and the sentences worth keeping of a news text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model.texts import Row, fill, split_sentences, text_key

MIN_SENTENCE_CHARS = 30
MIN_PASSAGE_CHARS = 300
MAX_PASSAGE_CHARS = 900

_ENDS = '.!?"”’)'


def news_sentences(row: Row) -> list[str]:
    """Sentences of an article; bylines, captions and "read more" are left out."""
    return [
        sentence
        for sentence in split_sentences(row.get("body") or row.get("text") or "")
        # Shorter lines and lines without a full stop are no prose.
        if len(sentence) >= MIN_SENTENCE_CHARS and sentence[-1] in _ENDS
    ]


def whole_sentences(text: str) -> list[str]:
    """Sentences of a text that may begin and end inside one; a torn first or last is dropped."""
    sentences = split_sentences(text)
    if sentences and sentences[0][0].islower():
        del sentences[0]
    if sentences and sentences[-1][-1] not in _ENDS:
        del sentences[-1]
    return sentences


def all_passages(sentences: Sequence[str]) -> Iterator[str]:
    """Consecutive passages; their lengths vary between the two bounds, by hash."""
    rest = list(sentences)
    while rest:
        span = MAX_PASSAGE_CHARS - MIN_PASSAGE_CHARS
        chars = MIN_PASSAGE_CHARS + text_key(rest[0]) % span
        passage, count = fill(rest, chars)
        if len(passage) < MIN_PASSAGE_CHARS:
            # A long sentence did not fit: the bounds allow one more than was drawn.
            passage, count = fill(rest[: count + 1], MAX_PASSAGE_CHARS)
        if len(passage) >= MIN_PASSAGE_CHARS:
            yield passage
        del rest[: max(count, 1)]


def first_passages(sentences: Sequence[str], count: int = 1) -> list[str]:
    """The first passages of an article, where the news is."""
    passages: list[str] = []
    for passage in all_passages(sentences):
        passages.append(passage)
        if len(passages) == count:
            break
    return passages
