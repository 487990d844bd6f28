"""Search sets: which files, which split, which queries."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from model import DataError
from model.search_sets import read_search_set, read_search_sets
from tests.model.eval_sets import write_rows, write_search_set

DOCUMENTS = {"d2": "second", "d1": "first", "d3": ""}
QUERIES = {"q1": "one", "q2": "two", "q3": "three"}


@pytest.mark.parametrize(
    ("splits", "chosen"),
    [
        (["train", "dev", "test"], "test"),
        (["train", "dev"], "dev"),
        (["train"], "train"),
        (["other"], "other"),
    ],
)
def test_the_split_evaluated(tmp_path: Path, splits: list[str], chosen: str) -> None:
    qrels = {split: {"q1": {"d1": 1}} for split in splits}
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, qrels)
    assert read_search_set(tmp_path / "news").split == chosen


def test_queries_are_those_of_the_qrels(tmp_path: Path) -> None:
    qrels = {"test": {"q3": {"d1": 2, "gone": 1}, "q1": {"d2": 0}}, "dev": {"q2": {"d1": 1}}}
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, qrels)
    found = read_search_set(tmp_path / "news")
    assert found.queries == {"q3": "three", "q1": "one"}
    assert found.qrels == {"q3": {"d1": 2, "gone": 1}, "q1": {"d2": 0}}
    assert read_search_set(tmp_path / "news", "dev").queries == {"q2": "two"}


def test_documents_are_title_and_text_by_id(tmp_path: Path) -> None:
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, {"test": {"q1": {"d1": 1}}})
    rows: list[dict[str, Any]] = [
        {"_id": "b", "title": "Head", "text": "body"},
        {"_id": "a", "title": "", "text": "body alone"},
        {"_id": "c", "title": None, "text": ""},
        {"_id": 7, "text": " no title "},
    ]
    write_rows(tmp_path / "news" / "corpus.jsonl.xz", rows)
    found = read_search_set(tmp_path / "news")
    assert found.document_ids == ("7", "a", "b", "c")
    assert found.documents == ("no title", "body alone", "Head body", "")


def test_a_set_without_qrels_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, {"test": {"q1": {"d1": 1}}})
    write_search_set(tmp_path / "challenge", DOCUMENTS, QUERIES, {})
    with caplog.at_level(logging.WARNING):
        assert [it.name for it in read_search_sets(tmp_path)] == ["news"]
    assert [record.__dict__["set"] for record in caplog.records] == ["challenge"]


def test_a_query_that_is_not_there_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    qrels = {"test": {"q1": {"d1": 1}, "q9": {"d1": 1}}}
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, qrels)
    with caplog.at_level(logging.WARNING):
        assert list(read_search_set(tmp_path / "news").queries) == ["q1"]
    assert "unknown queries" in caplog.text


@pytest.mark.parametrize("missing", ["corpus.jsonl.xz", "queries.jsonl.xz"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, {"test": {"q1": {"d1": 1}}})
    (tmp_path / "news" / missing).unlink()
    with pytest.raises(DataError, match=missing) as caught:
        read_search_sets(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["q1\td1\n", "q1\td1\tmuch\n"])
def test_wrong_qrels_are_named(tmp_path: Path, line: str) -> None:
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, {})
    (tmp_path / "news" / "qrels.test.tsv").write_text("query-id\tcorpus-id\tscore\n" + line)
    with pytest.raises(DataError, match=r"news/qrels\.test\.tsv"):
        read_search_set(tmp_path / "news")


def test_wrong_rows_are_named(tmp_path: Path) -> None:
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, {"test": {"q1": {"d1": 1}}})
    write_rows(tmp_path / "news" / "corpus.jsonl.xz", [{"id": "d1", "text": "first"}])
    with pytest.raises(DataError, match=r"news/corpus\.jsonl\.xz"):
        read_search_set(tmp_path / "news")


def test_nothing_to_search_is_said(tmp_path: Path) -> None:
    write_search_set(tmp_path / "news", DOCUMENTS, QUERIES, {})
    with pytest.raises(DataError, match="no set with qrels"):
        read_search_sets(tmp_path)
    with pytest.raises(DataError, match=r"no qrels\.SPLIT\.tsv"):
        read_search_set(tmp_path / "news")
    write_search_set(tmp_path / "news", {}, QUERIES, {"test": {"q1": {"d1": 1}}})
    with pytest.raises(DataError, match="is empty"):
        read_search_set(tmp_path / "news")
    write_search_set(tmp_path / "news", DOCUMENTS, {}, {"test": {"q1": {"d1": 1}}})
    with pytest.raises(DataError, match="names no query"):
        read_search_set(tmp_path / "news")
