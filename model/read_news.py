"""News quizzes with the articles of their week: the paragraph that tells an answer, found by its words.

An article lists the questions whose search found it. Of its paragraphs that hold the answer word for word, the one
that shares most with the question is taken for its source: most often it is, sometimes it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from model.texts import Row, read_rows

YEARS = (2022, 2023)
"""Later years are for development and tests of the whole."""
MIN_CHARS, MAX_CHARS = 60, 1200
LEAST_SHARED = 3
SIBLINGS = 3
"""Other paragraphs of the article that are kept as well."""
_WORD = re.compile(r"[^\W_]{4,}|\d+")

Found = tuple[str, str, Sequence[str]]
"""A question, its answer, and paragraphs, the one with the answer first."""


def read_news_quizzes(folder: Path, years: Sequence[int] = YEARS) -> Iterator[Found]:
    """Questions with their short evidence, and those whose answer stands in an article with its paragraphs."""
    for year in years:
        asked = folder / f"questions-{year}.jsonl.xz"
        articles = folder / f"articles-{year}.jsonl.xz"
        if asked.exists() and articles.exists():
            yield from _match(list(read_rows(asked)), read_rows(articles))


def _match(asked: Sequence[Row], articles: Iterator[Row]) -> Iterator[Found]:
    questions = {str(row["id"]): row for row in asked}
    for row in asked:
        yield row["question"], _answer(row), [row["evidence"] or ""]
    best: dict[str, tuple[int, list[str]]] = {}
    for article in articles:
        listed = [str(key) for key in article.get("questions", ()) if str(key) in questions]
        if not listed:
            continue
        paragraphs = list(dict.fromkeys(article["body"].split("\n")))
        paragraphs = [text for text in paragraphs if MIN_CHARS <= len(text) <= MAX_CHARS]
        for key in listed:
            row = questions[key]
            found = _source(row["question"], _answer(row), paragraphs)
            if found is not None and found[0] > best.get(key, (0, []))[0]:
                best[key] = found
    for key, (_, paragraphs) in best.items():
        yield questions[key]["question"], _answer(questions[key]), paragraphs


def _source(question: str, answer: str, paragraphs: Sequence[str]) -> tuple[int, list[str]] | None:
    wanted = set(_WORD.findall(question.lower()))
    holds = re.compile(rf"\b{re.escape(answer)}\b", re.IGNORECASE)
    shared = [
        (len(wanted & set(_WORD.findall(text.lower()))), -at)
        for at, text in enumerate(paragraphs)
        if holds.search(text)
    ]
    if not shared or max(shared)[0] < LEAST_SHARED:
        return None
    most, at = max(shared)
    near = [text for text in paragraphs if text != paragraphs[-at]]
    near.sort(key=lambda text: -len(wanted & set(_WORD.findall(text.lower()))))
    return most, [paragraphs[-at], *near[:SIBLINGS]]


def _answer(row: Row) -> str:
    return str(row["choices"][int(row["answer"])]).strip(" .")
