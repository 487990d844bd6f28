"""What a reader is trained on: questions of invented paragraphs, read, damaged and drawn."""

from __future__ import annotations

import json
import lzma
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model import DataError, Encoder, load_tagger
from model.read_data import ReadSet, as_sets, word_span
from model.read_exercise import Exercise, fitted, holds, segments, without_answer
from model.read_layout import MAX_PASSAGE_WORDS
from model.read_news import read_news_quizzes
from model.read_sources import MORE, SENTENCES, SQUAD, TEXTS, ReadTexts, gather_texts
from model.read_variants import Exercises, Shares
from model.read_words import TextWords, WordBook, join_words
from model.tag_data import PARTS
from tests.model.conftest import ACTS, PEOPLE, THINGS

TOWNS = ("Lyon", "Oslo", "Porto", "Ghent", "Turin", "Malmo")
NAMES = ("Anna Keller", "Paul Moreau", "Maria Silva", "John Carter")


def paragraph(rng: random.Random) -> tuple[str, list[dict[str, Any]]]:
    """A few sentences of who did what where and when, with a question about each."""
    sentences, asked, start = [], [], 0
    for name, town in zip(rng.sample(NAMES, 3), rng.sample(TOWNS, 3), strict=True):
        thing, year = rng.choice(THINGS), str(rng.randrange(1950, 2020))
        sentence = f"In {year} {name} bought {thing} in {town}."
        for question, answer in (
            (f"Who bought {thing} in {town}?", name),
            (f"When did {name} buy {thing}?", year),
            (f"Where did {name} buy {thing}?", town),
        ):
            place = start + sentence.index(answer)
            asked.append({"q": question, "answers": [[answer, place]], "answerable": True})
        sentences.append(sentence)
        start += len(sentence) + 1
    return " ".join(sentences), asked


