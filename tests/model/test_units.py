"""Units: the vectorised code against slow and obvious references."""

from __future__ import annotations

import re
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.characters import (
    TEXT_END,
    base_letters,
    is_blank,
    is_word_character,
    join_base_letters,
    join_points,
)
from model.contexts import (
    ContextTable,
)
from model.units import (
    MAX_UNIT_CHARS,
    FeatureFinder,
    confident_cuts,
    find_confident_units,
    find_parts,
    find_phrases,
    find_words,
)
from tests.model.unit_texts import ODD_TEXTS, any_texts, spelled, words_of


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


@given(any_texts, st.sampled_from([0.0, 0.05, 0.3, 1.1]))
def test_units_with_their_blanks_are_the_text(
    contexts: ContextTable, texts: list[str], threshold: float
) -> None:
    points, _ = join_base_letters(texts)
    cuts = confident_cuts(points, contexts, threshold=threshold)
    assert cuts[-1] == len(points)
    assert not len(points) or cuts[0] == 0
    lengths = np.diff(cuts)
    assert ((lengths >= 1) & (lengths <= MAX_UNIT_CHARS)).all()
    units = [points[start:end] for start, end in pairwise(cuts)]
    assert np.array_equal(np.concatenate([*units, points[:0]]), points)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_texts_are_cut_like_others(contexts: ContextTable, text: str) -> None:
    for threshold in (0.0, 0.2):
        assert units_of(text, contexts, threshold) == slow_units(text, contexts, threshold)
        assert phrases_of(text, contexts, threshold) == slow_phrases(text, contexts, threshold)
    kinds = ("phrase", "word", "gram", "pair", "unit", "part")
    FeatureFinder(kinds, contexts, threshold=0.2).find([text])


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, " " * 1_000_000, "a b " * 250_000, "\n" * 1_000_000]
)
@pytest.mark.parametrize(("threshold", "cut"), [(0.0, "unit"), (2.0, "unit"), (0.0, "phrase")])
def test_memory_is_bounded(contexts: ContextTable, text: str, threshold: float, cut: str) -> None:
    points, _ = join_base_letters([text])
    # Threshold 2: every character is a unit of its own.
    tracemalloc.start()
    find_confident_units(points, contexts, threshold=threshold, aligned=cut == "phrase")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 80 * len(points) + 4_000_000


def phrases_of(text: str, contexts: ContextTable, threshold: float) -> list[str]:
    points, _ = join_base_letters([text])
    return spelled(points, find_phrases(points, contexts, threshold=threshold))


def slow_phrases(text: str, contexts: ContextTable, threshold: float) -> list[str]:
    """The definition, word by word."""
    points, _ = join_base_letters([text])
    words = find_words(points)
    probability = contexts.next_probability(points)
    phrases: list[list[int]] = []
    run_words, end_before = 0, 0
    for start, end in zip(words.starts, words.ends, strict=True):
        joins = bool(phrases) and "".join(map(chr, points[end_before:start])) == " "
        joins = joins and bool(is_word_character(points[[start, end_before - 1]]).all())
        joins = joins and bool(probability[end_before:end].min() >= threshold)
        run_words = run_words + 1 if joins else 0
        if joins and run_words % 16 and end - phrases[-1][0] <= MAX_UNIT_CHARS:
            phrases[-1][1] = end
        else:
            phrases.append([start, end])
        end_before = end
    return ["".join(map(chr, points[start:end])) for start, end in phrases]


@given(
    st.lists(
        st.sampled_from(
            [" ", "\n", ".", "a", "the ", "mayor", "opens", " old bridge", "on monday ", "  "]
        ),
        max_size=40,
    ),
    st.sampled_from([0.0, 0.05, 0.3, 1.1]),
)
def test_phrases_equal_a_slow_reference(
    contexts: ContextTable, parts: list[str], threshold: float
) -> None:
    text = "".join(parts)
    assert phrases_of(text, contexts, threshold) == slow_phrases(text, contexts, threshold)


def test_phrases_equal_a_slow_reference_on_text(
    contexts: ContextTable, sentences: list[str]
) -> None:
    for text in [*sentences[:40], "a " * 100, "the old " * 40]:
        for threshold in (0.0, 0.2):
            expected = slow_phrases(text, contexts, threshold)
            assert phrases_of(text, contexts, threshold) == expected


def test_phrases_are_whole_words_joined_where_predicted(contexts: ContextTable) -> None:
    text = "The mayor opens the old bridge on Monday."
    phrases = phrases_of(text, contexts, 0.3)
    assert any("the old bridge" in phrase for phrase in phrases)
    assert " ".join(phrases) == "the mayor opens the old bridge on monday ."
    points, _ = join_base_letters([text])
    aligned = find_confident_units(points, contexts, threshold=0.3, aligned=True)
    assert spelled(points, aligned) == phrases
    assert phrases_of(text, contexts, 1.1) == words_of(text)


def test_a_word_is_a_phrase_and_told_once(contexts: ContextTable) -> None:
    def buckets(*kinds: str) -> list[int]:
        finder = FeatureFinder(kinds, contexts, threshold=0.3)
        return sorted(finder.find(["The mayor opens the old bridge on Monday."]).buckets.tolist())

    phrases, words = set(buckets("phrase")), set(buckets("word"))
    assert phrases & words
    assert phrases - words
    both = buckets("word", "phrase")
    assert set(both) == phrases | words
    assert buckets("phrase", "word") == both
    assert len(both) == len(buckets("word")) + len(phrases - words)


def parts_of(text: str) -> list[str]:
    cased, _ = join_points([text])
    points = base_letters(cased)
    return spelled(points, find_parts(cased, find_words(points)))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("getUserName", ["get", "user", "name"]),
        ("HTTPServer2", ["http", "server", "2"]),
        ("parse_json", []),
        ("parse_JSONFile", ["json", "file"]),
        ("plain Words AND CAPITALS 42", []),
        ("covid19 vaccine", ["covid", "19"]),
        ("\u00c9coleNormale", ["ecole", "normale"]),
        ("aB Cd", ["a", "b"]),
        ("\u5317\u4eac2", ["\u5317\u4eac", "2"]),
    ],
)
def test_parts_of_words(text: str, parts: list[str]) -> None:
    assert parts_of(text) == parts


@given(st.text(alphabet="abAB12_ \u5317\n", max_size=40))
def test_parts_equal_a_slow_reference(text: str) -> None:
    def is_hump(word: str, at: int) -> bool:
        before, here, after = word[at - 1], word[at], word[at + 1 : at + 2]
        is_end_of_capitals = before.isupper() and here.isupper() and after.islower()
        is_digits_edge = before.isdigit() != here.isdigit()
        return (before.islower() and here.isupper()) or is_digits_edge or is_end_of_capitals

    expected = []
    for word in re.findall(r"[^_\s]+", text):
        cuts = [0, *(at for at in range(1, len(word)) if is_hump(word, at)), len(word)]
        if len(cuts) > 2:
            expected += [word[start:end].lower() for start, end in pairwise(cuts)]
    assert parts_of(text) == expected


def test_a_part_shares_the_row_of_the_word_and_stands_in_its_own() -> None:
    finder = FeatureFinder(("word", "part"), None, threshold=0)
    features = finder.find(["the getUserName", "user"])
    the, whole, user, *parts = features.buckets.tolist()
    assert user in parts
    assert len({the, whole, *parts}) == 5
    assert features.tokens.tolist() == [0, 1, 2, 1, 1, 1]
    assert features.owners.tolist() == [0, 0, 1, 0, 0, 0]
    assert features.parents.tolist() == [-1] * 6
