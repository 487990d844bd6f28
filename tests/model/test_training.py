"""Training: it learns, it repeats itself, it goes on where it was stopped."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model import ModelError, load_encoder
from model.bag import BagTrainer, RowAdam, TrainingSet, batches, neighbour_order
from model.config import Preset, tiny
from model.train import STATE, project_words, train_embed, train_on_projection


def losses(log: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in log.read_text().splitlines()]


def with_epochs(epochs: int) -> Preset:
    preset = tiny()
    return Preset(preset.encoder, replace(preset.train, epochs=epochs))


def test_the_loss_falls(sentences: list[str], tmp_path: Path) -> None:
    found = losses(train_on_projection(with_epochs(6), sentences, tmp_path / "embed"))
    assert np.mean(found[-5:]) < 0.5 * np.mean(found[:5])


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


def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(training_set: TrainingSet) -> None:
    train = tiny().train

    def trainer() -> BagTrainer:
        return BagTrainer(train, training_set, row_count=40, dim=8)

    steps = list(batches(training_set, train, 0))[:6]
    whole = trainer()
    expected = [whole.take_step(texts)["loss"] for texts in steps]
    stopped = trainer()
    for texts in steps[:3]:
        stopped.take_step(texts)
    resumed = trainer()
    resumed.restore(stopped.state())
    assert [resumed.take_step(texts)["loss"] for texts in steps[3:]] == expected[3:]
    assert np.array_equal(resumed.fused_rows(), whole.fused_rows())


@pytest.fixture
def training_set() -> TrainingSet:
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 9, 700)
    targets = rng.standard_normal((700, 16))
    return TrainingSet(
        rows=rng.integers(0, 40, counts.sum()).astype(np.int32),
        offsets=np.concatenate(([0], np.cumsum(counts))),
        targets=(targets / np.linalg.norm(targets, axis=1, keepdims=True)).astype(np.float16),
    )


def test_a_finished_run_is_not_repeated(sentences: list[str], tmp_path: Path) -> None:
    log = train_on_projection(tiny(), sentences, tmp_path / "embed")
    count = len(losses(log))
    train_on_projection(tiny(), sentences, tmp_path / "embed")
    assert len(losses(log)) == count


def test_a_run_of_other_settings_is_not_continued(sentences: list[str], tmp_path: Path) -> None:
    train_on_projection(tiny(), sentences, tmp_path / "embed")
    with pytest.raises(ModelError, match="other settings"):
        train_on_projection(with_epochs(9), sentences, tmp_path / "embed")


def test_a_damaged_state_is_reported(sentences: list[str], tmp_path: Path) -> None:
    train_on_projection(tiny(), sentences, tmp_path / "embed")
    (tmp_path / "embed.run" / STATE).write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot read the unfinished run"):
        train_on_projection(tiny(), sentences, tmp_path / "embed")


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


def test_fusing_the_map_keeps_similarities(training_set: TrainingSet) -> None:
    trainer = BagTrainer(tiny().train, training_set, row_count=40, dim=8)
    for texts in list(batches(training_set, tiny().train, 0))[:5]:
        trainer.take_step(texts)
    weighted = trainer.table.values * trainer.log_weight.values.exp()[:, None]
    mapped = (weighted @ trainer.map.detach()).numpy()
    fused = trainer.fused_rows()
    assert np.allclose(fused @ fused.T, mapped @ mapped.T, atol=1e-6)


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
    order = neighbour_order(targets, group_size=4, rng=rng)
    assert len(set(order.tolist())) == len(order)
    groups = owner[order].reshape(-1, 4)
    assert (groups == groups[:, :1]).mean() > 0.8


def test_row_adam_moves_touched_rows_only_by_about_the_learning_rate() -> None:
    adam = RowAdam(torch.zeros(5, 3))
    adam.update(torch.tensor([1, 4]), torch.tensor([[1.0, -1.0, 1.0], [9.0, 9.0, -9.0]]), 0.1)
    assert adam.values[[0, 2, 3]].abs().max() == 0
    expected = torch.tensor([[-0.1, 0.1, -0.1], [-0.1, -0.1, 0.1]])
    assert torch.allclose(adam.values[[1, 4]], expected, atol=1e-5)
