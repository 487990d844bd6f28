"""Training the language model: it learns, goes on where it was stopped, and stops at a loss that is no number."""

from __future__ import annotations

import io
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from model import DataError, ModelError
from model.alphabet import Ids
from model.level_config import LevelsOf
from model.predict import load_language_model
from model.predict_config import PredictPreset, tiny
from model.predict_data import ARTICLE_END, joined, read_news_text
from model.predict_train import train_predict
from model.predict_trainer import PredictTrainer
from model.run_state import LOG, STATE
from tests.model.language_models import FEW_BLOCKS, PRESET, predict_text, trained, write_news

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _little_fitting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.codes.SAMPLED_BLOCKS", FEW_BLOCKS)
    monkeypatch.setattr("model.gate_fit.STEPS", 10)


def preset(levels_of: LevelsOf = LevelsOf.CHARACTERS) -> PredictPreset:
    found = tiny().with_levels_of(levels_of)
    return replace(
        found,
        train=replace(found.train, steps=12),
        levels=replace(found.levels, code_widths=(20, 24, 24)),
        least=1,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_news(tmp_path_factory.mktemp("data"))


def records(log: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in log.read_text(encoding="utf8").splitlines()]
    return [(line["step"], line["bits"]) for line in lines]


def test_it_learns_on_every_level() -> None:
    found = trained().evaluate(predict_text().development)
    counts = np.bincount(predict_text().development)
    shares = counts[counts > 0] / counts.sum()
    unigram = -float((shares * np.log2(shares)).sum())
    assert found[0]["bits"] < 0.4 * unigram
    assert all(level["distance"] < 0.9 for level in found)


@pytest.mark.parametrize("levels_of", list(LevelsOf))
def test_a_stopped_run_goes_on_to_the_same_bits(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, levels_of: LevelsOf
) -> None:
    whole = records(train_predict(preset(levels_of), data, tmp_path / "whole"))
    assert [step for step, _ in whole] == list(range(1, 13))

    class Stopped(Exception):
        pass

    take_step = PredictTrainer.take_step

    def stopping(trainer: PredictTrainer, text: Ids) -> float:
        if trainer.step == 8:
            raise Stopped
        return take_step(trainer, text)

    with monkeypatch.context() as patch:
        patch.setattr("model.predict_train.SAVE_EVERY_STEPS", 4)
        patch.setattr(PredictTrainer, "take_step", stopping)
        with pytest.raises(Stopped):
            train_predict(preset(levels_of), data, tmp_path / "parts")
    log = train_predict(preset(levels_of), data, tmp_path / "parts")
    assert dict(records(log)) == dict(whole)
    models = [load_language_model(tmp_path / name) for name in ("whole", "parts")]
    assert models[0].hash == models[1].hash
    assert models[0].stored.levels.levels_of is levels_of


def seldom(patch: pytest.MonkeyPatch) -> None:
    """Save a state every four steps, look at other text every three."""
    patch.setattr("model.predict_train.SAVE_EVERY_STEPS", 4)
    patch.setattr("model.predict_train.LOOK_EVERY_STEPS", 3)


def train_until_killed(data: str, out: str, threads: str) -> None:
    """Train in a process of its own, which is killed when the state of step 8 is half written."""
    save, draft = torch.save, Path(f"{out}.run") / "state.tmp"

    def saving(state: dict[str, Any], place: Any) -> None:
        if state["step"] == 8:
            whole = io.BytesIO()
            save(state, whole)
            draft.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        save(state, place)

    torch.set_num_threads(int(threads))  # as many as where it goes on: sums are rounded alike
    patch = pytest.MonkeyPatch()
    seldom(patch)
    patch.setattr("model.codes.SAMPLED_BLOCKS", FEW_BLOCKS)
    patch.setattr("torch.save", saving)
    train_predict(preset(), Path(data), Path(out))


def curve(log: Path) -> list[dict[str, Any]]:
    """All that a log tells of a run but how long it took."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf8").splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def test_a_killed_run_ends_as_one_that_was_not(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seldom(monkeypatch)
    whole = train_predict(preset(), data, tmp_path / "whole")
    code = (
        f"import sys; from {__name__} import train_until_killed; train_until_killed(*sys.argv[1:])"
    )
    arguments = [str(data), str(tmp_path / "killed"), str(torch.get_num_threads())]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGKILL
    run = tmp_path / "killed.run"
    assert len(curve(run / LOG)) == 8
    with (run / LOG).open("a", encoding="utf8") as log:
        log.write('{"step": 9, "bi')
    killed = train_predict(preset(), data, tmp_path / "killed")
    assert curve(killed) == curve(whole)
    assert [line["step"] for line in curve(whole) if "development" in line] == [3, 6, 9, 12]
    hashes = [load_language_model(tmp_path / name).hash for name in ("whole", "killed")]
    assert hashes[0] == hashes[1]
    assert sorted(path.name for path in run.iterdir()) == [STATE, LOG]


def test_seconds_of_training_are_those_of_all_steps(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Exception):
        pass

    def looking(trainer: PredictTrainer, text: Ids) -> list[dict[str, float]]:
        if trainer.step == 6:
            raise Stopped
        return []

    clock = itertools.count(step=50)
    time = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr("model.predict_train.time", time)
    seldom(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(PredictTrainer, "evaluate", looking)
        with pytest.raises(Stopped):
            train_predict(preset(), data, tmp_path / "out")
    train_predict(preset(), data, tmp_path / "out")
    meta = json.loads((tmp_path / "out" / "meta.json").read_text(encoding="utf8"))
    assert meta["training_seconds"] == 12 * 50
    assert meta["chars_per_s"] == round(4 * 64 / 50)


def test_another_run_is_not_taken_up(tmp_path: Path, data: Path) -> None:
    train_predict(preset(), data, tmp_path / "out", steps=2)
    with pytest.raises(ModelError, match="other settings or data"):
        train_predict(preset(), data, tmp_path / "out", steps=3)
    with pytest.raises(ModelError, match="other settings or data"):
        train_predict(preset(LevelsOf.WORDS), data, tmp_path / "out", steps=2)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_state(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_step = PredictTrainer.take_step

    def breaking(trainer: PredictTrainer, text: Ids) -> float:
        if trainer.step == 3:
            for value in trainer.network.parameters():
                value.data.fill_(float("nan"))
        return take_step(trainer, text)

    monkeypatch.setattr("model.predict_train.SAVE_EVERY_STEPS", 2)
    monkeypatch.setattr(PredictTrainer, "take_step", breaking)
    with pytest.raises(ModelError, match=r"step 4: the loss is nan; its text begins at characters"):
        train_predict(preset(), data, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(PredictTrainer, "take_step", take_step)
    log = train_predict(preset(), data, tmp_path / "out")
    assert records(log)[-1][0] == 12
    assert (tmp_path / "out.run" / STATE).exists()


def test_a_full_disk_stops_the_run_and_keeps_the_last_state(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, run = torch.save, tmp_path / "out.run"

    def saving(state: dict[str, Any], place: Any) -> None:
        """At step 8 the disk is full: a file can have so many bytes and no more."""
        if state["step"] < 8:
            save(state, place)
            return
        usual, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most))
        try:
            save(state, place)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))

    monkeypatch.setattr("model.predict_train.SAVE_EVERY_STEPS", 4)
    monkeypatch.setattr("torch.save", saving)
    with pytest.raises(ModelError) as caught:
        train_predict(preset(), data, tmp_path / "out")
    assert str(caught.value) == f"cannot write {run / STATE}: [Errno 27] File too large"
    assert sorted(path.name for path in run.iterdir()) == [STATE, LOG]
    assert torch.load(run / STATE, weights_only=True)["step"] == 4


@pytest.mark.parametrize("name", ["state.tmp", LOG])
def test_what_cannot_be_written_is_named(tmp_path: Path, data: Path, name: str) -> None:
    (tmp_path / "out.run" / name).mkdir(parents=True)
    with pytest.raises(ModelError, match=r"cannot write .*out\.run.*Is a directory"):
        train_predict(preset(), data, tmp_path / "out", steps=1)


def test_a_trained_model_says_where_it_came_from(tmp_path: Path, data: Path) -> None:
    train_predict(preset(), data, tmp_path / "out", seed=4, steps=2)
    meta = json.loads((tmp_path / "out" / "meta.json").read_text(encoding="utf8"))
    assert meta["command"] == "train predict --preset tiny --seed 4 --steps 2"
    assert meta["data_digest"] == read_news_text(data, most=40).digest
    assert meta["train"]["steps"] == 2
    assert meta["chars_per_s"] > 0
    train_predict(preset(LevelsOf.WORDS), data, tmp_path / "words", steps=2)
    meta = json.loads((tmp_path / "words" / "meta.json").read_text(encoding="utf8"))
    assert meta["command"].endswith("--steps 2 --levels-of words")


def test_data_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="articles-"):
        train_predict(PRESET, tmp_path, tmp_path / "out")


# --------------------------------------------------------------------------------------------------------- text
def test_later_articles_are_for_tests_only(data: Path) -> None:
    news = read_news_text(data)
    assert len(news.training) + len(news.development) == 36
    assert len(news.test) == 12
    assert all("of 2025" in text.split("\n")[0] for text in news.test)
    assert not any("of 2025" in text.split("\n")[0] for text in news.training + news.development)
    assert joined(["a", "b"]) == f"a{ARTICLE_END}b{ARTICLE_END}"
    assert read_news_text(data).training == news.training


def test_lines_that_are_not_an_articles_own_are_left_out(tmp_path: Path) -> None:
    import lzma

    write_news(tmp_path, articles=2)
    path = tmp_path / "realtimeqa" / "articles-2024.jsonl.xz"
    long = "A paragraph of more than eighty characters that two articles have word for word, as happens."
    rows = [
        {
            "title": f"Own title {at}",
            "published": "2024-01-01",
            "body": "\n".join(
                (
                    long,
                    "Get the app!",
                    "READ MORE: something else",
                    f"An  own\u00a0line of number {at}, with some more words in it to be long enough. "
                    * 8,
                    "Contact Jane Doe at jdoe@example.com",
                )
            ),
        }
        for at in range(12)
    ]
    with lzma.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    news = read_news_text(tmp_path)
    ours = [text for text in (*news.training, *news.development) if "Own title" in text]
    assert len(ours) == 12
    assert sum(long in text for text in ours) == 0  # shared by more than ten articles
    assert not any(word in text for text in ours for word in ("app!", "READ MORE", "Contact", "  "))
