"""Training: it learns, it repeats itself, it goes on where it was stopped."""

from __future__ import annotations

import itertools
import json
import lzma
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model import ModelError, load_encoder
from model.batches import (
    NO_TEXT,
    TrainingPairs,
    TrainingSet,
    neighbour_order,
    pair_batches,
    text_batches,
)
from model.config import Preset, tiny
from model.material import project_words
from model.pairs import PairSet
from model.row_adam import RowAdam
from model.run_state import STATE
from model.step_batch import StepBatch, load_steps
from model.train import take_steps, train_embed, train_on_projection
from model.trainer import EncoderTrainer, contrastive_loss
from model.unit_texts import UnitTexts


def losses(log: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in log.read_text().splitlines()]


def with_steps(bag: int, joint: int) -> Preset:
    preset = tiny()
    return Preset(preset.encoder, replace(preset.train, bag_steps=bag, joint_steps=joint))


def test_the_loss_falls_in_both_phases(sentences: list[str], tmp_path: Path) -> None:
    found = losses(train_on_projection(with_steps(40, 40), sentences, tmp_path / "embed"))
    assert np.mean(found[35:40]) < 0.5 * np.mean(found[:5])
    # With the trunk come its exits, whose losses are added.
    assert np.mean(found[-5:]) < 0.8 * np.mean(found[40:45])


def test_the_same_seed_gives_the_same_run(sentences: list[str], tmp_path: Path) -> None:
    logs = [train_on_projection(tiny(), sentences, tmp_path / n / "embed") for n in "ab"]
    assert losses(logs[0]) == losses(logs[1])
    names = [load_encoder(tmp_path / n / "embed").name for n in "ab"]
    assert names[0] == names[1]


def test_another_seed_gives_another_run(sentences: list[str], tmp_path: Path) -> None:
    preset = tiny()
    other = Preset(preset.encoder, replace(preset.train, seed=2))
    first = losses(train_on_projection(preset, sentences, tmp_path / "a"))
    assert first != losses(train_on_projection(other, sentences, tmp_path / "b"))


PRESET = replace(tiny().encoder, dim=8)
STEPS = replace(tiny().train, bag_steps=3, joint_steps=4, sentence_steps=3, pair_count=8)


def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(training_set: TrainingSet) -> None:
    def trainer() -> EncoderTrainer:
        return EncoderTrainer(PRESET, STEPS, training_set, row_count=40)

    whole = trainer()
    expected = [record["loss"] for record in take_steps(whole)]
    assert len(expected) == 10
    for stop in (2, 5, 8):  # in every phase
        stopped = trainer()
        list(itertools.islice(take_steps(stopped), stop))
        resumed = trainer()
        resumed.restore(stopped.state())
        assert [record["loss"] for record in take_steps(resumed)] == expected[stop:]
        assert np.array_equal(resumed.fused_rows(), whole.fused_rows())


@pytest.fixture
def training_set() -> TrainingSet:
    rng = np.random.default_rng(5)
    row_counts = rng.integers(1, 4, 2800)
    targets = rng.standard_normal((600, 16))
    negatives = rng.integers(0, 700, 90)
    negatives[::3] = NO_TEXT
    return TrainingSet(
        texts=UnitTexts(
            rows=rng.integers(0, 40, row_counts.sum()).astype(np.int32),
            unit_offsets=np.concatenate(([0], np.cumsum(row_counts))),
            text_offsets=np.arange(0, 2801, 4),
        ),
        targets=(targets / np.linalg.norm(targets, axis=1, keepdims=True)).astype(np.float16),
        pairs=TrainingPairs(
            anchors=np.arange(90),
            positives=np.arange(90) + 600,
            negatives=negatives,
            sources=np.repeat([0, 1, 2], 30).astype(np.int32),
        ),
    )


