"""Search: the whole corpus ranked, by vectors, by words and by both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import model.evaluate_search as search
from model.evaluate_search import (
    DENSE,
    HYBRID,
    LEXICAL,
    HybridIndex,
    our_words,
    score_search_set,
)
from model.search_sets import SearchSet, read_search_set
from tests.model.eval_sets import Given, LetterStates, write_search_set

WORDS = our_words()


def searched(documents: dict[str, str], queries: dict[str, str], qrels) -> SearchSet:
    ids = tuple(sorted(documents))
    return SearchSet("NEWS", "test", ids, tuple(documents[it] for it in ids), queries, qrels)


class Fixed:
    """Scores that are written down."""

    def __init__(self, *rows: list[float]) -> None:
        self._rows = np.array(rows, dtype=np.float32)
        self._at = 0

    def scores(self, queries):
        found = self._rows[self._at : self._at + len(queries)]
        self._at += len(queries)
        return {"fixed": found}


def test_both_together_find_what_each_alone_misses() -> None:
    documents = {
        "d1": "harbour strike",  # the same words, meant otherwise
        "d2": "a strike of dockers closes the old harbour",  # the answer, at some length
        "d3": "unions protest",  # another wording of another thing
        "d4": "cake recipes",
    }
    news = searched(documents, {"q": "strike in the harbour"}, {"q": {"d2": 1}})
    vectors = {
        "strike in the harbour": [1.0, 0.0],
        documents["d1"]: [0.0, 1.0],
        documents["d2"]: [0.8, 0.6],
        documents["d3"]: [1.0, 0.0],
    }
    index = HybridIndex(Given(vectors), news, WORDS, dense_weight=0.5)
    found = score_search_set(index, news)
    assert found[DENSE]["mrr"] == found[LEXICAL]["mrr"] == 0.5
    assert found[HYBRID]["mrr"] == found[HYBRID]["ndcg@10"] == 1


def test_equal_scores_are_ranked_by_id() -> None:
    news = searched(dict.fromkeys(["b", "a", "c"], ""), {"q": ""}, {"q": {"c": 1}})
    assert score_search_set(Fixed([1, 1, 1]), news)["fixed"]["mrr"] == pytest.approx(0.3333)
    assert score_search_set(Fixed([1, 0, 1]), news)["fixed"]["mrr"] == 0.5


def test_equal_documents_are_told_apart_by_nothing() -> None:
    documents = {f"d{at:03}": "the same text" for at in range(50)}
    news = searched(documents, {"q": "the same"}, {"q": {"d049": 1}})
    found = score_search_set(HybridIndex(LetterStates(), news, WORDS, dense_weight=0.3), news)
    assert {found[kind]["mrr"] for kind in (DENSE, LEXICAL, HYBRID)} == {0.02}


def test_the_whole_corpus_is_ranked() -> None:
    documents = {f"d{at:03}": "" for at in range(300)}
    news = searched(documents, {"q": ""}, {"q": {"d249": 1}})
    found = score_search_set(Fixed(list(range(300, 0, -1))), news)["fixed"]
    assert found == {"ndcg@10": 0.0, "recall@100": 0.0, "mrr": 0.004}


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = {f"d{at}": text for at, text in enumerate(["bridge", "school", "harbour", ""])}
    queries = {"q1": "a bridge", "q2": "school days", "q3": "", "q4": "harbours"}
    news = searched(documents, queries, {q: {f"d{at}": 1} for at, q in enumerate(queries)})
    index = HybridIndex(LetterStates(), news, WORDS, dense_weight=0.3)
    whole = score_search_set(index, news)
    monkeypatch.setattr(search, "MAX_BLOCK_SCORES", 1)
    assert score_search_set(index, news) == whole


@given(st.permutations(["d1", "d2", "d3", "d4"]))
def test_the_order_of_a_file_does_not_count(tmp_path_factory, order) -> None:
    texts = {"d1": "old bridge", "d2": "bridge", "d3": "", "d4": "bridge"}
    folder: Path = tmp_path_factory.mktemp("sets") / "NEWS"
    write_search_set(
        folder,
        {document: texts[document] for document in order},
        {"q1": "the bridge", "q2": ""},
        {"test": {"q1": {"d4": 1}, "q2": {"d3": 1}}},
    )
    news = read_search_set(folder)
    found = score_search_set(HybridIndex(LetterStates(), news, WORDS, dense_weight=0.5), news)
    assert found[LEXICAL]["mrr"] == pytest.approx((1 / 2 + 1 / 3) / 2, abs=1e-4)
    assert found[DENSE]["mrr"] == pytest.approx((1 / 2 + 1) / 2, abs=1e-4)
