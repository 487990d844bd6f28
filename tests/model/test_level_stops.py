"""Another sign that a level is sure: the text stays the same, whatever tells when to hear a level."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from model.generate import Climb, Writing, write_on
from model.level_stops import ByMargin
from model.predict import LanguageModel
from model.predict_sureness import block_outcomes, fit_sureness
from tests.model.language_models import checkpoint, predict_text


@pytest.fixture(scope="module")
def model() -> ByMargin:
    outcomes = block_outcomes(ByMargin(checkpoint()), predict_text().development)
    sureness = [fit_sureness(*each) for each in outcomes]
    config = {**checkpoint().config, "sureness": sureness}
    return ByMargin(dataclasses.replace(checkpoint(), config=config))


def test_a_margin_is_of_the_character_that_is_most_in_doubt(model: ByMargin) -> None:
    width = len(model.stored.blocks[0].outward)
    code = np.random.default_rng(1).standard_normal((width,)).astype(np.float32)
    best = np.sort(model.stored.blocks[0].likenesses(code), axis=1)
    margin = model.signs(1, code[None])
    assert margin[0] == pytest.approx(float((best[:, -1] - best[:, -2]).min()), abs=1e-6)
    np.testing.assert_allclose(model.signs(1, 3 * code[None]), margin, atol=1e-5)
    assert LanguageModel(checkpoint()).signs(1, code[None])[0] == pytest.approx(
        float(np.linalg.norm(code)), rel=1e-6
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_checked_text_is_the_lowest_levels(model: ByMargin, share: float) -> None:
    prompt = "Anna Keller said"
    plain = write_on(model, prompt, Writing(120, Climb.PLAIN))
    checked = write_on(model, prompt, Writing(120, recalls=False, least_share=share))
    assert checked.text == plain.text
    assert checked.steps <= plain.steps


def test_levels_are_heard_less_the_surer_they_must_be(model: ByMargin) -> None:
    steps = [
        write_on(model, "Anna Keller said", Writing(120, recalls=False, least_share=share)).heard
        for share in (0.0, 1.01)
    ]
    assert steps[0].keys() > {"next"}
    assert steps[1].keys() == {"next"}
