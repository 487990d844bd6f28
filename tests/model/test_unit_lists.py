"""Lists of larger units: what is in them, and rows that know nothing of what comes later."""

from __future__ import annotations

import functools
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.alphabet import Alphabet
from model.unit_lists import (
    LONGEST,
    SHORTEST,
    ListedUnits,
    UnitKind,
    confident_stretches,
    list_units,
    merged_units,
)
from tests.model.language_models import invented_text

ROWS = 400
TEXT = invented_text(300)
ALPHABET = Alphabet.of([TEXT])
IDS = ALPHABET.ids(TEXT)
TEXTS = st.integers(0, len(TEXT) - 60).flatmap(
    lambda at: st.text(alphabet="abcdefgh .'\n", max_size=20).map(lambda s: TEXT[at : at + 40] + s)
)
each_kind = pytest.mark.parametrize("kind", list(UnitKind))


@functools.cache
def listed(kind: UnitKind, seed: int = 1) -> ListedUnits:
    return list_units(kind, IDS, ALPHABET, rows=ROWS, seed=seed)


def rows(units: ListedUnits, text: str) -> np.ndarray:
    return np.asarray(units(ALPHABET.ids(text)[None])[0])


def texts_of(units: ListedUnits) -> list[str]:
    """In the order of their rows, from row 1 on."""
    return [
        ALPHABET.text(np.frombuffer(key.to_bytes(length), np.uint8))
        for length, keys in enumerate(units.keys, start=SHORTEST)
        for key in keys.tolist()
    ]


@each_kind
@settings(deadline=None, max_examples=40)  # the first call makes a list
@given(text=TEXTS, later=TEXTS)
def test_no_row_knows_what_comes_later(kind: UnitKind, text: str, later: str) -> None:
    units = listed(kind)
    np.testing.assert_array_equal(rows(units, text + later)[: len(text)], rows(units, text))


@each_kind
@settings(deadline=None, max_examples=40)  # the first call makes a list
@given(text=TEXTS)
def test_the_last_characters_are_enough(kind: UnitKind, text: str) -> None:
    units = listed(kind)
    np.testing.assert_array_equal(rows(units, text[-LONGEST:])[-1], rows(units, text)[-1])


@each_kind
@settings(deadline=None, max_examples=40)  # the first call makes a list
@given(text=TEXTS)
def test_rows_are_those_of_the_two_longest_units_that_end_there(kind: UnitKind, text: str) -> None:
    units = listed(kind)
    places = {unit: row for row, unit in enumerate(texts_of(units), start=1)}
    ids = ALPHABET.text(ALPHABET.ids(text))
    for end, found in enumerate(rows(units, text), start=1):
        ending = [places.get(ids[at:end], 0) for at in range(max(end - LONGEST, 0), end)]
        best = [row for row in ending if row][:2]
        assert found.tolist() == best + [0] * (2 - len(best))


@each_kind
def test_units_are_different_stretches_within_a_line_and_fit_the_table(kind: UnitKind) -> None:
    units = texts_of(listed(kind))
    assert 100 < len(units) == len(set(units)) == len(listed(kind)) < ROWS
    assert all(SHORTEST <= len(unit) <= LONGEST and "\n" not in unit for unit in units)
    assert all(unit in TEXT for unit in units)
    assert 0 <= rows(listed(kind), TEXT).min() <= rows(listed(kind), TEXT).max() < ROWS


@each_kind
def test_only_random_units_depend_on_the_seed(kind: UnitKind) -> None:
    again = list_units(kind, IDS, ALPHABET, rows=ROWS, seed=1)
    assert texts_of(again) == texts_of(listed(kind))
    assert (texts_of(listed(kind, 2)) == texts_of(again)) is (kind is not UnitKind.RANDOM)


def test_texts_side_by_side_know_nothing_of_each_other() -> None:
    units = listed(UnitKind.FREQUENT)
    both = np.stack([ALPHABET.ids("the cour"), ALPHABET.ids("t announ")])
    np.testing.assert_array_equal(units(both)[1], rows(units, "t announ"))


def test_a_text_shorter_than_a_unit_has_no_row() -> None:
    assert not rows(listed(UnitKind.FREQUENT), "t").any()


# ------------------------------------------------------------------------------------------- what is in the lists
def test_frequent_units_are_the_most_frequent_ones() -> None:
    counts: Counter[str] = Counter()
    for line in TEXT.split("\n"):
        for length in range(SHORTEST, LONGEST + 1):
            counts.update(line[at : at + length] for at in range(len(line) - length + 1))
    units = texts_of(listed(UnitKind.FREQUENT))
    assert sorted((counts[unit] for unit in units), reverse=True) == [
        count for _, count in counts.most_common(len(units))
    ]


def test_pairs_are_merged_as_published() -> None:
    """The example of Sennrich and others, without ends of words."""
    words = Counter({b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3})
    assert merged_units(words, 7) == [b"es", b"est", b"lo", b"low", b"ew", b"ewest", b"newest"]


def slowly_merged(words: Counter[bytes], most: int) -> list[bytes]:
    """The same by counting everything again for every merge."""
    parts = {word: [bytes([char]) for char in word] for word in words}
    units: list[bytes] = []
    while len(units) < most:
        counts: Counter[tuple[bytes, bytes]] = Counter()
        for word, its in parts.items():
            for pair in itertools.pairwise(its):
                counts[pair] += words[word]
        fitting = [
            (-count, pair)
            for pair, count in counts.items()
            if count > 1 and len(b"".join(pair)) <= LONGEST
        ]
        if not fitting:
            return units
        _, best = min(fitting)
        if (unit := b"".join(best)) not in units:
            units.append(unit)
        for its in parts.values():
            at = 0
            while at + 1 < len(its):
                if (its[at], its[at + 1]) == best:
                    its[at : at + 2] = [unit]
                at += 1
    return units


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=14), min_size=1, max_size=8))
def test_merging_is_what_slow_merging_is(words: list[str]) -> None:
    counts = Counter(word.encode() for word in words)
    assert merged_units(counts, 12) == slowly_merged(counts, 12)


def test_confident_stretches_are_words_as_far_as_they_are_read() -> None:
    """Where only the first letter of each is in doubt."""
    words = np.array(["hello", "abcdf", "gijkm", "npqrs"])
    text = np.random.default_rng(1).choice(words, 2000)
    alphabet = Alphabet.of(text)
    ids = alphabet.ids("".join(text))
    found = {
        alphabet.text(ids[at : at + length])
        for length, where in enumerate(confident_stretches(ids, alphabet.other), start=SHORTEST)
        for at in np.flatnonzero(where)
        if at >= 5  # places at the beginning have no context
    }
    assert found == {word[:end] for word in words for end in range(SHORTEST, 6)}
