"""Training texts that stand in an evaluation set are found, whatever their marks and blanks."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.contamination import READING_TEST, RUN_WORDS, EvaluationTexts, read_evaluation_texts
from model.errors import DataError
from model.texts import letters_and_digits
from tests.model.eval_sets import write_rows

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


def slow_contain(evaluation: list[str], texts: list[str]) -> list[bool]:
    def words(text: str) -> list[str]:
        return re.findall(r"[^\W_]+", text.casefold())

    def runs(text: str) -> set[tuple[str, ...]]:
        found = words(text)
        return {
            tuple(found[at : at + RUN_WORDS]) for at in range(max(len(found) - RUN_WORDS + 1, 0))
        }

    forms = {letters_and_digits(text) for text in evaluation} - {""}
    known = {run for text in evaluation for run in runs(text)}
    return [letters_and_digits(text) in forms or bool(runs(text) & known) for text in texts]


WORDS = ("a", "B", "straße", "x1", "été", "İ", "名", "2")
MARKS = (" ", " ", "-", ". ", "_", "\n", "\0")


def invented_texts(seed: int) -> tuple[list[str], list[str]]:
    """Evaluation texts of few words, and texts that quote up to thirty words of one of them."""
    rng = random.Random(seed)

    def write(words: list[str]) -> str:
        return "".join(rng.choice((word, word.upper())) + rng.choice(MARKS) for word in words)

    sources = [rng.choices(WORDS, k=rng.randrange(40)) for _ in range(5)]
    texts = []
    for _ in range(8):
        quoted, start = rng.choice(sources), rng.randrange(10)
        before, after = (rng.choices(WORDS, k=rng.randrange(3)) for _ in range(2))
        texts.append(write([*before, *quoted[start : start + rng.randrange(30)], *after]))
    return [write(words) for words in sources], texts


@settings(deadline=None)  # the first call makes a table of all characters
@given(st.integers(0, 2**32))
def test_it_finds_what_the_slow_reference_finds(seed: int) -> None:
    evaluation, texts = invented_texts(seed)
    found = EvaluationTexts(evaluation).contain(texts).tolist()
    assert found == slow_contain(evaluation, texts)


def test_the_invented_texts_hold_both_kinds() -> None:
    found = [slow_contain(*invented_texts(seed)) for seed in range(20)]
    assert 20 < sum(map(sum, found)) < 140


@pytest.mark.parametrize(
    ("text", "is_seen"),
    [
        (f"He counted: {LONG.replace(' ', ', ').upper()}!", True),
        ("Zero one " + LONG.partition(" ")[2], True),
        (" ".join(LONG.split()[:12]), False),
        (" ".join(LONG.split()[1:13]) + " 14", False),
        ("Floods,   EVERYWHERE?", True),
        ("floods everywhere now", False),
        ("", False),
        ("...", False),
    ],
)
def test_a_run_of_words_or_the_same_letters_is_enough(text: str, is_seen: bool) -> None:
    assert EvaluationTexts([LONG, "Floods everywhere!", ""]).contain([text]).tolist() == [is_seen]


def test_a_run_does_not_reach_from_one_text_into_the_next() -> None:
    words = LONG.split()
    known = EvaluationTexts([" ".join(words[:7]), " ".join(words[7:])])
    assert not known.contain([LONG]).any()
    halves = [" ".join(words[:7]) + " more", "and " + " ".join(words[7:])]
    assert not EvaluationTexts([LONG]).contain(halves).any()


def test_every_set_below_the_folder_is_read_in_all_its_fields(tmp_path: Path) -> None:
    folder = tmp_path / "eval"
    write_rows(folder / "sts" / "ONE.dev.jsonl.xz", [{"a": "left side", "b": "right side"}])
    paraphrase = {"text": "first text", "text2": "second text", "label": 1}
    write_rows(folder / "classification" / "TWO" / "all.jsonl.xz", [paraphrase])
    document = {"_id": "1", "title": "its title", "text": "its body"}
    write_rows(folder / "beir" / "THREE" / "corpus.jsonl.xz", [document])
    write_rows(folder / "later" / "FOUR" / "queries.jsonl.xz", [{"_id": "1", "text": "a query"}])
    reading = {"title": "t", "context": "a paragraph", "qas": [{"q": "a question"}]}
    write_rows(tmp_path / READING_TEST, [reading])
    texts = ["left side", "right side", "first text", "second text", "its title", "its body"]
    texts += ["its title its body", "a query", "a paragraph", "a question"]
    known = read_evaluation_texts(tmp_path)
    assert known.contain(texts).all()
    assert not known.contain(["something else"]).any()


def test_missing_and_broken_sets_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="contamination"):
        read_evaluation_texts(tmp_path)
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "broken.jsonl.xz").write_bytes(b"not xz")
    with pytest.raises(DataError, match=r"broken\.jsonl\.xz"):
        read_evaluation_texts(tmp_path)
