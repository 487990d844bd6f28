"""The weights that decide, as the settings name them."""

import pytest

from agent.judgement import load_judgement
from agent.settings import load_settings
from kb import Answerability, RecallWeights, RereadWeights
from kb.answerability import NEVER


def judgement(**settings):
    return load_judgement(
        load_settings({f"TIDINGS_KB__{k.upper()}": v for k, v in settings.items()})
    )


def test_without_settings_the_shipped_thresholds_hold():
    made = judgement()
    assert made.answerability == Answerability.load()
    assert made.rereader.weights == RereadWeights.load()


def test_a_risk_chooses_the_threshold_by_the_shipped_curve():
    shipped = Answerability.load()
    bold, careful = judgement(max_false_skip="1"), judgement(max_false_skip="0")
    assert bold.answerability.known_threshold == shipped.skipping[0][0]
    assert careful.answerability.known_threshold in (NEVER, *(t for t, _, _ in shipped.skipping))
    assert careful.answerability.known_threshold > bold.answerability.known_threshold
    assert judgement(max_wrong_answer="1").rereader.weights.answer_threshold < 0.5


def test_the_experience_graph_can_be_off():
    assert judgement().recall == RecallWeights.load()
    assert judgement(experience="false").recall is None


@pytest.mark.parametrize("risk", ["0.02", "1"])
def test_a_threshold_given_comes_before_a_risk(risk):
    made = judgement(known_threshold="0.77", max_false_skip=risk)
    assert made.answerability.known_threshold == 0.77
    made = judgement(answer_threshold="0.66", max_wrong_answer=risk)
    assert made.rereader.weights.answer_threshold == 0.66