def squad_rows(count: int, *, seed: int, unanswerable: bool) -> list[dict[str, Any]]:
    """Rows, three to an article."""
    rng = random.Random(seed)
    rows = []
    for at in range(count):
        context, asked = paragraph(rng)
        if unanswerable:
            question = f"Who {rng.choice(ACTS)} {rng.choice(THINGS)} with {rng.choice(PEOPLE)}?"
            asked = [*asked[:2], {"q": question, "answers": [], "answerable": False}]
        title = f"{'odd' if unanswerable else 'plain'} {at // 3}"
        rows.append({"title": title, "context": context, "qas": asked})
    return rows


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """One `.jsonl.xz` file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


def write_training_data(folder: Path) -> Path:
    """All sources of the reader, small."""
    qa = folder / "train" / "qa"
    rows = squad_rows(12, seed=1, unanswerable=False) + squad_rows(4, seed=2, unanswerable=True)
    write_lines(qa / "squad_part_train.jsonl.xz", rows)
    sentences = squad_rows(10, seed=3, unanswerable=False)
    triples = [
        {
            "id": f"s{at}",
            "context": row["context"],
            "qas": [[each["q"], *each["answers"][0]] for each in row["qas"]],
        }
        for at, row in enumerate(sentences)
    ]
    write_lines(qa / "qamr.jsonl.xz", triples)
    quiz = [
        {
            "q": "Who bought it?",
            "answer": ["Paul Moreau"],
            "evidence": "Then Paul Moreau bought it.",
        }
    ]
    write_lines(qa / "realtimeqa_2020_2022.jsonl.xz", quiz)
    texts = [{"title": row["title"], "text": row["context"]} for row in sentences]
    write_lines(folder / "train" / "lm" / "wiki_passages_dpr.jsonl.xz", texts)
    write_lines(qa / "squad2_dev.jsonl.xz", squad_rows(3, seed=4, unanswerable=True))
    return folder


@pytest.fixture
def book(tiny_encoder: Encoder) -> WordBook:
    return WordBook(tiny_encoder, load_tagger(), PARTS)


@pytest.fixture
def gathered(tmp_path: Path) -> ReadTexts:
    return gather_texts(write_training_data(tmp_path), max_questions=1000, max_texts=1000)


@pytest.fixture
def sets(gathered: ReadTexts, book: WordBook) -> dict[str, ReadSet]:
    return as_sets(gathered, book)


def words_of(book: WordBook, text: TextWords) -> list[str]:
    return [book.texts[number] for number in text.words]


def test_articles_with_unanswerable_questions_are_kept_out(gathered: ReadTexts) -> None:
    assert gathered.counts[SQUAD] == 12 * 9
    assert len(gathered.development.passages) == 4
    assert sum(not asked.answers for asked in gathered.development.asked) == 4
    assert all(title.startswith("odd") for title in gathered.development.articles)
    assert len(gathered.sources[SQUAD].passages) == 12


def test_answers_are_the_words_they_were(sets: dict[str, ReadSet], book: WordBook) -> None:
    known = {name for full in NAMES for name in full.split()} | set(TOWNS)
    for name in (SQUAD, SENTENCES):
        for example in sets[name].examples:
            passage = sets[name].passages[example.passage]
            for first, last in example.answers:
                answer = words_of(book, passage)[first : last + 1]
                assert set(answer) <= known or answer[0].isdigit()


def test_the_digest_tells_data_apart(tmp_path: Path) -> None:
    data = write_training_data(tmp_path)

    def digest() -> str:
        return gather_texts(data, max_questions=1000, max_texts=1000).digest

    first = digest()
    assert first == digest()
    rows = squad_rows(12, seed=8, unanswerable=False) + squad_rows(4, seed=2, unanswerable=True)
    write_lines(data / "train" / "qa" / "squad_part_train.jsonl.xz", rows)
    assert first != digest()


def test_missing_questions_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        gather_texts(tmp_path, max_questions=10, max_texts=10)


def test_texts_are_an_encyclopedias_and_then_paragraphs_of_news(tmp_path: Path) -> None:
    data = write_training_data(tmp_path)
    count = len(gather_texts(data, max_questions=1000, max_texts=1000).sources[TEXTS].passages)
    long, other = "The council met. " * 20, "The mayor spoke. " * 20
    news = [{"id": "n1", "text": f"{long}\nToo short.\n{other}\n{long}"}]
    write_lines(data / "train" / "lm" / "news_abp_1.jsonl.xz", news)
    texts = gather_texts(data, max_questions=1000, max_texts=1000).sources[TEXTS]
    assert texts.passages[count:] == (long, other)
    assert texts.articles[count:] == ("n1", "n1")
    fewer = gather_texts(data, max_questions=1000, max_texts=count + 1).sources[TEXTS]
    assert fewer.passages[count:] == (long,)


@pytest.mark.parametrize("name", [SQUAD, SENTENCES, TEXTS])
def test_drawn_exercises_are_sound(sets: dict[str, ReadSet], book: WordBook, name: str) -> None:
    drawer = Exercises(book, sets[name], Shares(0.2, 0.2, 0.4, company=2))
    rng = np.random.default_rng(1)
    drawn = [fitted(drawer.draw(rng), rng) for _ in range(200)]
    assert 0.15 < np.mean([not exercise.answers for exercise in drawn]) < 0.9
    for exercise in drawn:
        assert len(exercise.question)
        assert len(exercise.passage)
        assert (np.diff(exercise.passage.sentences) >= 0).all()
        assert all(0 <= a <= b < len(exercise.passage) for a, b in exercise.answers)
    again = np.random.default_rng(1)
    second = [fitted(drawer.draw(again), again) for _ in range(200)]
    assert all(
        (a.question.words == b.question.words).all() for a, b in zip(drawn, second, strict=True)
    )


def read_exercise(book: WordBook, question: str, passage: str, answer: str) -> Exercise:
    asked, text = book.read([question, passage])
    at = passage.index(answer)
    return Exercise(asked, text, (word_span(text, (at, at + len(answer))),))


def test_an_answer_is_cut_out_with_its_sentence(book: WordBook) -> None:
    passage = "Anna Keller bought the bridge. It rained in Oslo. Then it snowed."
    exercise = read_exercise(book, "Where did it rain?", passage, "Oslo")
    rest = without_answer(book, exercise)
    assert rest is not None
    assert rest.answers == ()
    expected = ["Anna", "Keller", "bought", "the", "bridge", ".", "Then", "it", "snowed", "."]
    assert words_of(book, rest.passage) == expected


def test_an_answer_told_twice_is_not_cut_out(book: WordBook) -> None:
    passage = "It rained in Oslo. Nobody left Oslo."
    exercise = read_exercise(book, "Where did it rain?", passage, "Oslo")
    assert without_answer(book, exercise) is None


def test_runs_of_words_are_found() -> None:
    words = np.array([1, 2, 3, 2, 3], np.int32)
    assert holds(words, np.array([2, 3], np.int32))
    assert not holds(words, np.array([3, 3], np.int32))
    assert not holds(words[:1], np.array([1, 2], np.int32))


def test_names_are_told_apart_by_their_first_words() -> None:
    tags = np.array([0, 1, 2, 1, 0, 3, 4], np.int32)
    assert segments(tags > 0, tags) == [(1, 3), (3, 4), (5, 7)]


def test_long_passages_are_cut_around_the_answer(book: WordBook) -> None:
    passage = "word " * 500 + "Oslo " + "word " * 300
    exercise = read_exercise(book, "Where?", passage, "Oslo")
    for seed in range(20):
        cut = fitted(exercise, np.random.default_rng(seed))
        assert len(cut.passage) == MAX_PASSAGE_WORDS
        ((first, last),) = cut.answers
        assert words_of(book, cut.passage)[first : last + 1] == ["Oslo"]


def test_joined_texts_keep_their_sentences_apart(book: WordBook) -> None:
    first, second = book.read(["It rained. It snowed.", "Then it stopped."])
    assert join_words([first, second]).sentences.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]


def test_news_quizzes_find_the_paragraph_that_tells(tmp_path: Path) -> None:
    told = (
        "The mayor said on Monday that the old harbour bridge was sold to Paul Moreau for a pound."
    )
    other = "Paul Moreau, who is forty, was born in a small village and likes to sail with friends."
    question = {
        "id": "w_0",
        "question": "Who bought the old harbour bridge from the mayor on Monday?",
        "choices": ["Anna Keller", "Paul Moreau"],
        "answer": 1,
        "evidence": "It was Paul Moreau.",
    }
    write_lines(tmp_path / "questions-2022.jsonl.xz", [question])
    articles = [
        {"questions": ["w_0"], "body": f"{other}\n\n{told}"},
        {"questions": ["elsewhere"], "body": told},
        {"questions": ["w_0"], "body": other},
    ]
    write_lines(tmp_path / "articles-2022.jsonl.xz", articles)
    found = list(read_news_quizzes(tmp_path))
    assert found == [
        (question["question"], "Paul Moreau", [question["evidence"]]),
        (question["question"], "Paul Moreau", [told, other]),
    ]
    assert list(read_news_quizzes(tmp_path / "nowhere")) == []


def test_a_further_folder_gives_questions_and_some_articles_are_kept_out(tmp_path: Path) -> None:
    data, more = write_training_data(tmp_path / "data"), tmp_path / "more"
    rows = squad_rows(240, seed=8, unanswerable=False)
    for at, row in enumerate(rows):
        row["title"] = f"article {at // 2}"
    write_lines(more / "one.jsonl.xz", rows[:100])
    write_lines(more / "two.jsonl.xz", rows[100:])
    before = gather_texts(data, max_questions=5000, max_texts=9)
    found = gather_texts(data, max_questions=5000, max_texts=9, more=more)
    kept = found.sources[MORE]
    first = len(before.development.passages)
    later = found.development.articles[first:]
    assert 0 < len(set(later)) < 20
    assert not set(later) & set(kept.articles)
    assert len(set(later)) + len(set(kept.articles)) == 120
    assert found.development.asked[: len(before.development.asked)] == before.development.asked
    for asked in (*kept.asked, *found.development.asked):
        passages = (kept if asked in kept.asked else found.development).passages
        assert all(passages[asked.passage][a:b].strip() for a, b in asked.answers)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        gather_texts(data, max_questions=9, max_texts=9, more=tmp_path / "empty")
