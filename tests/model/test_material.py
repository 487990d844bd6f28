"""Training material: gathered once, the same after it was written and read."""

from __future__ import annotations

import itertools
import lzma
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from model.config import tiny
from model.errors import DataError, ModelError
from model.evaluate_similarity import PairSet as SimilarityPairs
from model.material import Recipe, read_recipe, with_targets, write_recipe
from model.pairs import PairSet
from model.parallel import map_parts
from model.teacher import WIDTH, VectorCache
from model.texts import mixing_key
from model.train import train_embed

TEXTS = sorted(("A cat sat.", "Rain fell; ü \u2028 stayed.", "Markets rose 2 %."), key=mixing_key)
PAIRS = PairSet(
    anchors=("A cat sat.", "What fell?"),
    positives=("A cat was sitting.", "Rain fell."),
    negatives=("", "A cat sat."),
    sources=("one", "two"),
    counts={"one": 1, "two": 1},
    removed={"one": 0, "two": 3},
)
RECIPE = Recipe(
    texts=TEXTS,
    pairs=PAIRS,
    facts={"data_digest": "0", "texts": 3},
    vocabulary=["cat", "rain"],
    development=[SimilarityPairs("set", ("a", "b"), ("c", "d"), (1.0, 2.5), ("x", "x"))],
)


def test_a_recipe_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    write_recipe(RECIPE, tmp_path / "recipe.xz")
    assert read_recipe(tmp_path / "recipe.xz") == RECIPE


@pytest.mark.parametrize("content", [b"", b"no xz", lzma.compress(b'{"format": 1, "texts": []}')])
def test_a_damaged_recipe_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recipe.xz").write_bytes(content)
    with pytest.raises(DataError, match=r"cannot read the training material in .*recipe\.xz"):
        read_recipe(tmp_path / "recipe.xz")


def test_a_recipe_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.xz").write_bytes(lzma.compress(b'{"format": 2}'))
    with pytest.raises(DataError, match="not of format 1"):
        read_recipe(tmp_path / "recipe.xz")


def test_texts_of_pairs_alone_follow_those_with_a_target(tmp_path: Path) -> None:
    vectors = np.eye(len(TEXTS), WIDTH, dtype=np.float32)
    VectorCache(tmp_path / "teacher").append(TEXTS, vectors)
    material = with_targets(RECIPE, tmp_path)
    assert list(material.texts[:3]) == TEXTS
    assert set(material.texts[3:]) == {"What fell?", "A cat was sitting.", "Rain fell."}
    assert np.array_equal(material.targets, vectors)


def test_work_is_shared_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text {at}" for at in range(101)]
    alone = list(map_parts(_lengths, texts))
    monkeypatch.setattr("model.parallel.LEAST_TEXTS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    shared = list(map_parts(_lengths, texts))
    assert len(shared) > len(alone) == 1
    assert list(itertools.chain.from_iterable(shared)) == alone[0]


def _lengths(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def test_a_device_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no device nowhere"):
        train_embed(tiny(), None, tmp_path / "embed", cache=tmp_path, device="nowhere")


def test_without_data_or_recipe_nothing_can_be_gathered(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no data folder"):
        train_embed(tiny(), None, tmp_path / "embed", cache=tmp_path)