# torch warns of more workers than cores; on a machine with one the steps are the same.
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize("window", [None, 16])
def test_steps_made_by_workers_are_those_made_at_once(
    training_set: TrainingSet, window: int | None
) -> None:
    given = [(np.arange(at, at + 40), np.arange(at, at + 8)) for at in range(0, 80, 8)]

    def made(workers: int) -> list[StepBatch]:
        steps = load_steps(
            training_set, given, window=window, pair_units=64, workers=workers, is_pinned=False
        )
        return list(steps)

    for first, second in zip(made(0), made(2), strict=True):
        assert torch.equal(first.distinct, second.distinct)
        assert torch.equal(first.texts.rows, second.texts.rows)
        assert torch.equal(first.texts.starts, second.texts.starts)
        assert (first.texts.windows is None) == (window is None)
        if first.texts.windows is not None and second.texts.windows is not None:
            assert torch.equal(first.texts.windows.slot_of, second.texts.windows.slot_of)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_generated_code_learns_the_same(training_set: TrainingSet) -> None:
    def run(*, is_compiled: bool) -> list[float]:
        trainer = EncoderTrainer(PRESET, STEPS, training_set, row_count=40)
        if is_compiled:
            trainer.compile()
        return [record["loss"] for record in take_steps(trainer)]

    assert run(is_compiled=True) == pytest.approx(run(is_compiled=False), rel=1e-2)


def test_texts_are_taken_in_the_order_asked_for(training_set: TrainingSet) -> None:
    texts = training_set.texts
    taken = texts.take(np.array([5, 0, 5]))
    assert len(taken) == 3
    for place, text in enumerate((5, 0, 5)):
        alone = texts.take(np.array([text]))
        units = slice(taken.text_offsets[place], taken.text_offsets[place + 1])
        first, end = taken.unit_offsets[units.start], taken.unit_offsets[units.stop]
        assert taken.rows[first:end].tolist() == alone.rows.tolist()
        assert np.diff(taken.unit_offsets)[units].tolist() == np.diff(alone.unit_offsets).tolist()


def test_a_batch_of_pairs_has_one_source_and_every_pair_its_turn() -> None:
    sources = np.array([0] * 10 + [1] * 7 + [2] * 3, dtype=np.int32)
    batches = list(itertools.islice(pair_batches(sources, count=3, seed=1), 6))
    assert all(len(set(sources[batch])) == 1 for batch in batches)
    assert [len(batch) for batch in batches] == [3] * 6
    seen = np.concatenate(batches)
    assert len(set(seen.tolist())) == 18
    again = list(itertools.islice(pair_batches(sources, count=3, seed=1), 6))
    assert np.array_equal(np.concatenate(again), seen)


def test_contrastive_loss_by_hand() -> None:
    anchors = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    others = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    # Rows of scores: (1, 0, 0.6) and (0, 1, 0.8); columns: (1, 0) and (0, 1).
    forth = (-1 + np.log(np.e + 1 + np.exp(0.6)) - 1 + np.log(1 + np.e + np.exp(0.8))) / 2
    back = -1 + np.log(np.e + 1)
    assert float(contrastive_loss(anchors, others, 1.0)) == pytest.approx((forth + back) / 2)


def test_a_positive_met_twice_is_neither_right_nor_wrong() -> None:
    anchors = torch.eye(3)
    others = torch.cat((torch.eye(3)[[0, 0, 2]], torch.eye(3)[[1, 0]]))
    is_same = torch.zeros(3, 5, dtype=torch.bool)
    is_same[0, 1] = is_same[0, 4] = is_same[1, 0] = is_same[1, 4] = True
    found = contrastive_loss(anchors, others, 1.0, is_same=is_same)
    e = math.e
    forth = [-math.log(e / (e + 2)), -math.log(1 / (2 + e)), -math.log(e / (e + 4))]
    back = [-math.log(e / (e + 1)), -math.log(1 / 2), -math.log(e / (e + 2))]
    assert float(found) == pytest.approx((sum(forth) + sum(back)) / 6, abs=1e-6)


def test_pairs_come_together(sentences: list[str], tmp_path: Path) -> None:
    anchors = tuple(sorted(set(sentences))[:64])
    positives = tuple(f"thing number {at:03}x" for at in range(64))
    pairs = PairSet(anchors, positives, ("",) * 64, ("given",) * 64, {}, {})
    preset = with_steps(150, 30)
    preset = Preset(preset.encoder, replace(preset.train, pair_weight=1.0, teacher_weight=0.1))
    nearer = []
    for name, given in (("with", pairs), ("without", None)):
        train_on_projection(preset, [*sentences, *positives], tmp_path / name, pairs=given)
        encoder = load_encoder(tmp_path / name)
        scores = encoder.embed(anchors) @ encoder.embed(positives).T
        nearer.append((scores.argmax(axis=1) == np.arange(64)).mean())
    assert nearer[0] > nearer[1] + 0.3


