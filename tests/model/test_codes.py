"""Frozen codes: they know blocks apart, can be read back, and do not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.codes import CodeKind, Codes, decoder_vectors, fit_codes

ALPHABET = 26
WIDTH = 20
FOLLOWERS = np.random.default_rng(7).dirichlet(np.full(ALPHABET, 0.2), ALPHABET)


def random_text(count: int) -> np.ndarray:
    """Characters that each have their own few that follow them."""
    rng = np.random.default_rng(8)
    text = [0]
    for _ in range(count - 1):
        text.append(int(rng.choice(ALPHABET, p=FOLLOWERS[text[-1]])))
    return np.array(text)


TEXT = random_text(6000)
KINDS = (CodeKind.MIDDLE, CodeKind.AVERAGE, CodeKind.RANDOM)


def single(kind: CodeKind = CodeKind.MIDDLE, *, seed: int = 1) -> Codes:
    width = ALPHABET if kind is CodeKind.ORTHONORMAL else WIDTH
    return fit_codes(TEXT, alphabet=ALPHABET, chars=1, width=width, seed=seed, kind=kind)


def pairs(kind: CodeKind, *, chars: int = 2, width: int = 60) -> Codes:
    return fit_codes(
        TEXT, alphabet=ALPHABET, chars=chars, width=width, seed=1, kind=kind, single=single(kind)
    )


def blocks_of(chars: int) -> np.ndarray:
    starts = np.arange(0, 200)
    return np.unique(TEXT[starts[:, None] + np.arange(chars)], axis=0)


@pytest.mark.parametrize("kind", list(CodeKind))
def test_characters_have_codes_of_length_one_and_are_read_back(kind: CodeKind) -> None:
    codes = single(kind)
    everything = np.arange(ALPHABET)[:, None]
    found = codes.encode(everything)
    assert found.shape == (ALPHABET, codes.width)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    seen = np.unique(TEXT)[:, None]
    np.testing.assert_array_equal(codes.decode(codes.encode(seen)), seen)
    np.testing.assert_array_equal(codes.decode(7 * codes.encode(seen)), seen)


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_are_read_back(kind: CodeKind) -> None:
    codes, blocks = pairs(kind), blocks_of(2)
    assert (codes.decode(codes.encode(blocks)) == blocks).mean() > 0.98
    alike = codes.encode(blocks) @ codes.encode(blocks).T
    assert alike[~np.eye(len(blocks), dtype=bool)].max() < 0.999


def test_longer_blocks_are_read_back_as_far_as_there_is_room() -> None:
    blocks = blocks_of(4)
    right = [
        (codes.decode(codes.encode(blocks)) == blocks).mean()
        for codes in (pairs(CodeKind.MIDDLE, chars=4, width=width) for width in (8, 60))
    ]
    assert right[1] > 0.9 > right[0]


def test_the_middle_knows_what_stands_in_the_same_places() -> None:
    """Three kinds of characters take turns: those of a kind are more alike; random codes do not know kinds."""
    text = 4 * (np.arange(30_000) % 3) + np.random.default_rng(1).integers(0, 4, 30_000)
    found = []
    for kind in (CodeKind.MIDDLE, CodeKind.RANDOM):
        codes = fit_codes(text, alphabet=12, chars=1, width=8, seed=3, kind=kind)
        z = codes.encode(np.arange(12)[:, None])
        likeness = (z @ z.T).reshape(3, 4, 3, 4).mean(axis=(1, 3))
        found.append(np.diag(likeness).mean() - likeness[~np.eye(3, dtype=bool)].mean())
    assert found[0] > found[1] + 0.1


def test_the_same_seed_gives_the_same_codes_and_another_others() -> None:
    everything = np.arange(ALPHABET)[:, None]
    first, again, other = single(), single(), single(seed=2)
    np.testing.assert_array_equal(first.encode(everything), again.encode(everything))
    assert not np.allclose(first.encode(everything), other.encode(everything), atol=0.1)


def test_orthonormal_codes_know_nothing_of_each_other() -> None:
    codes = single(CodeKind.ORTHONORMAL).encode(np.arange(ALPHABET)[:, None])
    np.testing.assert_array_equal(codes @ codes.T, np.eye(ALPHABET))


@given(st.lists(st.integers(0, ALPHABET - 1), min_size=3, max_size=3), st.integers(0, 2))
@settings(deadline=None)
def test_every_place_has_a_vector_of_its_own(block: list[int], at: int) -> None:
    rng = np.random.default_rng(4)
    letters = rng.standard_normal((ALPHABET, 64)).astype(np.float32)
    order = rng.permutation(64)
    whole = decoder_vectors(np.array([block]), letters, order)
    moved = letters[block[at]]
    for _ in range(at):
        moved = moved[order]
    others = [letters[c] for place, c in enumerate(block) if place != at]
    places = [place for place in range(3) if place != at]
    for vector, place in zip(others, places, strict=True):
        for _ in range(place):
            vector = vector[order]
        moved = moved + vector
    np.testing.assert_allclose(whole[0], moved, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chars": 0}, "no block"),
        ({"chars": 2}, "codes of single characters"),
        ({"chars": len(TEXT) + 1}, "no block"),
        ({"width": 200}, "fewer than 200"),
        ({"width": 4, "kind": CodeKind.ORTHONORMAL}, "directions"),
    ],
)
def test_what_cannot_be_is_said(change: dict[str, object], message: str) -> None:
    given_: dict[str, Any] = {"alphabet": ALPHABET, "chars": 1, "width": WIDTH, "seed": 1}
    with pytest.raises(ValueError, match=message):
        fit_codes(TEXT, **(given_ | change))
