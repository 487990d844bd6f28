"""How well a passage supports a given answer: the F1 expected of the reader's span, "none" counted as nothing."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import load_encoder
from model.read import Reader, expected_f1, load_reader, span_chances

PASSAGES = (
    "In 1984 Anna Keller bought the old bridge in Oslo. The mayor was not amused.",
    "Paul Moreau sold a bakery in Porto.",
    "",
)
QUESTION = "Who bought the old bridge in Oslo?"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader(encoder=load_encoder())


def f1_of(words: list[str], answer: list[str]) -> float:
    shared = sum((Counter(words) & Counter(answer)).values())
    return 2 * shared / max(len(words) + len(answer), 1)


@given(
    words=st.lists(st.sampled_from("abcdefgh.,"), min_size=1, max_size=7, unique=True),
    answer=st.sets(st.sampled_from("abcdxyz"), max_size=4),
    seed=st.integers(0, 99),
)
def test_expected_f1_is_that_of_every_span_weighed(
    words: list[str], answer: set[str], seed: int
) -> None:
    length, sizes = len(words), 3
    scores = np.random.default_rng(seed).standard_normal((length, sizes)).astype(np.float32)
    ends = np.arange(length)[:, None] + np.arange(sizes)
    scores[ends >= length] = -1e9
    likely = span_chances(scores, 0.3)
    none = np.exp(0.3) / (np.exp(0.3) + np.exp(scores.astype(np.float64)).sum())
    assert likely.sum() + none == pytest.approx(1)
    is_counted = np.array([word.isalpha() for word in words])
    is_given = np.array([word in answer for word in words])
    by_hand = sum(
        likely[first, size]
        * f1_of([w for w in words[first : first + size + 1] if w.isalpha()], sorted(answer))
        for first, size in itertools.product(range(length), range(sizes))
        if first + size < length
    )
    found = expected_f1(likely, is_counted, is_counted & is_given, len(answer))
    assert found == pytest.approx(by_hand, abs=1e-9)


def test_the_right_answer_is_supported_by_the_passage_that_tells_it(reader: Reader) -> None:
    answers = ["Anna Keller", "anna keller!", "Paul Moreau", "the mayor", ""]
    support = reader.support(QUESTION, PASSAGES, answers)
    assert support.shape == (len(PASSAGES), len(answers))
    assert ((support >= 0) & (support <= 1)).all()
    assert support[0].argmax() == 0
    assert support[0, 0] == support[0, 1]
    assert support[0, 0] > support[1].max()
    assert not support[2].any()
    assert not support[:, 4].any()


def test_support_does_not_depend_on_what_else_is_read(reader: Reader) -> None:
    together = reader.support(QUESTION, PASSAGES, ["Anna Keller", "Oslo"])
    alone = reader.support(QUESTION, PASSAGES[:1], ["Oslo"])
    assert alone[0, 0] == pytest.approx(together[0, 1], abs=1e-5)
    assert reader.support("", PASSAGES, ["Oslo"]).tolist() == [[0.0]] * 3
    assert reader.support(QUESTION, [], ["Oslo"]).shape == (0, 1)
    assert reader.support(QUESTION, PASSAGES, []).shape == (3, 0)


def test_a_long_passage_is_read_in_windows(reader: Reader) -> None:
    long = "The council met again and nothing was decided. " * 80 + PASSAGES[0]
    support = reader.support(QUESTION, [long], ["Anna Keller"])
    assert support[0, 0] > 0.1
