"""Questions with passages and answers, from the data folder, as words.

Every source gives passages, questions about them, and the words of the answers, none where the passage does not
hold any. The articles of SQuAD that come with unanswerable questions are kept out of training: choices are made and
the threshold is fitted on them. Nothing is read from an evaluation set.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.errors import DataError
from model.read_news import read_news_quizzes
from model.read_words import TextWords, WordBook
from model.texts import read_rows

logger = logging.getLogger(__name__)

SQUAD, SENTENCES, QUIZ, TEXTS, NEWS = "squad", "sentences", "quiz", "texts", "news"
SQUAD_FILE, SENTENCES_FILE = "squad_part_train.jsonl.xz", "qamr.jsonl.xz"
QUIZ_FILE, CHOICES_FILE = "realtimeqa_2020_2022.jsonl.xz", "multirc_part.jsonl.xz"
TEXTS_FILE = "wiki_passages_dpr.jsonl.xz"
MAX_TEXTS = 5000
READ_AT_ONCE = 256
MAX_ANSWER_WORDS = 16

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a passage, with the characters of its answers."""

    question: str
    passage: int
    answers: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Passages and questions as text; `articles` says which passages belong together."""

    passages: tuple[str, ...]
    articles: tuple[str, ...]
    asked: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A question about a passage, with the first and the last word of its answers."""

    question: TextWords
    passage: int
    answers: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class ReadSet:
    """A source as words."""

    passages: tuple[TextWords, ...]
    siblings: tuple[tuple[int, ...], ...]
    """For each passage the others of its article."""
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ReadMaterial:
    """All that a reader is trained on."""

    sets: dict[str, ReadSet]
    development: Source
    """Kept out: with unanswerable questions that people wrote."""
    digest: str
    counts: dict[str, int]


def read_material(data: Path, book: WordBook, *, max_questions: int) -> ReadMaterial:
    """Read all sources that are there; SQuAD must be.

    Args:
        data: folder with `train/qa/`, `train/lm/` and `realtimeqa/`.
        book: takes the words.
        max_questions: of each source.

    Raises:
        DataError: SQuAD's part is missing, or a file is not of its layout.
    """
    folder = data / "train" / "qa"
    squad = read_squad(folder / SQUAD_FILE)
    held_out = {squad.articles[asked.passage] for asked in squad.asked if not asked.answers}
    sources = {
        SQUAD: _limited(_of_articles(squad, held_out, inside=False), max_questions),
        SENTENCES: _limited(_read_sentences(folder / SENTENCES_FILE), max_questions),
        QUIZ: _limited(_read_quiz(folder), max_questions),
        TEXTS: _read_texts(data / "train" / "lm" / TEXTS_FILE, min(MAX_TEXTS, max_questions)),
        NEWS: _of_answers(read_news_quizzes(data / "realtimeqa"), limit=max_questions),
    }
    sets = {}
    for name, source in sources.items():
        if source.passages:
            sets[name] = as_words(source, book)
            logger.info("questions read", extra={"source": name, "count": len(source.asked)})
    development = _limited(_of_articles(squad, held_out, inside=True), max_questions)
    counts = {name: len(source.asked) for name, source in sources.items()}
    counts[TEXTS] = len(sources[TEXTS].passages)
    return ReadMaterial(sets, development, _digest(sources.values()), counts)


def read_squad(path: Path) -> Source:
    """A file of SQuAD's rows: `{title, context, qas: [{q, answers: [[text, start]], answerable}]}`.

    Raises:
        DataError: the file cannot be read or is not of that layout.
    """
    passages, articles, asked = [], [], []
    try:
        for at, row in enumerate(read_rows(path)):
            passages.append(str(row["context"]))
            articles.append(str(row.get("title") or f"passage {at}"))
            for each in row["qas"]:
                found = [(int(start), int(start) + len(text)) for text, start in each["answers"]]
                answers = tuple(found) if each["answerable"] else ()
                asked.append(Asked(str(each["q"]), at, answers))
    except (KeyError, TypeError, ValueError) as exc:
        raise DataError(f"{path.name} is not of SQuAD's layout: {exc!r}") from exc
    return Source(tuple(passages), tuple(articles), tuple(asked))


def _read_sentences(path: Path) -> Source:
    """QAMR: sentences with many short questions each."""
    rows = list(read_rows(path)) if path.exists() else []
    asked = [
        Asked(question, at, ((start, start + len(answer)),))
        for at, row in enumerate(rows)
        for question, answer, start in row["qas"]
        if start >= 0
    ]
    passages = tuple(row["context"] for row in rows)
    return Source(passages, tuple(row["id"] for row in rows), tuple(asked))


