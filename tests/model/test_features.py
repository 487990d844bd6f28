"""Features of texts and the rows they own, against slow and obvious references."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.characters import (
    is_word_character,
)
from model.contexts import (
    ContextTable,
)
from model.units import (
    MAX_GRAM,
    MIN_GRAM,
    FeatureFinder,
    UnitRows,
)
from tests.model.unit_texts import NO_ROWS, any_texts, words_of


def slow_grams(text: str) -> int:
    """How many n-grams a text has, by definition: padded words cut up, whole words left out."""
    count = 0
    for word in words_of(text):
        if not is_word_character(np.array([ord(word[0])], dtype=np.uint32))[0]:
            continue
        padded = f" {word} "
        for length in range(MIN_GRAM, MAX_GRAM + 1):
            starts = range(len(padded) - length + 1)
            count += sum(padded[at : at + length] != padded for at in starts)
    return count


@given(any_texts)
def test_grams_equal_a_slow_reference(texts: list[str]) -> None:
    features = FeatureFinder(("word", "gram"), None, threshold=0).find(texts)
    grams = features.owners[features.parents >= 0]
    assert np.bincount(grams, minlength=len(texts)).tolist() == [slow_grams(t) for t in texts]
    # The word that a gram was cut from lies in the same text.
    assert (features.owners[features.parents[features.parents >= 0]] == grams).all()


@given(any_texts)
def test_features_of_a_text_do_not_depend_on_its_neighbours(
    contexts: ContextTable, texts: list[str]
) -> None:
    kinds = ("word", "gram", "pair", "unit", "phrase", "part")
    finder = FeatureFinder(kinds, contexts, threshold=0.2)
    together = finder.find(texts)
    for at, text in enumerate(texts):
        alone = finder.find([text])
        assert together.buckets[together.owners == at].tolist() == alone.buckets.tolist()


def test_trusted_units_stand_without_their_grams() -> None:
    finder = FeatureFinder(("word", "gram"), None, threshold=0)
    buckets = np.unique(finder.find(["bridge"]).buckets).astype(np.uint32)
    word = finder.find(["bridge"]).buckets[0]
    ordered = np.concatenate(([word], buckets[buckets != word])).astype(np.uint32)
    spared, _ = UnitRows(finder, ordered, trusted_rows=1).find(["bridge"])
    full, _ = UnitRows(finder, ordered, trusted_rows=0).find(["bridge"])
    assert spared.tolist() == [0]
    assert len(full) == 1 + slow_grams("bridge")


def rows_of_some(kinds: tuple[str, ...], texts: list[str], contexts: ContextTable) -> UnitRows:
    """Two of three features own a row, so that some tokens own none."""
    finder = FeatureFinder(kinds, contexts, threshold=0.2)
    buckets = np.unique(finder.find(texts).buckets)
    owned = buckets[buckets % 3 > 0].astype(np.uint32)
    return UnitRows(finder, owned, trusted_rows=len(owned) // 4)


def rows_by_token(lookup: UnitRows, texts: list[str]) -> list[list[list[int]]]:
    """Rows of each token of each text, sorted."""
    rows, tokens, offsets = lookup.find_tokens(texts)
    assert (np.diff(tokens) >= 0).all()
    assert np.unique(tokens).tolist() == list(range(offsets[-1]))
    per_token = [sorted(rows[tokens == token].tolist()) for token in range(offsets[-1])]
    return [per_token[offsets[at] : offsets[at + 1]] for at in range(len(texts))]


@given(st.lists(st.text(alphabet="abé1 .,\n", max_size=30), max_size=4))
def test_rows_by_token_equal_a_slow_reference(contexts: ContextTable, texts: list[str]) -> None:
    lookup = rows_of_some(("word", "gram", "pair"), texts, contexts)

    def slow_tokens(text: str) -> list[list[int]]:
        """Each word looked up by itself, each pair by its two words."""
        tokens, before = [], ""
        for word in words_of(text):
            rows = lookup.find([word])[0].tolist()
            if before:
                both = Counter(lookup.find([f"{before} {word}"])[0].tolist())
                rows += (both - Counter(lookup.find([before])[0].tolist() + rows)).elements()
            tokens += [sorted(rows)] if rows else []
            before = word
        return tokens

    assert rows_by_token(lookup, texts) == [slow_tokens(text) for text in texts]


@pytest.mark.parametrize(
    "kinds",
    [
        ("word", "gram", "pair", "unit", "part"),
        ("unit", "gram", "pair"),
        ("phrase", "word", "gram", "part"),
    ],
)
@given(texts=any_texts)
def test_rows_by_token_are_the_rows_of_the_text(
    contexts: ContextTable, kinds: tuple[str, ...], texts: list[str]
) -> None:
    lookup = rows_of_some(kinds, texts, contexts)
    rows, offsets = lookup.find(texts)
    by_token = rows_by_token(lookup, texts)
    for at, text in enumerate(texts):
        flat = sorted(row for token in by_token[at] for row in token)
        assert flat == sorted(rows[offsets[at] : offsets[at + 1]].tolist())
        assert by_token[at] == rows_by_token(lookup, [text])[0]


def test_features_stand_in_their_tokens(contexts: ContextTable) -> None:
    features = FeatureFinder(("word", "gram", "pair"), None, threshold=0).find(["ab cd", "ef"])
    assert features.tokens[:3].tolist() == [0, 1, 2]
    grams = features.parents >= 0
    assert (features.tokens[grams] == features.parents[grams]).all()
    assert features.tokens[~grams][3:].tolist() == [1]


def test_no_text_and_no_rows_are_fine() -> None:
    finder = FeatureFinder(("word", "gram"), None, threshold=0)
    rows, offsets = UnitRows(finder, NO_ROWS, trusted_rows=0).find(["", "one two"])
    assert rows.tolist() == []
    assert offsets.tolist() == [0, 0, 0]
    assert finder.find([]).buckets.tolist() == []


@pytest.mark.parametrize(
    "kinds", [(), ("gram",), ("part", "word"), ("word", "nonsense"), ("unit",), ("word", "phrase")]
)
def test_wrong_kinds_are_refused(kinds: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"kinds|contexts"):
        FeatureFinder(kinds, None, threshold=0)
