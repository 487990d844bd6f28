"""Hashes of windows, and the table of contexts that is looked up by them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.characters import (
    TEXT_END,
    Points,
    join_base_letters,
)
from model.contexts import (
    BLOCK_CHARS,
    MAX_ORDER,
    STEPS_PER_BIT,
    TRUST_COUNT,
    ContextTable,
    train_context_table,
)
from model.hashing import SpanHasher, WindowSlots
from model.units import (
    find_confident_units,
)


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
        return int(hasher.spans(np.array([offset]), ends)[0])

    assert hash_at(0) == hash_at(shift)


def slow_slot(window: list[int], slot_count: int) -> int:
    """A polynomial modulo 2 ** 32; the slot is what its top bits say."""
    base = 0x9E3779B1
    value = sum((point + 1) * base ** (at + 1) for at, point in enumerate(window)) % 2**32
    return int(value * slot_count // 2**32)


@given(st.text(max_size=20), st.integers(1, 24))
def test_slots_of_windows_equal_a_slow_reference(text: str, bits: int) -> None:
    points, _ = join_base_letters([text])
    windows = WindowSlots(points, bits=bits)
    for length in range(1, MAX_ORDER + 2):
        ends = range(length, len(points) + 1)
        slow = [slow_slot(points[end - length : end].tolist(), 2**bits) for end in ends]
        assert windows.next_length().tolist() == slow


def test_slots_are_spread_evenly(sentences: list[str]) -> None:
    points, _ = join_base_letters(sentences)
    windows = WindowSlots(points, bits=16)
    for length in range(1, MAX_ORDER + 2):
        slots = windows.next_length()
        spans = np.lib.stride_tricks.sliding_window_view(points, length)
        different = len(np.unique(spans, axis=0))
        # Balls thrown into bins fill this many; a tenth fewer would be a poor hash.
        filled = 2**16 * (1 - (1 - 2**-16) ** different)
        assert len(np.unique(slots)) > 0.9 * filled


@pytest.mark.parametrize("log_counts", [[0] * 16, [1] + [0] * 16, [2] + [0] * 15, []])
def test_a_table_of_another_format_is_refused(log_counts: list[int]) -> None:
    table = ContextTable(np.array(log_counts, dtype=np.uint8), total=100)
    with pytest.raises(ValueError, match="format"):
        find_confident_units(join_base_letters(["one"])[0], table, threshold=0.2)


def test_context_is_bounded() -> None:
    assert MAX_ORDER == 6


def test_probability_rises_with_context(contexts: ContextTable) -> None:
    points, _ = join_base_letters(["the minister repairs the harbour in spring."])
    probability = contexts.next_probability(points)
    assert probability.min() > 0
    assert probability.max() <= 1
    inside = "the minister".index("ster")
    assert probability[inside : inside + 4].min() > 0.5
    assert probability[0] < 0.5


def slow_probability(line: Points, contexts: ContextTable) -> list[float]:
    """The definition, character by character, for one text without its end."""
    led = np.concatenate((np.array([TEXT_END], np.uint32), line))
    slots = contexts.slots()

    def count_of(start: int, end: int) -> float:
        step = int(slots[slow_slot(led[start:end].tolist(), len(slots))])
        return 2 ** ((step - 1) / STEPS_PER_BIT) if step else 0.0

    probabilities = []
    for at in range(1, len(led)):
        probability = 1e-6
        for order in range(min(MAX_ORDER, at) + 1):
            seen = count_of(at - order, at) if order else contexts.total
            count = min(count_of(at - order, at + 1), seen)
            probability = (count + TRUST_COUNT * probability) / (seen + TRUST_COUNT)
        probabilities.append(probability)
    return probabilities


@given(st.text(alphabet="aeht modr.", max_size=40))
def test_probability_equals_a_slow_reference(contexts: ContextTable, text: str) -> None:
    points, _ = join_base_letters([text])
    expected = slow_probability(points[:-1], contexts)
    assert np.allclose(contexts.next_probability(points)[:-1], expected, rtol=1e-4)


def test_probability_does_not_depend_on_blocks(
    contexts: ContextTable, sentences: list[str]
) -> None:
    points, _ = join_base_letters([" ".join(sentences * 2)])
    assert len(points) > 2 * BLOCK_CHARS
    probability = contexts.next_probability(points)
    for edge in (BLOCK_CHARS, 2 * BLOCK_CHARS):
        near = contexts.next_probability(points[edge - 30 : edge + 30])
        assert (near[MAX_ORDER:] == probability[edge - 30 + MAX_ORDER : edge + 30]).all()
