"""Training text: what is read, what is kept out."""

from __future__ import annotations

import lzma
from itertools import pairwise
from pathlib import Path

import pytest

from model.code_pairs import CodePair
from model.data import (
    SOURCES,
    Kind,
    Source,
    batched,
    build_corpus,
    is_usable,
    read_rows,
    split_sentences,
)
from model.errors import DataError
from model.passages import (
    MAX_PASSAGE_CHARS,
    MIN_PASSAGE_CHARS,
    all_passages,
    first_passages,
    whole_sentences,
)
from tests.model.eval_sets import write_rows

NEWS = Source("news", "train/news.jsonl.xz", lambda row: split_sentences(row["text"]), 100)


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


def test_development_texts_are_removed_too_and_counted_by_source(data: Path) -> None:
    write_rows(data / "train" / "news.jsonl.xz", [{"text": "ONLY for development!"}])
    corpus = build_corpus(data, (NEWS,))
    assert corpus.texts == ()
    assert corpus.removed == {"news": 1}


def test_a_text_that_holds_a_part_of_an_evaluation_text_is_removed(data: Path) -> None:
    shared = "on the third day of the week the council of the old town met"
    held = {"_id": "1", "title": "", "text": f"It is known that {shared} again."}
    write_rows(data / "eval" / "beir" / "TWO" / "corpus.jsonl.xz", [held])
    write_rows(data / "train" / "news.jsonl.xz", [{"text": f"Yesterday {shared}, he said."}])
    assert build_corpus(data, (NEWS,)).contaminated == 1


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


def test_further_text_is_checked_like_all_other(data: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    rows = [{"text": "Proteins fold in water."}, {"text": "The dam burst at noon"}]
    write_rows(more / "science.jsonl.xz", rows)
    corpus = build_corpus(data, (NEWS,), more=more)
    assert corpus.counts == {"news": 2, "science": 1}
    assert corpus.removed == {"news": 2, "science": 1}
    assert "Proteins fold in water." in corpus.texts


@pytest.mark.parametrize("row", [{}, {"text": None}, {"text": 3}, ["text"]])
def test_further_text_without_text_is_named(data: Path, tmp_path: Path, row) -> None:
    more = tmp_path / "more"
    with pytest.raises(DataError, match=r"no further training text in .*more"):
        build_corpus(data, (NEWS,), more=more)
    write_rows(more / "science.jsonl.xz", [row])
    with pytest.raises(DataError, match=r"science\.jsonl\.xz: a row has no text"):
        build_corpus(data, (NEWS,), more=more)


def test_missing_and_broken_files_are_named(data: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.xz"):
        build_corpus(data, (Source("none", "train/nothing.xz", lambda row: [], 1),))
    (data / "train" / "news.jsonl.xz").write_bytes(b"not xz")
    with pytest.raises(DataError, match=r"news\.jsonl\.xz"):
        build_corpus(data, (NEWS,))


def test_without_evaluation_texts_there_is_no_training(data: Path) -> None:
    for path in (data / "eval" / "sts").iterdir():
        path.unlink()
    (data / "eval" / "sts").rmdir()
    with pytest.raises(DataError, match="contamination"):
        build_corpus(data, (NEWS,))


def test_each_text_keeps_its_kind_and_a_prefix_keeps_them_in_step(data: Path) -> None:
    long = " ".join(f"Sentence number {number} of a long passage." for number in range(12))
    sources = (
        NEWS,
        Source("passages", "train/news.jsonl.xz", lambda row: [long], 9, Kind.PASSAGE),
    )
    functions = [CodePair("Count all the rows.", "def count(rows):\n    return len(rows)", "p")]
    corpus = build_corpus(data, sources, functions=functions)
    kinds = dict(zip(corpus.texts, corpus.kinds, strict=True))
    assert kinds == {
        "A bridge held.": Kind.SENTENCE,
        "The town was warned early.": Kind.SENTENCE,
        "Count all the rows.": Kind.SENTENCE,
        long: Kind.PASSAGE,
        functions[0].code: Kind.CODE,
    }
    first = corpus.first(2)
    assert [kinds[text] for text in first.texts] == list(first.kinds)
    assert first.digest != corpus.digest


def test_how_long_a_text_may_be_depends_on_its_kind() -> None:
    text = "word " * 100
    assert not is_usable(text)
    assert is_usable(text, Kind.PASSAGE)
    assert is_usable(text, Kind.CODE)
    assert not is_usable(text * 2, Kind.PASSAGE)


def test_the_recipe_keeps_held_out_rows_out(data: Path) -> None:
    rows = [
        {"split": split, "q": f"is the {split} old?", "passage": f"The {split} is very old. " * 15}
        for split in ("train", "dev")
    ]
    write_rows(data / "train" / "qa" / "boolq_part.jsonl.xz", rows)
    sources = tuple(source for source in SOURCES if source.files.endswith("boolq_part.jsonl.xz"))
    corpus = build_corpus(data, sources)
    assert len(corpus.texts) == 2
    assert not any("dev" in text for text in corpus.texts)


def test_the_recipe_names_each_source_once_and_no_test_set() -> None:
    names = [source.name for source in SOURCES]
    assert len(set(names)) == len(names)
    files = " ".join(source.files for source in SOURCES)
    for word in ("eval", "dev", "test", "trecqa", "quail", "wnut", "conll", "2024", "2025"):
        assert word not in files


def test_passages_have_whole_sentences_and_lengths_within_the_bounds() -> None:
    sentences = [f"This is sentence {n} of {'very ' * (n % 40)}many." for n in range(200)]
    passages = list(all_passages(sentences))
    assert all(MIN_PASSAGE_CHARS <= len(text) <= MAX_PASSAGE_CHARS for text in passages)
    assert len({len(text) // 100 for text in passages}) > 3
    parts = [part for text in passages for part in split_sentences(text)]
    # What is left out is what no passage can hold: order is kept, nothing is taken twice.
    places = [sentences.index(part) for part in parts]
    assert all(one < other for one, other in pairwise(places))
    assert first_passages(sentences, 2) == passages[:2]


def test_a_text_too_short_or_without_a_cut_gives_no_passage() -> None:
    assert list(all_passages(["Too short."])) == []
    assert list(all_passages(["endless " * 200])) == []


def test_torn_sentences_are_dropped() -> None:
    text = "of the old bridge. It held. It was built in 1900. Nobody had"
    assert whole_sentences(text) == ["It held.", "It was built in 1900."]
    assert whole_sentences("") == []


def test_tables_of_pairs_are_read_by_column(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv.xz"
    path.write_bytes(lzma.compress(b"big\tlarge\nalone\n"))
    assert list(read_rows(path)) == [{"a": "big", "b": "large"}, {"a": "alone", "b": ""}]


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