def test_a_finished_run_is_not_repeated(sentences: list[str], tmp_path: Path) -> None:
    log = train_on_projection(tiny(), sentences, tmp_path / "embed")
    count = len(losses(log))
    train_on_projection(tiny(), sentences, tmp_path / "embed")
    assert len(losses(log)) == count


def test_a_run_of_other_settings_is_not_continued(sentences: list[str], tmp_path: Path) -> None:
    train_on_projection(tiny(), sentences, tmp_path / "embed")
    with pytest.raises(ModelError, match="other settings"):
        train_on_projection(with_steps(31, 20), sentences, tmp_path / "embed")


def test_a_damaged_state_is_reported(sentences: list[str], tmp_path: Path) -> None:
    train_on_projection(tiny(), sentences, tmp_path / "embed")
    state = tmp_path / "embed.run" / STATE
    state.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot read the unfinished run"):
        train_on_projection(tiny(), sentences, tmp_path / "embed")
    torch.save({"settings": tmp_path}, state)  # torch refuses paths, in many lines
    with pytest.raises(ModelError, match="cannot read the unfinished run") as caught:
        train_on_projection(tiny(), sentences, tmp_path / "embed")
    assert "\n" not in str(caught.value)


def test_tiny_trains_from_a_folder_without_a_teacher(sentences: list[str], tmp_path: Path) -> None:
    pair = {"a": sentences[0], "b": "Elsewhere.", "score": 1, "subset": "x"}
    write_rows(tmp_path / "data" / "eval" / "sts" / "ONE.jsonl.xz", [pair])
    lines = {"id": "a", "text": "\n".join(sentences)}
    write_rows(tmp_path / "data" / "train" / "lm" / "onestop_english.jsonl.xz", [lines])
    cache = tmp_path / "cache"
    train_embed(tiny(), tmp_path / "data", tmp_path / "embed", cache=cache, seed=3)
    meta = json.loads((tmp_path / "embed" / "meta.json").read_text())
    assert meta["seed"] == 3
    assert meta["command"] == "train embed --preset tiny --seed 3"
    assert meta["contaminated_removed"] == 1
    assert meta["texts"] == len(set(sentences)) - 1
    assert str(tmp_path) not in json.dumps(meta)
    assert not cache.exists()
    assert load_encoder(tmp_path / "embed").name.startswith("tidings-embed-tiny-")


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no text"):
        train_on_projection(tiny(), [], tmp_path / "embed")


def test_fusing_keeps_the_vectors(training_set: TrainingSet) -> None:
    trainer = EncoderTrainer(PRESET, STEPS, training_set, row_count=40)
    list(take_steps(trainer))
    weighted = trainer.table.values * trainer.log_weight.values.exp()[:, None]
    with torch.no_grad():
        mapped = (weighted @ trainer.map).numpy()
    assert np.allclose(trainer.fused_rows(), mapped, atol=1e-6)


def test_rounded_rows_score_as_the_rows_they_were(sentences: list[str], tiny_folder: Path) -> None:
    encoder = load_encoder(tiny_folder)
    vectors = encoder.embed(sentences[:200])
    targets = project_words(sentences[:200]).astype(np.float32)
    wanted = targets @ targets.T
    assert np.abs(vectors @ vectors.T - wanted).mean() < 0.1


def test_neighbours_stand_together() -> None:
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((32, 24))
    owner = rng.permutation(np.repeat(np.arange(32), 8))
    noisy = centres[owner] + 0.05 * rng.standard_normal((256, 24))
    targets = (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float16)
    given = torch.from_numpy(targets)
    order = neighbour_order(given, group_size=4, rng=rng)
    first = next(text_batches(given, batch_size=8, group_size=4, seed=1))
    assert len(set(first.tolist())) == 8
    assert len(set(order.tolist())) == len(order)
    groups = owner[order].reshape(-1, 4)
    assert (groups == groups[:, :1]).mean() > 0.8


def test_row_adam_moves_touched_rows_only_by_about_the_learning_rate() -> None:
    adam = RowAdam(torch.zeros(5, 3))
    adam.update(torch.tensor([1, 4]), torch.tensor([[1.0, -1.0, 1.0], [9.0, 9.0, -9.0]]), 0.1)
    assert adam.values[[0, 2, 3]].abs().max() == 0
    expected = torch.tensor([[-0.1, 0.1, -0.1], [-0.1, -0.1, 0.1]])
    assert torch.allclose(adam.values[[1, 4]], expected, atol=1e-5)
