"""Words, parts of identifiers, stems; and the documents that share them."""

from __future__ import annotations

import numpy as np
import pytest

from model.lexical import EnglishTokens, LexicalIndex, WordTokens

TOKENS = WordTokens()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Walking dogs", ["walk", "dog"]),
        ("min_x", ["min_x", "min", "x"]),
        ("walkRows", ["walkrow", "walk", "row"]),
        ("getHTTPResponse2", ["gethttpresponse2", "get", "http", "response2"]),
        ("__init__", ["init"]),
        ("SHOUTED", ["shout"]),
        ("naïve São", ["naiv", "sao"]),
        ("3.14 v2", ["3", "14", "v2"]),
        ("is_valid", ["is_valid", "valid"]),
        ("The of and", []),
        ("... -- !", []),
        ("", []),
    ],
)
def test_tokens(text: str, tokens: list[str]) -> None:
    assert TOKENS([text]) == [tokens]


def test_tokens_of_bm25s_as_it_comes() -> None:
    assert EnglishTokens()(["The walking of a min_x", ""]) == [["walk", "min_x"], []]
    assert EnglishTokens(splits_identifiers=True)(["min_x walkRows"]) == [
        ["min", "x", "walk", "row"]
    ]
    assert EnglishTokens()([]) == []


@pytest.mark.parametrize("tokenize", [TOKENS, EnglishTokens()])
def test_documents_that_share_words_score(tokenize) -> None:
    index = LexicalIndex(["a bridge opens", "", "bridges, bridges"], tokenize, k1=0.9, b=0.4)
    found = index.scores(["the bridge", "opening", "", "unheard"])
    assert found.dtype == np.float32
    assert found.shape == (4, 3)
    assert found[0, 2] > found[0, 0] > found[0, 1] == 0
    assert found[1, 0] > 0
    assert not found[2:].any()


def test_bm25_by_hand() -> None:
    index = LexicalIndex(["cat cat dog", "dog"], TOKENS, k1=1.0, b=0.0)
    # Lucene's idf: log(1 + (N - n + 0.5) / (n + 0.5)); two of a word weigh 2 / (2 + 1).
    assert index.scores(["cat"])[0, 0] == pytest.approx(np.log(1 + 1.5 / 1.5) * 2 / 3, rel=1e-5)


def test_a_corpus_without_words_is_searched_in_vain() -> None:
    assert LexicalIndex(["", "..."], TOKENS, k1=1, b=0.5).scores(["cat"]).tolist() == [[0, 0]]
