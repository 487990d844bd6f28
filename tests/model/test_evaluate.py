"""Evaluation: the report's form is a contract."""

from __future__ import annotations

import json
import lzma
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model import Encoder, ModelError
from model.baseline import HashedWords
from model.evaluate import (
    ALTERNATIONS,
    evaluate_suite,
    measure_rates,
    read_pair_sets,
    score_pairs,
)

PAIRS = [
    ("The mayor opens the old bridge.", "The mayor opens the old bridge today.", 5.0, "north"),
    ("The mayor opens the old bridge.", "The mayor visits the old bridge.", 3.0, "north"),
    ("The mayor opens the old bridge.", "A farmer sells a small bakery.", 0.0, "north"),
    ("A farmer sells a new school.", "A farmer sells a new school now.", 4.0, "south"),
    ("A farmer sells a new school.", "The captain praises the harbour.", 1.0, "south"),
    ("", "The captain praises the harbour.", 0.5, "south"),
]


def write_set(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"a": a, "b": b, "score": score, "subset": subset} for a, b, score, subset in PAIRS]
    with lzma.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_set(tmp_path / "eval" / "sts" / "NEWS1.jsonl.xz")
    write_set(tmp_path / "eval" / "sts" / "NEWS1.train.jsonl.xz")
    write_set(tmp_path / "eval" / "sts" / "NEWS1.dev.jsonl.xz")
    return tmp_path


@pytest.mark.parametrize("below", [".", "eval", "eval/sts"])
def test_the_report_has_the_agreed_form(data: Path, tiny_encoder: Encoder, below: str) -> None:
    report = evaluate_suite("sts", data / below, encoder=tiny_encoder)
    keys = {"suite", "model", "sets", "mean", "seconds", "chars_per_s", "machine", "commit"}
    assert set(report) == keys
    assert set(report["model"]) == {"name", "hash", "params", "bytes"}
    assert set(report["sets"]) == {"NEWS1"}
    assert set(report["sets"]["NEWS1"]) == {"spearman", "pearson_mean", "n"}
    assert report["sets"]["NEWS1"]["n"] == len(PAIRS)
    assert report["mean"]["spearman"] == report["sets"]["NEWS1"]["spearman"] > 50
    assert str(data) not in json.dumps(report)


def test_scores_by_hand(data: Path) -> None:
    class Angles:
        """A known cosine for each pair: its place in the file."""

        def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
            cosines = np.array([1.0, 0.6, 0.2, 0.9, 0.1, 0.3], dtype=np.float32)
            if texts[0] == PAIRS[0][0] and texts[1] == PAIRS[0][0]:
                return np.tile(np.array([1.0, 0.0], dtype=np.float32), (6, 1))
            return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)

    (pairs,) = read_pair_sets(data / "eval" / "sts")
    scores = score_pairs(Angles(), pairs)
    # Cosine ranks 6 4 2 5 1 3, score ranks 6 4 1 5 3 2: sum of squared differences 1 + 4 + 1 = 6.
    assert scores["spearman"] == pytest.approx(100 * (1 - 6 * 6 / (6 * 35)), abs=0.01)
    north = np.corrcoef([1.0, 0.6, 0.2], [5, 3, 0])[0, 1]
    south = np.corrcoef([0.9, 0.1, 0.3], [4, 1, 0.5])[0, 1]
    assert scores["pearson_mean"] == pytest.approx(50 * (north + south), abs=0.01)


def test_rates_are_measured_in_turns() -> None:
    calls: list[str] = []

    def embed_as(name: str):
        def embed(texts: list[str]) -> np.ndarray:
            calls.append(name)
            return np.zeros((len(texts), 2), dtype=np.float32)

        return embed

    rates = measure_rates({"a": embed_as("a"), "b": embed_as("b")}, ["x"] * 10)
    assert calls[2:] == ["a", "b"] * ALTERNATIONS
    assert {name: len(found) for name, found in rates.items()} == {"a": 5, "b": 5}


def test_what_is_missing_is_said(data: Path, tiny_encoder: Encoder) -> None:
    with pytest.raises(ModelError, match="unknown suite 'poetry'"):
        evaluate_suite("poetry", data, encoder=tiny_encoder)
    with pytest.raises(ModelError, match="no sts sets"):
        evaluate_suite("sts", data / "eval" / "elsewhere", encoder=tiny_encoder)
    (data / "eval" / "sts" / "NEWS1.jsonl.xz").unlink()
    with pytest.raises(ModelError, match="no test set"):
        evaluate_suite("sts", data, encoder=tiny_encoder)


def test_a_wrong_row_is_reported(data: Path, tiny_encoder: Encoder) -> None:
    with lzma.open(data / "eval" / "sts" / "BAD.jsonl.xz", "wt", encoding="utf8") as file:
        file.write('{"a": "x", "b": "y"}\n')
    with pytest.raises(ModelError, match=r"BAD\.jsonl\.xz"):
        evaluate_suite("sts", data, encoder=tiny_encoder)


def test_hashed_words_know_shared_words_alone() -> None:
    vectors = HashedWords().embed(["old bridge", "Bridge, OLD", "new school", ""])
    assert vectors[0] @ vectors[1] == pytest.approx(1)
    assert abs(vectors[0] @ vectors[2]) < 0.3
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
