"""Words, parts of identifiers, stems; and the documents that share them."""

from __future__ import annotations

import numpy as np
import pytest

from model.lexical import (
    EnglishTokens,
    LexicalIndex,
    WordTokens,
    WordWeights,
    character_grams,
    neighbour_pairs,
)

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
    index = LexicalIndex(
        ["a bridge opens", "", "bridges, bridges"], tokenize, WordWeights(0.9, 0.4)
    )
    found = index.scores(["the bridge", "opening", "", "unheard"])
    assert found.dtype == np.float32
    assert found.shape == (4, 3)
    assert found[0, 2] > found[0, 0] > found[0, 1] == 0
    assert found[1, 0] > 0
    assert not found[2:].any()


def test_bm25_by_hand() -> None:
    index = LexicalIndex(["cat cat dog", "dog"], TOKENS, WordWeights(1.0, 0.0))
    # Lucene's idf: log(1 + (N - n + 0.5) / (n + 0.5)); two of a word weigh 2 / (2 + 1).
    assert index.scores(["cat"])[0, 0] == pytest.approx(np.log(1 + 1.5 / 1.5) * 2 / 3, rel=1e-5)


def test_a_corpus_without_words_is_searched_in_vain() -> None:
    assert LexicalIndex(["", "..."], TOKENS, WordWeights(1.0, 0.5)).scores(["cat"]).tolist() == [
        [0, 0]
    ]


def test_tokens_beside_words() -> None:
    assert neighbour_pairs(["old", "bridg", "open"]) == ["old bridg", "bridg open"]
    assert neighbour_pairs(["old"]) == neighbour_pairs([]) == []
    assert character_grams(["bridg", "at"]) == ["<brid", "bridg", "ridg>", "<at>"]


def test_each_kind_of_token_adds_its_bm25() -> None:
    documents = ["old stone bridge", "bridge of old stone", "stones"]
    index = LexicalIndex(documents, TOKENS, WordWeights(0.9, 0.4, pairs=0.5, grams=0.25))
    parts = index.parts(["stone bridge"])
    expected = parts["words"] + 0.5 * parts["pairs"] + 0.25 * parts["grams"]
    np.testing.assert_allclose(index.scores(["stone bridge"]), expected, rtol=1e-6)
    assert (parts["pairs"][0] > 0).tolist() == [True, False, False]


def test_words_of_one_root_meet_in_their_grams() -> None:
    documents = ["phosphorylation", "oxygen"]
    with_grams = LexicalIndex(documents, TOKENS, WordWeights(0.9, 0.4, grams=0.1))
    assert not LexicalIndex(documents, TOKENS, WordWeights(0.9, 0.4)).scores(["phosphorus"]).any()
    found = with_grams.scores(["phosphorus"])
    assert found[0, 0] > 0 == found[0, 1]
