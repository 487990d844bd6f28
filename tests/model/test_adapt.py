"""A language model learns from new articles: better on what is kept out, or the one in use stays."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model import adapt_text
from model.adapt import AdaptConfig, Adapted, Adapter, adapt, stretches, with_new_sureness
from model.adapt_judge import (
    DRAWS,
    LEAST_HELD_OUT,
    LEAST_OLDER,
    MOST_FORGOTTEN,
    Bits,
    Judgement,
    falls_of_draws,
    judge,
    require_enough,
)
from model.adapt_text import AdaptText, is_held_out
from model.alphabet import Ids
from model.checkpoint import Arrays, Checkpoint, load_checkpoint, save_checkpoint
from model.errors import CheckpointError, DataError, ModelError
from model.mapped_adam import LIVE
from model.predict import LanguageModel, load_language_model
from model.predict_stored import UNITS, restore_model
from model.quantize import SCALES
from tests.model.adapt_texts import CONFIG, new_reports, noise, older_reports, text
from tests.model.language_models import checkpoint, invented_text

SHORT = replace(CONFIG, steps=3)


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Adapted:
    return adapt(checkpoint(), text(), CONFIG, tmp_path_factory.mktemp("moments"))


def judged(found: Adapted, texts: AdaptText, *, forgotten: float = 0.0) -> Judgement:
    models = LanguageModel(checkpoint()), LanguageModel(found.checkpoint)
    return judge(*models, texts, forgotten=forgotten)


def ids(articles: tuple[str, ...]) -> Ids:
    return restore_model(checkpoint()).alphabet.ids("".join(articles))


def are_equal(left: Arrays, right: Arrays) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


# --------------------------------------------------------------------------------------------- what is learned
def test_new_names_are_learned_and_the_result_is_kept(adapted: Adapted) -> None:
    found = judged(adapted, text())
    assert found.held_out.ratio < 0.9
    assert 0 < found.falls_by[0] < found.held_out.before - found.held_out.after < found.falls_by[1]
    assert found.forgotten <= MOST_FORGOTTEN
    assert found.is_kept
    assert found.reason == "held-out articles cost fewer bits, and older text does not cost more"


def test_noise_is_not_kept(tmp_path: Path) -> None:
    letters = restore_model(checkpoint()).alphabet.characters
    texts = AdaptText.of(noise(letters), older_reports())
    assert not judged(adapt(checkpoint(), texts, CONFIG, tmp_path / "work"), texts).is_kept


def test_a_model_that_forgot_is_refused_by_the_gate(tmp_path: Path) -> None:
    texts = AdaptText.of(new_reports(), [], sample=invented_text(40, seed=9))
    config = replace(CONFIG, learning_rate=0.3)
    found = judged(adapt(checkpoint(), texts, config, tmp_path / "work"), texts)
    assert found.forgotten > MOST_FORGOTTEN
    assert not found.is_kept
    assert found.reason.startswith("the gate: older text costs ")


def test_what_was_forgotten_before_counts(adapted: Adapted) -> None:
    texts = replace(text(), older=text().held_out[:1])
    once = judged(adapted, texts)
    assert once.forgotten == 0
    before = 1.02 / once.older.ratio - 1
    assert judged(adapted, texts, forgotten=before).forgotten == pytest.approx(0.02)
    assert not judged(adapted, texts, forgotten=before).is_kept


def test_a_model_that_says_no_numbers_is_refused() -> None:
    nothing = float("nan")
    found = Judgement(Bits(2, nothing, 9), (nothing, nothing), Bits(2, nothing, 9), nothing)
    assert not found.is_kept


def test_articles_read_alone_say_what_is_chance() -> None:
    chars = np.full(9, 100.0)
    same = falls_of_draws(np.full(9, 50.0), chars, seed=1)
    assert same.shape == (DRAWS,)
    assert np.allclose(same, 0.5)
    one_of_them = np.zeros(9)
    one_of_them[4] = 900
    assert np.quantile(falls_of_draws(one_of_them, chars, seed=1), 0.025) == 0
    assert np.array_equal(
        falls_of_draws(one_of_them, chars, seed=1), falls_of_draws(one_of_them, chars, seed=1)
    )


# ------------------------------------------------------------------------------------------------- the weights
def test_nothing_but_matrices_of_the_lowest_levels_way_is_changed(adapted: Adapted) -> None:
    base, found = checkpoint(), adapted.checkpoint
    assert found.config == base.config
    assert found.arrays.keys() == base.arrays.keys()
    changed = {k for k, v in base.arrays.items() if not np.array_equal(v, found.arrays[k])}
    assert {it.removesuffix(SCALES) for it in changed} >= {"heads.0.weight", "up.1.0.q.weight"}
    assert all(it.removesuffix(SCALES).endswith(".weight") for it in changed)
    parts = (UNITS, "characters", "codes.", "bias", "norms", "heads.1", "heads.2", "heads.3")
    assert not [it for it in changed if it.startswith(parts)]
    for name, array in base.arrays.items():
        assert (found.arrays[name].dtype, found.arrays[name].shape) == (array.dtype, array.shape)


def test_the_base_is_left_as_it_is(tmp_path: Path) -> None:
    before = copy.deepcopy(checkpoint())
    adapt(checkpoint(), text(), SHORT, tmp_path / "work")
    assert are_equal(checkpoint().arrays, before.arrays)
    assert (checkpoint().config, checkpoint().meta) == (before.config, before.meta)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    found = [
        adapt(checkpoint(), text(), replace(CONFIG, steps=2, seed=seed), tmp_path / "work")
        for seed in (1, 1, 2)
    ]
    assert are_equal(found[0].checkpoint.arrays, found[1].checkpoint.arrays)
    assert not are_equal(found[0].checkpoint.arrays, found[2].checkpoint.arrays)


def test_only_low_rank_matrices_learn(tmp_path: Path) -> None:
    adapter = Adapter(restore_model(checkpoint()), SHORT, tmp_path)
    frozen = {
        name: value.clone()
        for name, value in adapter.network.state_dict().items()
        if not name.endswith((".up", ".down"))
    }
    rows = stretches(ids(text().training), ids(()), SHORT, 0)
    first = adapter.take_step(rows, 3)
    assert adapter.take_step(rows, 3) < first
    touched = {n for n, v in adapter.network.named_parameters() if v.grad is not None}
    assert touched
    assert all(name.endswith((".up", ".down")) for name in touched)
    after = adapter.network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in frozen.items())


def test_at_first_the_network_says_what_the_stored_model_says(tmp_path: Path) -> None:
    model = LanguageModel(checkpoint())
    article = invented_text(2)[:64]
    adapter = Adapter(model.stored, SHORT, tmp_path)
    nats = float(adapter.loss(ids((article,))[None]).detach())
    assert nats / np.log(2) == pytest.approx(model.bits(article).mean(), rel=1e-4)


def test_an_adapted_model_is_read_from_its_folder(tmp_path: Path, adapted: Adapted) -> None:
    found = with_new_sureness(adapted.checkpoint, text())
    save_checkpoint(found, tmp_path / "predict")
    model = load_language_model(tmp_path / "predict")
    assert are_equal(load_checkpoint(tmp_path / "predict").arrays, adapted.checkpoint.arrays)
    article = text().held_out[0]
    assert np.array_equal(model.bits(article), LanguageModel(adapted.checkpoint).bits(article))
    assert len(model.sureness) == 4
    assert model.sureness != LanguageModel(checkpoint()).sureness


# --------------------------------------------------------------------------------------------------- the steps
def test_moments_are_in_a_file_that_is_removed(tmp_path: Path) -> None:
    seen = []

    def look(step: int, steps: int) -> None:
        seen.append((step, steps, (tmp_path / "work" / LIVE).stat().st_size > 0))

    adapt(checkpoint(), text(), SHORT, tmp_path / "work", on_step=look)
    assert seen == [(1, 3, True), (2, 3, True), (3, 3, True)]
    assert not (tmp_path / "work").exists()


def test_a_loss_that_is_no_number_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_step = Adapter.take_step

    def breaking(adapter: Adapter, rows: Ids, steps: int) -> float:
        if adapter.step == 2:
            adapter.learned[0].data.fill_(float("nan"))
        return take_step(adapter, rows, steps)

    monkeypatch.setattr(Adapter, "take_step", breaking)
    with pytest.raises(ModelError, match="stopped at step 3: the loss is nan; the weights in use"):
        adapt(checkpoint(), text(), CONFIG, tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_weights_that_are_no_numbers_are_no_result(tmp_path: Path) -> None:
    adapter = Adapter(restore_model(checkpoint()), SHORT, tmp_path)
    for value in adapter.learned:
        value.data.fill_(float("inf"))
    with pytest.raises(ModelError, match=r"adapting failed: \S+ is not finite"):
        adapter.merged(checkpoint().arrays)


def test_the_time_bounds_the_steps(tmp_path: Path) -> None:
    ticks = itertools.count()
    found = adapt(
        checkpoint(),
        text(),
        replace(CONFIG, minutes=0.25),  # 15 seconds of this clock, to which a step is one
        tmp_path / "work",
        clock=lambda: next(ticks),
    )
    assert 10 < found.steps < 16


def test_moments_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way", encoding="utf8")
    with pytest.raises(ModelError, match="cannot write the moments to "):
        adapt(checkpoint(), text(), SHORT, tmp_path / "work")


def test_steps_see_the_share_of_older_text_that_they_are_told() -> None:
    new, known = np.zeros(200, np.uint8), np.ones(200, np.uint8)
    rows = stretches(new, known, AdaptConfig(texts=8, chars=16, rehearsal=0.25), 0)
    assert rows.shape == (8, 16)
    assert rows.mean() == 0.25
    assert stretches(new, known[:15], AdaptConfig(texts=8, chars=16), 0).sum() == 0


# ---------------------------------------------------------------------------------------------------- the text
def test_what_is_kept_out_is_never_trained_on() -> None:
    found = text()
    judged_on = {line for it in (*found.held_out, *found.older) for line in it.split("\n")}
    learned = {line for it in (*found.training, *found.rehearsed) for line in it.split("\n")}
    assert judged_on
    assert learned
    assert not judged_on & learned
    assert all(is_held_out(it) == (it in found.held_out) for it in new_reports())


def test_a_copied_paragraph_of_what_is_kept_out_is_not_trained_on() -> None:
    days = new_reports()
    told = next(it for it in days if is_held_out(it)).split("\n")[3]
    copy_of_it = next(
        it
        for it in (
            f"Copy {n}\nSaid again: {told}\n{'What else there is. ' * 20}" for n in range(99)
        )
        if not is_held_out(it)
    )
    found = AdaptText.of([*days, copy_of_it], older_reports())
    copied = [it for it in found.training if it.startswith("Copy ")]
    assert len(copied) == 1
    assert told not in copied[0]


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(120)))
def test_the_order_of_articles_does_not_matter(order: list[int]) -> None:
    days = new_reports()
    assert AdaptText.of([days[at] for at in order], older_reports()) == text()


def test_more_days_keep_the_same_articles_out() -> None:
    found = AdaptText.of(new_reports(150), older_reports())
    assert set(text().held_out) <= set(found.held_out)


def test_samples_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapt_text, "JUDGED_CHARS", 1000)
    found = AdaptText.of(new_reports(), [], sample=invented_text(200))
    assert sum(map(len, found.held_out)) <= 1000
    assert sum(map(len, found.older)) == 1000


def test_text_of_any_characters_is_taken() -> None:
    days = [f"Half a pair \ud800 {n}\n" + f"e\u0301 \U0001f600 {n} " * 60 for n in range(30)]
    found = AdaptText.of(days, [])
    assert found.training
    assert "\u00e9" in found.training[0]


# ----------------------------------------------------------------------------------------------------- refusals
def test_too_little_to_learn_from_is_said(tmp_path: Path) -> None:
    few = replace(text(), training=("Nothing much.",))
    with pytest.raises(DataError, match="too little to learn from: 15 characters, not 256 or more"):
        adapt(checkpoint(), few, CONFIG, tmp_path / "work")


def test_too_little_to_judge_by_is_said() -> None:
    require_enough(text())
    few = replace(text(), held_out=text().held_out[: LEAST_HELD_OUT - 1])
    with pytest.raises(DataError, match="4 articles of these days are kept out"):
        require_enough(few)
    old = replace(text(), older=("x" * (LEAST_OLDER - 1),))
    with pytest.raises(DataError, match="1999 characters, 2000 are needed; name a text file"):
        require_enough(old)


def test_what_is_no_language_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no weights of a language model"):
        adapt(Checkpoint({}, {}, {}), text(), CONFIG, tmp_path / "work")


def test_stretches_must_fit_the_levels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="66 characters are no multiple of 8"):
        adapt(checkpoint(), text(), replace(CONFIG, chars=66), tmp_path / "work")
