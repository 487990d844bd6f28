"""Training text: what is read, what is kept out."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from model.data import (
    Source,
    batched,
    build_corpus,
    evaluation_forms,
    letters_and_digits,
    split_sentences,
)
from model.errors import DataError

NEWS = Source("news", "train/news.jsonl.xz", lambda row: split_sentences(row["text"]), 100)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    pair = {"a": "The dam burst at noon.", "b": "Floods, everywhere!", "score": 3, "subset": "x"}
    write_rows(tmp_path / "eval" / "sts" / "ONE.jsonl.xz", [pair])
    spare = {"a": "Only for development.", "b": "Nothing else", "score": 1, "subset": "x"}
    write_rows(tmp_path / "eval" / "sts" / "ONE.dev.jsonl.xz", [spare])
    text = "THE DAM burst, at noon. The town was warned early. Floods everywhere? A bridge held."
    write_rows(tmp_path / "train" / "news.jsonl.xz", [{"text": text}])
    return tmp_path


def test_evaluation_texts_are_removed_whatever_their_marks_and_case(data: Path) -> None:
    corpus = build_corpus(data, (NEWS,))
    assert sorted(corpus.texts) == ["A bridge held.", "The town was warned early."]
    assert corpus.contaminated == 2
    assert corpus.counts == {"news": 2}


def test_development_texts_are_removed_too(data: Path) -> None:
    assert letters_and_digits("only for DEVELOPMENT") in evaluation_forms(data / "eval" / "sts")


def test_the_same_text_is_taken_once(data: Path) -> None:
    rows = [{"text": "A bridge held.\nA BRIDGE HELD!"}, {"text": "A bridge held."}]
    write_rows(data / "train" / "news.jsonl.xz", rows)
    assert len(build_corpus(data, (NEWS, NEWS)).texts) == 1


def test_the_selection_is_stable_and_limited(data: Path) -> None:
    rows = [{"text": f"Sentence number {number} of the paper."} for number in range(300)]
    write_rows(data / "train" / "news.jsonl.xz", rows)
    first = build_corpus(data, (NEWS,))
    write_rows(data / "train" / "news.jsonl.xz", rows[::-1])
    second = build_corpus(data, (NEWS,))
    assert len(first.texts) == 100
    assert first.texts == second.texts
    assert first.digest == second.digest


def test_later_articles_are_never_read(data: Path) -> None:
    for year in (2024, 2025):
        row = {"body": f"The council met in {year} to talk about it."}
        write_rows(data / "realtimeqa" / f"articles-{year}.jsonl.xz", [row])
    articles = Source("a", "realtimeqa/articles-*.jsonl.xz", lambda row: [row["body"]], 9)
    assert build_corpus(data, (articles,)).texts == ("The council met in 2024 to talk about it.",)


def test_missing_and_broken_files_are_named(data: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.xz"):
        build_corpus(data, (Source("none", "train/nothing.xz", lambda row: [], 1),))
    (data / "train" / "news.jsonl.xz").write_bytes(b"not xz")
    with pytest.raises(DataError, match=r"news\.jsonl\.xz"):
        build_corpus(data, (NEWS,))


def test_without_evaluation_texts_there_is_no_training(data: Path) -> None:
    for path in (data / "eval" / "sts").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="contamination"):
        build_corpus(data, (NEWS,))


def test_sentences() -> None:
    text = 'He said "No." Then he left.  It cost $3.5 million.\nNew line? (Yes.) end'
    assert split_sentences(text) == [
        'He said "No."',
        "Then he left.",
        "It cost $3.5 million.",
        "New line?",
        "(Yes.) end",
    ]


def test_batches_cover_everything_in_order() -> None:
    assert list(batched(range(7), 3)) == [(0, 1, 2), (3, 4, 5), (6,)]
