"""Pairs: which rows give them, what is kept out, and that the choice is stable."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.code_pairs import CodePair
from model.errors import DataError
from model.pairs import (
    CODE,
    MAX_ANCHOR_CHARS,
    MAX_POSITIVE_CHARS,
    NO_NEGATIVE,
    SOURCES,
    PairSource,
    build_pairs,
)
from model.texts import Row, letters_and_digits
from tests.model.eval_sets import write_rows

ROWS = PairSource("rows", "train/rows.jsonl.xz", lambda row: [(row["a"], row["b"])], 50)
BY_NAME = {source.name: source for source in SOURCES}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    held = {"a": "The dam burst at noon.", "b": "Floods, everywhere!", "score": 3}
    write_rows(tmp_path / "eval" / "sts" / "ONE.jsonl.xz", [held])
    return tmp_path


def pairs_of(data: Path, name: str, rows: list[Row]) -> set[tuple[str, str]]:
    """What a source of the recipe gives for some rows."""
    source = BY_NAME[name]
    write_rows(data / source.files.replace("*", "2023").replace("[23]", "3"), rows)
    found = build_pairs(data, (source,))
    return set(zip(found.anchors, found.positives, strict=True))


def test_a_pair_with_an_evaluation_text_on_either_side_is_dropped(data: Path) -> None:
    rows = [
        {"a": "THE DAM burst, at noon", "b": "Water broke through a wall."},
        {"a": "Water is everywhere.", "b": "Floods everywhere"},
        {"a": "A bridge held.", "b": "One bridge is still standing."},
    ]
    write_rows(data / ROWS.files, rows)
    found = build_pairs(data, (ROWS,))
    assert found.anchors == ("A bridge held.",)
    assert found.positives == ("One bridge is still standing.",)
    assert found.negatives == (NO_NEGATIVE,)
    assert found.sources == ("rows",)
    assert (found.counts, found.removed) == ({"rows": 1}, {"rows": 2})


def test_the_choice_is_stable_limited_and_takes_an_anchor_once(data: Path) -> None:
    rows = [
        {"a": f"Headline {number}", "b": f"Text {number}, part {part}."}
        for number in range(90)
        for part in range(2)
    ]
    write_rows(data / ROWS.files, rows)
    first = build_pairs(data, (ROWS,))
    write_rows(data / ROWS.files, rows[::-1])
    second = build_pairs(data, (ROWS,))
    assert first == second
    assert first.digest == second.digest
    assert len(set(first.anchors)) == len(first.anchors) == 50


def test_other_pairs_have_another_digest(data: Path) -> None:
    write_rows(data / ROWS.files, [{"a": "A bridge held.", "b": "It stands."}])
    first = build_pairs(data, (ROWS,)).digest
    write_rows(data / ROWS.files, [{"a": "A bridge held.", "b": "It still stands."}])
    assert build_pairs(data, (ROWS,)).digest != first


def test_equal_sides_and_texts_out_of_bounds_are_no_pair(data: Path) -> None:
    rows = [
        {"a": "A bridge held.", "b": "a BRIDGE held"},
        {"a": "long " * MAX_ANCHOR_CHARS, "b": "Something else."},
        {"a": "Something short.", "b": "long " * MAX_POSITIVE_CHARS},
        {"a": "", "b": "Nothing on the left."},
    ]
    write_rows(data / ROWS.files, rows)
    assert build_pairs(data, (ROWS,)).anchors == ()


def test_questions_get_hard_negatives_that_are_not_their_passage(data: Path) -> None:
    rows = [
        {
            "q": f"is the {word} bridge old?",
            "passage": f"The {word} bridge is old.",
            "split": "train",
        }
        for word in ("red", "green", "blue", "black", "white", "brown", "grey", "pink")
    ]
    write_rows(data / BY_NAME["yes-no"].files, rows)
    found = build_pairs(data, (BY_NAME["yes-no"],))
    assert len(found.negatives) == len(rows)
    for positive, negative in zip(found.positives, found.negatives, strict=True):
        assert negative in found.positives
        assert letters_and_digits(negative) != letters_and_digits(positive)


def test_code_is_one_more_source(data: Path) -> None:
    write_rows(data / ROWS.files, [{"a": "A bridge held.", "b": "It stands."}])
    functions = [
        CodePair("Count the rows.", "def count(rows): return len(rows)", "p"),
        CodePair("The dam burst at noon.", "def burst(dam): return dam.noon", "p"),
    ]
    found = build_pairs(data, (ROWS,), functions=functions)
    assert found.sources == ("rows", CODE)
    assert found.positives[1] == functions[0].code
    assert (found.counts[CODE], found.removed[CODE]) == (1, 1)


def test_labelled_pairs_of_scored_or_held_out_sets_stay_out(data: Path) -> None:
    def row(source: str, label: str, key: str = "nli") -> Row:
        return {
            "a": f"A long {source} text.",
            "b": f"Shorter {source} {label}.",
            "src": source,
            key: label,
        }

    rows = [row(source, "entailment") for source in ("mnli-train", "rte-rte3", "cb")]
    rows += [row(source, "entailment") for source in ("mnli-dev", "sick-train", "stsb-train")]
    rows += [row("mnli-train", label) for label in ("contradiction", "neutral", "not_entailment")]
    rows += [row(source, "1", "dup") for source in ("qqp-train", "qqp-dev", "mrpc-train")]
    found = pairs_of(data, "entailments", rows)
    assert {positive for _, positive in found} == {
        "A long mnli-train text.",
        "A long rte-rte3 text.",
        "A long cb text.",
    }


def test_rows_of_a_held_out_split_stay_out(data: Path) -> None:
    def selqa(split: str) -> Row:
        candidates = ["It is green.", f"It is in {split}."]
        return {"split": split, "q": f"Where is the {split}?", "cands": candidates, "answers": [1]}

    assert pairs_of(data, "selqa", [selqa("dev"), selqa("test")]) == {
        ("Where is the dev?", "It is in dev.")
    }
    boolq = [
        {"split": split, "q": f"is {split} old?", "passage": f"The {split} is old."}
        for split in ("train", "dev")
    ]
    assert pairs_of(data, "yes-no", boolq) == {("is train old?", "The train is old.")}


def test_a_question_that_its_cut_passage_cannot_answer_is_left_out(data: Path) -> None:
    row = {
        "context": "The bridge was built in 1900. It is red.",
        "qas": [
            {"q": "When was it built?", "answers": [["1900", 24]], "answerable": True},
            {"q": "Who built it?", "answers": [], "answerable": False},
            {"q": "How long is it?", "answers": [["90 metres", 2000]], "answerable": True},
        ],
    }
    assert {anchor for anchor, _ in pairs_of(data, "squad", [row])} == {"When was it built?"}


def test_the_recipe_names_no_test_set() -> None:
    files = " ".join(source.files for source in SOURCES)
    for word in ("eval", "trecqa", "squad2", "quail", "2024", "2025"):
        assert word not in files


def test_articles_after_the_last_year_are_never_read(data: Path) -> None:
    for year in (2024, 2025):
        body = " ".join(f"The council met in {year} to speak about matter {n}." for n in range(9))
        row = {"title": f"Council meets in {year}", "body": body}
        write_rows(data / "realtimeqa" / f"articles-{year}.jsonl.xz", [row])
    assert build_pairs(data, (BY_NAME["news"],)).anchors == ("Council meets in 2024",)


def test_missing_files_are_named(data: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.jsonl\.xz"):
        build_pairs(data, (ROWS,))
