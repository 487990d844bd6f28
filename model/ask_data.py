"""Questions about sentences from the data folder, for training an asker.

Every source gives a sentence, the place of the answer in it, and a question that a person asked. A question that
names somebody or a number of which its sentence knows nothing is left out: an asker shall not learn to invent.
The articles of SQuAD that the reader keeps out of its training are kept out here too; later years' quizzes are for
development and tests.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path

from model.ask_recase import Recaser
from model.ask_text import (
    LONGEST_QUESTION,
    LONGEST_SENTENCE,
    PEOPLE,
    QUIZ,
    WORDS,
    Asked,
    as_composed,
    is_writable,
)
from model.read_news import read_news_quizzes
from model.read_sources import QUIZ_FILE, SENTENCES_FILE, SQUAD_FILE, TEXTS_FILE, read_squad
from model.texts import Row, fold_blanks, read_rows, split_sentences, text_key

logger = logging.getLogger(__name__)

Finder = Callable[[str, str], tuple[int, int]]
"""A question and a sentence to the place of the answer in it; an empty one where it is not found."""

PAIRS_FILE, STORIES_FILE = "squad_qg_sentences.jsonl.xz", "newsquizqa.jsonl.xz"
DEVELOPMENT_YEARS = (2024,)
GRAMMAR_YEARS = (2023, 2022)
ONE_OF = 4
"""Of these years' articles, every so many are asked questions by templates."""
LEAST_QUESTION = 10
LEAST_SHARED = 0.4
"""Share of the question's longer words that the sentence must know."""
LONGEST_ANSWER = 120
_CONTENT = re.compile(r"[^\W_]{4,}|\d+")
_TOLD = re.compile(r"\b[A-Z][^\W_]+|\d+")
_STEM = 4
_SUBJECT = re.compile(
    r"^(?:Who|What|Which(?: [\w’'-]+){1,2}?|What [\w’'-]+)"
    r"(?= (?:is|was|are|were|has|have|had|will|can|could|may|said|says|won|[a-z]+ed|[a-z]+s) )"
)
_INVERTED = re.compile(
    r"^(?:(?:is|was|are|were|has|have|had|will|can|could|may|does|do) "
    r"(?:[A-Z]|(?:many|most|some|more|his|her|its|their|this|these|those|he|she|it|they|we|you|people) )"
    r"|(?:are|were|has|have|had|will|can|could|may|does|do) (?:the|an?) )"
)
"""What follows a wh-word that is not the subject."""


@dataclass(frozen=True, slots=True)
class AskMaterial:
    """All questions that people asked, and those kept out."""

    asked: tuple[Asked, ...]
    development: dict[str, tuple[Asked, ...]]
    """By the source's name."""
    counts: dict[str, int]


def read_questions(data: Path, find: Finder, *, max_questions: int) -> AskMaterial:
    """Read all sources that are there; SQuAD must be.

    Args:
        data: folder with `train/qa/`, `train/lm/` and `realtimeqa/`.
        find: where a question's answer stands in its sentence, for the source that does not tell.
        max_questions: of each source.

    Raises:
        DataError: SQuAD's part is missing, or a file is not of its layout.
    """
    folder = data / "train" / "qa"
    squad, _ = _read_squad(folder / SQUAD_FILE)
    texts = chain((one.sentence for one in squad), cased_texts(data))
    sources: dict[str, Iterable[Asked]] = {
        "squad": squad,
        "qamr": _read_words(folder / SENTENCES_FILE),
        "pairs": read_pairs(folder / PAIRS_FILE, texts, find),
        "stories": read_stories(folder / STORIES_FILE),
        "quiz": _read_quizzes(folder / QUIZ_FILE, data / "realtimeqa"),
    }
    asked, counts = [], {}
    for name, source in sources.items():
        fair = (one for one in map(tidy, source) if is_fair(one))
        kept = list(dict.fromkeys(islice(fair, max_questions)))
        counts[name] = len(kept)
        asked += kept
        logger.info("questions read", extra={"source": name, "count": counts[name]})
    development = placed_questions(data, kept_out=True, max_questions=max_questions)
    return AskMaterial(tuple(asked), development, counts)


