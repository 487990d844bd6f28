"""Fusion: two kinds of scores, and neither their units nor their order counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.evaluate_search import CODE, TEXT
from model.fusion import MINILM, NORMALIZERS, OURS, fuse, min_max, z_scores

REPORT = Path(__file__).parents[2] / "scripts" / "reports" / "fusion.json"

# Whole numbers: what is equal stays equal whatever the arithmetic.
scores = arrays(np.float64, (2, 5), elements=st.integers(-20, 20).map(float))
weights = st.floats(0, 1)


def test_scales_by_hand() -> None:
    assert min_max([[1, 3, 5]]).tolist() == [[0, 0.5, 1]]
    assert z_scores([[1, 1, 3, 3]]).tolist() == [[-1, -1, 1, 1]]
    fused = fuse([[0, 1]], [[30, 10]], dense_weight=0.25, normalize=min_max)
    assert fused.tolist() == [[0.75, 0.25]]


@pytest.mark.parametrize("normalize", NORMALIZERS.values())
def test_equal_scores_say_nothing(normalize) -> None:
    assert normalize([[7, 7, 7]]).tolist() == [[0, 0, 0]]
    lexical = fuse([[7, 7, 7]], [[1, 2, 3]], dense_weight=0.5, normalize=normalize)
    assert np.argsort(lexical[0]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("normalize", NORMALIZERS.values())
@given(scores, scores, weights, st.floats(0.01, 100), st.floats(-100, 100))
def test_units_do_not_count(normalize, dense, lexical, weight, factor, summand) -> None:
    plain = fuse(dense, lexical, dense_weight=weight, normalize=normalize)
    scaled = fuse(
        dense * factor + summand, lexical * factor, dense_weight=weight, normalize=normalize
    )
    assert np.allclose(plain, scaled, atol=1e-4)


@pytest.mark.parametrize("normalize", NORMALIZERS.values())
@given(scores, scores, weights, st.permutations(range(5)))
def test_the_order_of_documents_does_not_count(normalize, dense, lexical, weight, order) -> None:
    plain = fuse(dense, lexical, dense_weight=weight, normalize=normalize)
    moved = fuse(dense[:, order], lexical[:, order], dense_weight=weight, normalize=normalize)
    assert np.allclose(plain[:, order], moved, atol=1e-5)


@given(scores, scores)
def test_each_end_is_one_kind_alone(dense, lexical) -> None:
    assert np.allclose(fuse(dense, lexical, dense_weight=1), z_scores(dense), atol=1e-5)
    assert np.allclose(fuse(dense, lexical, dense_weight=0), z_scores(lexical), atol=1e-5)


def test_the_weights_are_those_that_were_fitted() -> None:
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    used = {"ours": OURS, "public": MINILM}
    assert "ours" in report
    for side in used.keys() & report.keys():
        best = {kind: fit["best"]["z-score"]["weight"] for kind, fit in report[side].items()}
        assert best == {"text": used[side].text, "code": used[side].code}
    for name, kind in (("text", TEXT), ("code", CODE)):
        used_shares = (kind.passages, kind.words.pairs, kind.words.grams)
        assert tuple(report["ours"][name]["shares"].values()) == used_shares