def _read_quiz(folder: Path) -> Source:
    """News quizzes with a short evidence, and choices that stand in their text, word for word."""
    found = (*_quiz_rows(folder), *_choice_rows(folder))
    return _of_answers((question, answer, [text]) for question, answer, text in found)


def _of_answers(
    found: Iterable[tuple[str, str, Sequence[str]]], *, limit: int | None = None
) -> Source:
    """Questions with an answer and the paragraphs of an article, the one that tells it first."""
    passages: list[str] = []
    articles: list[str] = []
    asked: list[Asked] = []
    for question, answer, paragraphs in found:
        places = _occurrences(answer, paragraphs[0])
        if places and len(answer) > 1:
            asked.append(Asked(question, len(passages), places))
            articles += [f"text {len(asked)}"] * len(paragraphs)
            passages += paragraphs
        if len(asked) == limit:
            break
    return Source(tuple(passages), tuple(articles), tuple(asked))


def _quiz_rows(folder: Path) -> Iterator[tuple[str, str, str]]:
    path = folder / QUIZ_FILE
    for row in read_rows(path) if path.exists() else ():
        for answer in row["answer"][:1]:
            yield row["q"], answer, row["evidence"] or ""


def _choice_rows(folder: Path) -> Iterator[tuple[str, str, str]]:
    path = folder / CHOICES_FILE
    for row in read_rows(path) if path.exists() else ():
        for each in row["qas"]:
            for answer, is_right in each["cands"]:
                if is_right:
                    yield each["q"], answer.strip(" ."), row["context"]


def _occurrences(answer: str, passage: str) -> tuple[Place, ...]:
    small, text = answer.lower(), passage.lower()
    if len(text) != len(passage) or not small:
        return ()
    found, at = [], text.find(small)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(small) : at + len(small) + 1]
        if not before.isalnum() and not after.isalnum():
            found.append((at, at + len(small)))
        at = text.find(small, at + 1)
    return tuple(found)


def _read_texts(path: Path, limit: int) -> Source:
    """Passages without questions: training makes its own of them."""
    rows: list[dict[str, Any]] = []
    if path.exists():
        for row in read_rows(path):
            rows.append(row)
            if len(rows) == limit:
                break
    articles = tuple(str(row.get("title", at)) for at, row in enumerate(rows))
    return Source(tuple(row["text"] for row in rows), articles, ())


def _of_articles(source: Source, articles: set[str], *, inside: bool) -> Source:
    """The questions about some articles, or about all others."""
    kept = [at for at, title in enumerate(source.articles) if (title in articles) == inside]
    place = {old: new for new, old in enumerate(kept)}
    asked = tuple(
        Asked(each.question, place[each.passage], each.answers)
        for each in source.asked
        if each.passage in place
    )
    return Source(
        tuple(source.passages[at] for at in kept), tuple(source.articles[at] for at in kept), asked
    )


def _limited(source: Source, count: int) -> Source:
    """The first so many questions and the passages that they need."""
    asked = source.asked[:count]
    used = max((each.passage for each in asked), default=-1) + 1
    return Source(source.passages[:used], source.articles[:used], asked)


def as_words(source: Source, book: WordBook) -> ReadSet:
    """Read all texts of a source; questions whose answers are too long for a span are left out."""
    passages = read_in_blocks(source.passages, book)
    questions = read_in_blocks([each.question for each in source.asked], book)
    members: dict[str, list[int]] = {}
    for at, title in enumerate(source.articles):
        members.setdefault(title, []).append(at)
    siblings = tuple(
        tuple(other for other in members[title] if other != at)
        for at, title in enumerate(source.articles)
    )
    examples = []
    for asked, question in zip(source.asked, questions, strict=True):
        passage = passages[asked.passage]
        spans = {word_span(passage, place) for place in asked.answers}
        answers = tuple(sorted(s for s in spans if 0 <= s[1] - s[0] < MAX_ANSWER_WORDS))
        if len(question) and len(passage) and bool(answers) == bool(asked.answers):
            examples.append(Example(question, asked.passage, answers))
    return ReadSet(tuple(passages), siblings, tuple(examples))


def read_in_blocks(texts: Sequence[str], book: WordBook) -> list[TextWords]:
    """The words of many texts."""
    found: list[TextWords] = []
    for at in range(0, len(texts), READ_AT_ONCE):
        found += book.read(texts[at : at + READ_AT_ONCE])
    return found


def word_span(passage: TextWords, place: Place) -> Place:
    """First and last word that a stretch of characters touches; the last before the first: none."""
    first = int(np.searchsorted(passage.ends, place[0], side="right"))
    last = int(np.searchsorted(passage.starts, place[1], side="left")) - 1
    return first, last


def _digest(sources: Iterable[Source]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        digest.update(repr((source.passages, source.asked)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