def placed_questions(
    data: Path, *, kept_out: bool, max_questions: int
) -> dict[str, tuple[Asked, ...]]:
    """Questions of paragraphs and of quizzes, which tell where their answers stand, by the source's name.

    Args:
        data: folder with `train/qa/` and `realtimeqa/`.
        kept_out: those that are kept out of training, else those that are trained on.
        max_questions: of each source.

    Raises:
        DataError: SQuAD's part is missing, or a file is not of its layout.
    """
    folder, news = data / "train" / "qa", data / "realtimeqa"
    later = _told(read_news_quizzes(news, DEVELOPMENT_YEARS))
    sources: dict[str, Iterable[Asked]] = {
        "squad": _read_squad(folder / SQUAD_FILE)[kept_out],
        "quiz": later if kept_out else _read_quizzes(folder / QUIZ_FILE, news),
    }
    return {
        name: tuple(islice((one for one in map(tidy, source) if is_fair(one)), max_questions))
        for name, source in sources.items()
    }


def cased_texts(data: Path) -> Iterator[str]:
    """Texts that tell how words are written."""
    for row in _rows(data / "train" / "qa" / SENTENCES_FILE):
        yield row["context"]
    for row in _rows(data / "train" / "lm" / TEXTS_FILE):
        yield row["text"]


def grammar_rows(data: Path) -> Iterator[Row]:
    """Articles for templates to ask questions of, some by the hash of their names."""
    for year in GRAMMAR_YEARS:
        for row in _rows(data / "realtimeqa" / f"articles-{year}.jsonl.xz"):
            if text_key(str(row["id"])) % ONE_OF == 0:
                yield row


def is_fair(one: Asked) -> bool:
    """Whether an asker can learn from it: neither too long nor about what the sentence does not say."""
    sentence = one.sentence.lower()
    words = _CONTENT.findall(one.question.lower())
    body = one.question[1:]
    if not (
        LEAST_QUESTION <= len(one.question) <= LONGEST_QUESTION
        and len(one.sentence) <= LONGEST_SENTENCE
        and len(one.answer) <= LONGEST_ANSWER
        and one.question.endswith("?")
        and is_writable(one.question)
    ):
        return False
    if one.answer and one.answer.lower() in one.question.lower():
        return False
    if any(told.lower()[:_STEM] not in sentence for told in _TOLD.findall(body)):
        return False
    known = sum(word[:_STEM] in sentence for word in words)
    return known >= LEAST_SHARED * len(words)


def tidy(one: Asked) -> Asked:
    """The question with one mark at its end and a capital at its beginning."""
    question = fold_blanks(as_composed(one.question))
    question = re.sub(r"\s+\?", "?", question.rstrip(" .?") + "?")
    return replace(one, question=question[:1].upper() + question[1:])


def sentence_with(text: str, start: int, end: int, *, before: int = 0) -> tuple[str, int] | None:
    """The sentence of a text that holds some characters, and where it begins; None: no single one.

    Args:
        text: a paragraph.
        start: first of the characters.
        end: the one after the last.
        before: so many sentences before it are taken along.
    """
    at, begins = 0, []
    for sentence in split_sentences(text):
        found = text.find(sentence, at)
        if found < 0:
            return None
        begins.append(found)
        at = found + len(sentence)
        if found <= start and end <= at:
            first = begins[max(len(begins) - 1 - before, 0)]
            return text[first:at], first
    return None


