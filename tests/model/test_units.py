"""Units: the vectorised code against slow and obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.characters import TEXT_END, is_blank, is_word_character, join_base_letters
from model.contexts import MAX_ORDER, ContextTable, train_context_table
from model.hashing import SpanHasher
from model.units import (
    MAX_GRAM,
    MAX_UNIT_CHARS,
    MIN_GRAM,
    FeatureFinder,
    Spans,
    UnitRows,
    find_confident_units,
    find_words,
)

any_texts = st.lists(st.text(alphabet=st.characters(), max_size=40), max_size=5)
NO_ROWS = np.empty(0, dtype=np.uint32)


@pytest.fixture(scope="module")
def contexts(sentences: list[str]) -> ContextTable:
    return train_context_table([join_base_letters(sentences)[0]], bits=16, min_count=2)


def spelled(points: np.ndarray, spans: Spans) -> list[str]:
    pairs = zip(spans.starts, spans.ends, strict=True)
    return ["".join(map(chr, points[start:end])) for start, end in pairs]


def words_of(text: str) -> list[str]:
    points, _ = join_base_letters([text])
    return spelled(points, find_words(points))


def units_of(text: str, contexts: ContextTable, threshold: float) -> list[str]:
    points, _ = join_base_letters([text])
    return spelled(points, find_confident_units(points, contexts, threshold=threshold))


def slow_units(text: str, contexts: ContextTable, threshold: float) -> list[str]:
    """The definition, character by character."""
    points, _ = join_base_letters([text])
    probability = contexts.next_probability(points)
    units, current = [], ""
    for at, point in enumerate(points):
        is_new = probability[at] < threshold or point == TEXT_END
        is_new |= at > 0 and points[at - 1] == TEXT_END
        if is_new or len(current) == MAX_UNIT_CHARS:
            units.append(current)
            current = ""
        current += chr(point)
    blanks = "".join(chr(p) for p in set(points) if is_blank(np.array([p], dtype=np.uint32))[0])
    stripped = [unit.strip(blanks or " ") for unit in [*units, current]]
    return [unit for unit in stripped if unit]


def test_words_and_marks() -> None:
    assert words_of("It's 3.5% up: U.S., São-Paulo!") == [
        *("it", "'", "s", "3", ".", "5", "%", "up", ":", "u", ".", "s", ".", ","),
        *("sao", "-", "paulo", "!"),
    ]


@given(st.text(alphabet="ab7é .,'\n\t北😀", max_size=60))
def test_words_equal_a_slow_reference(text: str) -> None:
    points, _ = join_base_letters([text])
    expected: list[str] = []
    run = ""
    for point in points:
        one = np.array([point], dtype=np.uint32)
        if is_word_character(one)[0]:
            run += chr(point)
            continue
        expected += [run] if run else []
        expected += [] if is_blank(one)[0] else [chr(point)]
        run = ""
    assert spelled(points, find_words(points)) == expected


@given(st.text(alphabet="aeht modr.\n", max_size=80), st.sampled_from([0.0, 0.05, 0.3, 1.1]))
def test_confident_units_equal_a_slow_reference(
    contexts: ContextTable, text: str, threshold: float
) -> None:
    assert units_of(text, contexts, threshold) == slow_units(text, contexts, threshold)


def test_confident_units_equal_a_slow_reference_on_text(
    contexts: ContextTable, sentences: list[str]
) -> None:
    for text in sentences[:40]:
        assert units_of(text, contexts, 0.2) == slow_units(text, contexts, 0.2)


def test_units_follow_predictability(contexts: ContextTable) -> None:
    units = units_of("The mayor opens the old bridge on Monday.", contexts, 0.3)
    # After "the o" the rest of the phrase is certain in this grammar.
    assert any("old bridge" in unit for unit in units)
    assert len(units) < 41 / 3
    noise = units_of("zq xv jkk wpf", contexts, 0.3)
    assert all(len(unit) == 1 for unit in noise)


def test_probability_rises_with_context(contexts: ContextTable) -> None:
    points, _ = join_base_letters(["the minister repairs the harbour in spring."])
    probability = contexts.next_probability(points)
    assert probability.min() > 0
    assert probability.max() <= 1
    inside = "the minister".index("ster")
    assert probability[inside : inside + 4].min() > 0.5
    assert probability[0] < 0.5


def test_counts_of_the_table_are_those_of_the_text() -> None:
    points = np.frombuffer("abababac".encode("utf-32-le"), dtype=np.uint32)
    table = train_context_table([points], bits=20, min_count=1)
    hand = np.frombuffer("ab".encode("utf-32-le"), dtype=np.uint32)
    # Of 8 characters 4 are "a"; three of the four are followed by "b". A context of count n is
    # trusted n / (n + 4).
    first = 8 / 12 * (4 / 8)
    unigram_b = 8 / 12 * (3 / 8)
    second = 4 / 8 * (3 / 4) + 4 / 8 * unigram_b
    expected = np.array([first, second]) + 1e-6
    assert np.allclose(table.next_probability(hand), expected, rtol=0.1)


@given(st.text(alphabet="abc", min_size=1, max_size=20), st.integers(0, 30))
def test_equal_spans_hash_alike_wherever_they_stand(span: str, shift: int) -> None:
    def hash_at(offset: int) -> int:
        text = "x" * offset + span + "y"
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        hasher = SpanHasher(points)
        ends = np.array([offset + len(span)])
        assert hasher.windows(len(span))[offset] == hasher.spans(np.array([offset]), ends)[0]
        return int(hasher.spans(np.array([offset]), ends)[0])

    assert hash_at(0) == hash_at(shift)


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
    finder = FeatureFinder(("word", "gram", "pair", "unit"), contexts, threshold=0.2)
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


def test_no_text_and_no_rows_are_fine() -> None:
    finder = FeatureFinder(("word", "gram"), None, threshold=0)
    rows, offsets = UnitRows(finder, NO_ROWS, trusted_rows=0).find(["", "one two"])
    assert rows.tolist() == []
    assert offsets.tolist() == [0, 0, 0]
    assert finder.find([]).buckets.tolist() == []


@pytest.mark.parametrize("kinds", [(), ("gram",), ("word", "nonsense"), ("unit",)])
def test_wrong_kinds_are_refused(kinds: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"kinds|contexts"):
        FeatureFinder(kinds, None, threshold=0)


def test_context_is_bounded() -> None:
    assert MAX_ORDER == 6
