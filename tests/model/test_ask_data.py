"""What an asker is trained on: fair questions only, capitals put back, names exchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model import DataError
from model.ask_batches import AskDrawer, gather, in_order, lay_out
from model.ask_data import (
    as_statement,
    grammar_rows,
    is_fair,
    questions_digest,
    read_questions,
    sentence_with,
    told_by,
)
from model.ask_recase import Recaser
from model.ask_text import GRAMMAR, KINDS, PADDING, PEOPLE, QUIZ, Asked, write_characters
from model.ask_variants import names_of, shared_words, with_variants
from tests.model.test_read_data import write_lines, write_training_data

SENTENCE = "In 1984 Anna Keller bought the old bridge in Oslo."
FAIR = Asked(SENTENCE, 8, 19, "Who bought the old bridge in Oslo?")


def found_first(question: str, sentence: str) -> tuple[int, int]:
    return 0, sentence.index(" ")


@pytest.mark.parametrize(
    ("question", "is_one"),
    [
        ("Who bought the old bridge in Oslo?", True),
        ("Who bought the old bridge in Lyon?", False),
        ("Who bought the old bridge in 1985?", False),
        ("Who is Anna Keller?", False),
        ("Who performed something entirely different?", False),
        ("Who bought it", False),
        ("Who?", False),
        ("Who bought the " + "old " * 50 + "bridge?", False),
    ],
)
def test_a_fair_question_knows_no_more_than_its_sentence(question: str, is_one: bool) -> None:
    assert is_fair(Asked(SENTENCE, 8, 19, question)) is is_one


def test_every_source_gives_spans_of_sentences(tmp_path: Path) -> None:
    data = write_training_data(tmp_path)
    qa = data / "train" / "qa"
    pair = {"sent": "anna keller bought the old bridge in oslo.", "q": "who bought the bridge?"}
    write_lines(qa / "squad_qg_sentences.jsonl.xz", [pair])
    story = {
        "split": "train",
        "qa": [["Who visited the bridge in Oslo?", "Anna"], ["What did Anna visit?", "the bridge"]],
    }
    write_lines(qa / "newsquizqa.jsonl.xz", [story, {**story, "split": "test"}])
    material = read_questions(data, found_first, max_questions=100)
    assert material.counts["squad"] == 100
    assert material.counts["pairs"] == 1
    assert material.counts["stories"] == 2
    for one in material.asked:
        assert one.answer
        assert one.answer in one.sentence
        assert is_fair(one)
    assert material.asked[-2].sentence == "Anna visited the bridge in Oslo."
    sentences = {one.sentence for one in material.asked}
    assert sentences.isdisjoint(one.sentence for one in material.development["squad"])
    assert read_questions(data, found_first, max_questions=100) == material


def test_the_main_source_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read_questions(tmp_path, found_first, max_questions=1)
    assert list(grammar_rows(tmp_path)) == []


def test_a_sentence_is_found_around_its_answer() -> None:
    text = "Nothing happened. Anna Keller bought it. The end."
    assert sentence_with(text, 18, 29) == ("Anna Keller bought it.", 18)
    assert sentence_with(text, 18, 29, before=1) == (text[:40], 0)
    assert sentence_with(text, 10, 22) is None
    assert sentence_with("Two  blanks here.", 0, 3) is None


@pytest.mark.parametrize(
    ("question", "answer", "statement"),
    [
        ("Who visited the bridge?", "Anna", "Anna visited the bridge."),
        ("Which company was sold?", "Norgrid", "Norgrid was sold."),
        ("Who has Anna called?", "Paul", ""),
        ("What are many owners selling?", "Boats", ""),
        ("How many were sold?", "12", ""),
    ],
)
def test_an_answered_question_about_a_subject_is_a_statement(
    question: str, answer: str, statement: str
) -> None:
    assert as_statement(question, answer) == statement


def test_a_quiz_is_told_by_the_sentence_that_shares_most() -> None:
    paragraph = "Oslo is old. Anna Keller bought a bridge in Oslo. The end."
    found = list(told_by(paragraph, "Where did Keller buy a bridge?", "Oslo"))
    assert [one.sentence for one in found] == ["Anna Keller bought a bridge in Oslo."]
    assert found[0].answer == "Oslo"
    assert found[0].kind == QUIZ
    assert list(told_by(paragraph, "Where?", "Paris")) == []


def test_capitals_are_put_back() -> None:
    texts = [
        "He met Anna Keller in May.",
        "They may go to New York.",
        "A new bridge is in New York.",
    ]
    recaser = Recaser([*texts, *texts])
    assert recaser.recased("he met anna in new york") == "He met Anna in New York"
    assert recaser.recased("they may buy a new bridge") == "They may buy a new bridge"
    assert recaser.recased("to khuzestan") == "To Khuzestan"
    assert recaser.recased("who is in york?", like="new york") == "Who is in York?"
    assert recaser.recased("") == ""


def test_names_are_exchanged_on_both_sides_and_answers_stay() -> None:
    assert shared_words(FAIR) == ["Oslo"]
    copies = list(with_variants([FAIR], copies=4, names=["Lyon", "Porto"], seed=1))
    assert copies[0] == FAIR
    assert len(copies) == 4
    for one in copies[1:]:
        town = one.question[:-1].rsplit(" ", 1)[1]
        assert town in {"Lyon", "Porto"}
        assert one.sentence.endswith(f"in {town}.")
        assert one.answer == "Anna Keller"
    assert copies == list(with_variants([FAIR], copies=4, names=["Lyon", "Porto"], seed=1))
    by_template = Asked(SENTENCE, 8, 19, FAIR.question, GRAMMAR)
    assert list(with_variants([by_template], copies=4, names=["Lyon"], seed=1)) == [by_template]


def test_numbers_are_exchanged_for_numbers() -> None:
    one = Asked(SENTENCE, 8, 19, "Who bought the old bridge in 1984?")
    copy = list(with_variants([one], copies=2, names=["Lyon"], seed=3))[1]
    assert copy.question != one.question
    assert copy.question[-5:-1] == copy.sentence[3:7]
    assert names_of([one]) == ["Anna", "Keller", "Oslo"]


def test_rows_come_back_from_their_batches() -> None:
    asked = [Asked(SENTENCE, 8, 19, FAIR.question, kind) for kind in KINDS] * 8
    given = lay_out(asked)
    batch = gather(given, np.array([0, 3]), source_weight=0.25)
    assert batch.ids.shape == batch.weights.shape
    assert write_characters(batch.ids[1]) == SENTENCE + FAIR.question
    counted = batch.weights[0]
    assert set(counted[: given.questions[0]]) == {0.25}
    assert counted.sum() == 0.25 * given.questions[0] + len(FAIR.question) + 1
    assert (batch.weights[batch.ids == PADDING] == 0).all()
    assert sum(len(each.ids) for each in in_order(given, 300)) == len(asked)


def test_the_kinds_change_with_progress_and_the_seed_decides() -> None:
    asked = [Asked(SENTENCE, 8, 19, FAIR.question, kind) for kind in (PEOPLE, GRAMMAR)] * 20
    given = lay_out(asked)

    def drawn(progress: float) -> list[int]:
        drawer = AskDrawer(given, tokens=4000, seed=2)
        ids = np.concatenate([drawer.draw(progress).ids for _ in range(12)])
        return [int((ids == kind).sum()) for kind in (PEOPLE, GRAMMAR)]

    first, last = drawn(0.0), drawn(1.0)
    assert first[0] < first[1]
    assert last[0] > last[1]
    assert drawn(0.0) == first


def test_a_digest_tells_questions_apart() -> None:
    other = Asked(SENTENCE, 8, 12, FAIR.question)
    assert questions_digest([FAIR]) == questions_digest([FAIR])
    assert questions_digest([FAIR]) != questions_digest([other])