def _read_squad(path: Path) -> tuple[list[Asked], list[Asked]]:
    """Questions with the sentences of their answers, and those of the articles that are kept out."""
    source = read_squad(path)
    kept_out = {source.articles[one.passage] for one in source.asked if not one.answers}
    parts: tuple[list[Asked], list[Asked]] = [], []
    for one in source.asked:
        text = source.passages[one.passage]
        is_kept_out = source.articles[one.passage] in kept_out
        for start, end in one.answers[:1]:
            # What a question takes from the sentence before is learned from both.
            for before in (0,) if is_kept_out else (0, 1):
                found = sentence_with(text, start, end, before=before)
                if found is None:
                    break
                asked = Asked(found[0], start - found[1], end - found[1], one.question, PEOPLE)
                if is_kept_out or is_fair(tidy(asked)):
                    parts[is_kept_out].append(asked)
                    break
    return parts


def _rows(path: Path) -> Iterator[Row]:
    """Rows of a file, none where there is no file."""
    return read_rows(path) if path.exists() else iter(())


def _read_words(path: Path) -> Iterator[Asked]:
    for row in _rows(path):
        for question, answer, start in row["qas"]:
            if start >= 0:
                yield Asked(row["context"], start, start + len(answer), question, WORDS)


def read_pairs(path: Path, texts: Iterable[str], find: Finder) -> Iterator[Asked]:
    """Lower-cased sentences with a question each, their capitals put back as other texts have them."""
    rows = list(_rows(path))
    recaser = Recaser(texts if rows else ())
    for row in rows:
        sentence, question = (
            recaser.recased(row["sent"]),
            recaser.recased(row["q"], like=row["sent"]),
        )
        if is_fair(tidy(Asked(sentence, 0, 0, question))):
            yield Asked(sentence, *find(question, sentence), question, PEOPLE)


def read_stories(path: Path) -> Iterator[Asked]:
    """Questions of a story, asked of what another question of it says once it is answered."""
    for row in _rows(path):
        if row.get("split") != "train":
            continue
        for told, its_answer in row["qa"]:
            said = as_statement(told, its_answer)
            for question, answer in row["qa"] if said else ():
                start = said.find(answer)
                if question != told and start >= 0:
                    yield Asked(said, start, start + len(answer), question, QUIZ)
                elif question == told and start == 0:
                    yield Asked(said, 0, len(answer), question, QUIZ)


def as_statement(question: str, answer: str) -> str:
    """What a question about a subject says once it is answered; empty where it is of another form."""
    found = _SUBJECT.match(question)
    if found is None or not answer or _INVERTED.match(question[found.end() + 1 :]):
        return ""
    answer = answer.strip(" .")
    return f"{answer}{question[found.end() :].rstrip(' ?')}."


def _read_quizzes(path: Path, news: Path) -> Iterator[Asked]:
    """News quizzes with the sentence that tells the answer word for word."""
    rows: list[tuple[str, str, Sequence[str]]] = []
    for row in _rows(path):
        rows += [(row["q"], answer, [row["evidence"] or ""]) for answer in row["answer"][:1]]
    yield from _told((*rows, *read_news_quizzes(news)))


def _told(found: Iterable[tuple[str, str, Sequence[str]]]) -> Iterator[Asked]:
    for question, answer, paragraphs in found:
        yield from told_by(paragraphs[0], question, answer)


def told_by(paragraph: str, question: str, answer: str) -> Iterator[Asked]:
    """The sentence of a paragraph that shares most with the question, of those with the answer."""
    wanted = {word[:_STEM] for word in _CONTENT.findall(question.lower())}
    found = []
    for at, sentence in enumerate(split_sentences(paragraph)):
        place = re.search(rf"\b{re.escape(answer)}\b", sentence)
        if place is not None and len(answer) > 1:
            has = {word[:_STEM] for word in _CONTENT.findall(sentence.lower())}
            found.append((len(wanted & has), -at, sentence, place.span()))
    if found:
        _, _, sentence, (start, end) = max(found)
        yield Asked(sentence, start, end, question, QUIZ)


def questions_digest(asked: Iterable[Asked]) -> str:
    """Hash of questions in order; two runs on equal digests saw the same."""
    digest = hashlib.sha256()
    for one in asked:
        text = f"{one.sentence}\0{one.start}\0{one.end}\0{one.question}\0{one.kind}\0"
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
