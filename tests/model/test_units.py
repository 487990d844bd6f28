"""Units: the vectorised code against slow and obvious references."""

from __future__ import annotations

import re
import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.characters import (
    TEXT_END,
    Points,
    base_letters,
    is_blank,
    is_word_character,
    join_base_letters,
    join_points,
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
    MAX_GRAM,
    MAX_UNIT_CHARS,
    MIN_GRAM,
    FeatureFinder,
    Spans,
    UnitRows,
    confident_cuts,
    find_confident_units,
    find_parts,
    find_phrases,
    find_words,
)

any_texts = st.lists(st.text(alphabet=st.characters(), max_size=40), max_size=5)
ODD_TEXTS = [
    "",
    "\n",
    " " * 100,
    "\n" * 100,
    "\x00\x00",
    "\ud800 lone \udfff",
    "\u05e9\u05dc\u05d5\u05dd \u200f\u202e olam",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \ufe0f",
    "e\u0301" * 40,
    "x" * 100,
    "\U0010ffff",
]
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


def test_context_is_bounded() -> None:
    assert MAX_ORDER == 6
