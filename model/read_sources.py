"""Questions with passages and answers, from the data folder, as text.

Every source gives passages, questions about them, and the places of the answers, none where the passage does not
hold any. The articles of SQuAD that come with unanswerable questions are kept out of training: choices are made and
the threshold is fitted on them. Nothing is read from an evaluation set.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import DataError
from model.read_news import read_news_quizzes
from model.texts import read_rows, text_key

SQUAD, SENTENCES, QUIZ, TEXTS, NEWS = "squad", "sentences", "quiz", "texts", "news"
MORE = "more"
"""From a further folder."""
PAIRS, STORIES = "pairs", "stories"
"""Questions that only a teacher knows answers to."""
KEPT_OUT_OF = 60
"""One article of so many of a further folder is kept out of training."""
SQUAD_FILE, SENTENCES_FILE = "squad_part_train.jsonl.xz", "qamr.jsonl.xz"
QUIZ_FILE, CHOICES_FILE = "realtimeqa_2020_2022.jsonl.xz", "multirc_part.jsonl.xz"
TEXTS_FILE, NEWS_FILES = "wiki_passages_dpr.jsonl.xz", "news_abp_*.jsonl.xz"
MIN_CHARS, MAX_CHARS = 200, 1200
"""Of a paragraph of news that questions are made of."""

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
class ReadTexts:
    """All that a reader is trained on."""

    sources: dict[str, Source]
    development: Source
    """Kept out: with unanswerable questions that people wrote."""

    @property
    def counts(self) -> dict[str, int]:
        """Questions of each source; passages of the one without any."""
        counts = {name: len(source.asked) for name, source in self.sources.items()}
        return counts | {TEXTS: len(self.sources[TEXTS].passages)}

    @property
    def digest(self) -> str:
        """Of every text and place that is trained on."""
        digest = hashlib.sha256()
        for source in self.sources.values():
            digest.update(repr((source.passages, source.asked)).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]


def gather_texts(
    data: Path, *, max_questions: int, max_texts: int, more: Path | None = None
) -> ReadTexts:
    """Read all sources that are there; SQuAD must be.

    Args:
        data: folder with `train/qa/`, `train/lm/` and `realtimeqa/`.
        more: folder with further `.jsonl.xz` files of SQuAD's rows; some of their articles are kept out too.
        max_questions: of each source.
        max_texts: passages that questions are made of.

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
        TEXTS: _read_texts(data / "train" / "lm", min(max_texts, max_questions)),
        NEWS: _of_answers(read_news_quizzes(data / "realtimeqa"), limit=max_questions),
    }
    development = _limited(_of_articles(squad, held_out, inside=True), max_questions)
    if more is None:
        return ReadTexts(sources, development)
    further = _joined([read_squad(path) for path in sorted(more.glob("*.jsonl.xz"))])
    if not further.asked:
        raise DataError(f"{more} has no questions: no .jsonl.xz file of SQuAD's rows")
    kept_out = {title for title in further.articles if text_key(title) % KEPT_OUT_OF == 0}
    sources[MORE] = _limited(_of_articles(further, kept_out, inside=False), max_questions)
    later = _limited(_of_articles(further, kept_out, inside=True), max_questions)
    return ReadTexts(sources, _joined([development, later]))


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


def _read_texts(folder: Path, limit: int) -> Source:
    """Passages without questions, training makes its own of them: an encyclopedia's first, then news."""
    rows = list(itertools.islice(_text_rows(folder), limit))
    return Source(tuple(text for _, text in rows), tuple(name for name, _ in rows), ())


def _text_rows(folder: Path) -> Iterator[tuple[str, str]]:
    """Article and passage."""
    path = folder / TEXTS_FILE
    for at, row in enumerate(read_rows(path) if path.exists() else ()):
        yield str(row.get("title", at)), row["text"]
    for path in sorted(folder.glob(NEWS_FILES)):
        for row in read_rows(path):
            for paragraph in dict.fromkeys(row["text"].split("\n")):
                if MIN_CHARS <= len(paragraph) <= MAX_CHARS:
                    yield str(row["id"]), paragraph


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


def _joined(sources: Sequence[Source]) -> Source:
    """One source after the other."""
    asked: list[Asked] = []
    first = 0
    for source in sources:
        asked += [Asked(one.question, first + one.passage, one.answers) for one in source.asked]
        first += len(source.passages)
    return Source(
        tuple(itertools.chain.from_iterable(source.passages for source in sources)),
        tuple(itertools.chain.from_iterable(source.articles for source in sources)),
        tuple(asked),
    )


def _limited(source: Source, count: int) -> Source:
    """The first so many questions and the passages that they need."""
    asked = source.asked[:count]
    used = max((each.passage for each in asked), default=-1) + 1
    return Source(source.passages[:used], source.articles[:used], asked)
