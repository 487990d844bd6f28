"""Classification: frozen features, a linear classifier, and nothing learned from the test part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import DataError, linear
from model.evaluate_classification import SIX, ClassificationSuite, read_task, score_task
from model.features import DIRECTIONS, RandomProjection, VectorAlone, directions, features_of
from tests.model.eval_sets import Given, LetterStates, write_rows

SENTENCES = ("the mayor opens a bridge", "a farmer sells a school")


def examples(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"text": f"{SENTENCES[at % 2]} {'abcdefgh'[at % 8]}", "label": at % 2}
        for at in range(start, start + count)
    ]


def pairs(count: int) -> list[dict[str, Any]]:
    """Equal texts are label 1."""
    texts = ["bridge", "school", "farm", "yacht"]
    return [
        {
            "text": texts[at % 4],
            "text2": texts[at % 4] if at % 3 else texts[(at + 1) % 4],
            "label": int(at % 3 > 0),
        }
        for at in range(count)
    ]


# ----------------------------------------------------------------------------------------- features
def test_projections_by_hand() -> None:
    features = RandomProjection(LetterStates())(["ab aab", "", "ab"])
    assert features.shape == (3, 2 * DIRECTIONS + 2 * LetterStates.width)
    along = directions(LetterStates.width)
    first = (along[0] + along[1]) / np.sqrt(2)
    second = (2 * along[0] + along[1]) / np.sqrt(5)
    assert np.allclose(features[0, :DIRECTIONS], np.maximum(first, second), atol=1e-6)
    assert np.allclose(
        features[0, DIRECTIONS : 2 * DIRECTIONS], -np.minimum(first, second), atol=1e-6
    )
    assert not features[1, : 2 * DIRECTIONS].any()
    assert np.allclose(features[2, : 2 * DIRECTIONS], np.concatenate((first, -first)), atol=1e-6)
    mean, vectors = np.split(features[:, 2 * DIRECTIONS :], 2, axis=1)
    expected = (1 / np.sqrt(2) + 2 / np.sqrt(5)) / 2, (1 / np.sqrt(2) + 1 / np.sqrt(5)) / 2
    assert np.allclose(mean[0, :2], expected, atol=1e-6)
    assert not mean[1].any()
    assert np.array_equal(vectors, LetterStates().embed(["ab aab", "", "ab"]))


def test_directions_are_always_the_same() -> None:
    along = directions(16)
    assert np.array_equal(along, directions(16))
    assert np.abs(along).max() <= 0.25
    assert abs(along.mean()) < 0.01


def test_texts_in_other_blocks_have_the_same_features(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{SENTENCES[at % 2]} {at}" for at in range(10)] + [""]
    whole = RandomProjection(LetterStates())(texts)
    monkeypatch.setattr("model.features.BLOCK_TEXTS", 3)
    assert np.allclose(RandomProjection(LetterStates())(texts), whole, atol=1e-6)
    assert len(RandomProjection(LetterStates())([])) == 0


def test_an_encoder_without_units_gives_its_vector() -> None:
    model = Given({"a": [1, 0], "b": [0, 1]})
    features = features_of(model)
    assert features.name == VectorAlone.name
    assert features(["a", "b"]).tolist() == [[1, 0], [0, 1]]
    assert features_of(LetterStates()).name == RandomProjection.name


# ------------------------------------------------------------------------------------------ layouts
@pytest.mark.parametrize("splits", [("all",), ("train", "test"), ("train", "dev", "test")])
def test_the_layouts(tmp_path: Path, splits: tuple[str, ...]) -> None:
    for split in splits:
        write_rows(tmp_path / "NEWS" / f"{split}.jsonl.xz", examples(24))
    task = read_task(tmp_path / "NEWS")
    assert tuple(task.splits) == splits
    found, penalty = score_task(features_of(LetterStates()), task)
    assert found == {"accuracy": 100.0, "n": 24}
    assert penalty in linear.PENALTIES


def test_pairs_have_f1(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_rows(tmp_path / "PAIRS" / f"{split}.jsonl.xz", pairs(60))
    found, _ = score_task(features_of(LetterStates()), read_task(tmp_path / "PAIRS"))
    assert found == {"accuracy": 100.0, "f1": 100.0, "n": 60}


def test_the_mean_of_six_wants_all_six(tmp_path: Path) -> None:
    for name in sorted(SIX):
        write_rows(tmp_path / name / "all.jsonl.xz", examples(20))
    write_rows(tmp_path / "SST5" / "all.jsonl.xz", [{**it, "text": "x"} for it in examples(20)])
    mean = ClassificationSuite(tmp_path).evaluate(Given({"": [1, 0]})).results["mean"]
    assert set(mean) == {"accuracy", "accuracy_of_six"}
    for path in (tmp_path / "MR").iterdir():
        path.unlink()
    mean = ClassificationSuite(tmp_path).evaluate(Given({"": [1, 0]})).results["mean"]
    assert set(mean) == {"accuracy"}


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "NEWS" / "test.jsonl.xz", examples(4))
    with pytest.raises(DataError, match=r"NEWS/train\.jsonl\.xz is missing"):
        ClassificationSuite(tmp_path)


@pytest.mark.parametrize(
    "rows", [[], [{"text": "x"}], [{"text": "x", "label": "y"}], [{"label": 1}]]
)
def test_a_wrong_split_is_named(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    write_rows(tmp_path / "NEWS" / "all.jsonl.xz", rows)
    with pytest.raises(DataError, match=r"NEWS/all\.jsonl\.xz"):
        ClassificationSuite(tmp_path)


def test_one_label_is_no_task(tmp_path: Path) -> None:
    write_rows(tmp_path / "NEWS" / "all.jsonl.xz", [{"text": "x", "label": 1}] * 4)
    with pytest.raises(DataError, match=r"NEWS: .*same label"):
        score_task(features_of(LetterStates()), read_task(tmp_path / "NEWS"))


# ------------------------------------------------------------------------------------------- leaks
@given(st.lists(st.integers(0, 2), min_size=12, max_size=60))
def test_folds_never_leak(labels: list[int]) -> None:
    given_labels = np.array([*labels, 0, 0, 1, 1, 2, 2])
    splits = linear.folds(given_labels, count=10)
    for learned, asked in splits:
        assert not set(learned) & set(asked)
        assert set(learned) | set(asked) == set(range(len(given_labels)))
    assert sorted(at for _, asked in splits for at in asked) == list(range(len(given_labels)))


def test_random_labels_are_not_learned() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((400, 600)).astype(np.float32)
    labels = rng.integers(0, 2, 400)
    _, predicted = linear.cross_validate(rows, labels, count=10)
    # With one leaked example a fold every row could be told by heart: far more features than rows.
    assert 0.4 < (predicted == labels).mean() < 0.6


def test_the_penalty_is_chosen_without_the_asked_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((100, 5)).astype(np.float32)
    rows[:, 0] = np.arange(100)
    labels = np.arange(100) % 2
    seen: list[Sequence[float]] = []
    choose = linear.choose_penalty

    def noting(given_rows, given_labels, splits):
        seen.append(given_rows[:, 0].tolist())
        return choose(given_rows, given_labels, splits)

    monkeypatch.setattr(linear, "choose_penalty", noting)
    linear.cross_validate(rows, labels, count=10)
    first_asked = linear.folds(labels, count=10)[0][1]
    assert len(seen) == 1
    assert not set(seen[0]) & {float(at) for at in first_asked}


def test_a_stronger_penalty_wins_ties() -> None:
    rows = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    labels = np.repeat([0, 1], 20)
    assert linear.choose_penalty(rows, labels, [linear.hold_out(labels)]) == linear.PENALTIES[0]


def test_a_label_that_occurs_once_is_said() -> None:
    with pytest.raises(DataError, match="only once"):
        linear.folds(np.array([0, 0, 1]), count=10)
