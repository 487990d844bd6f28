"""What the experience graph is worth to a quiz."""

import pytest

from agent.quiz_memory import Told, memory_figures

POOR = Told(found=False, em=0.0, f1=0.0, known=True)
RICH = Told(found=True, em=1.0, f1=1.0, known=True)


def test_both_sides_and_the_gain_are_shares_of_the_same_questions():
    told = {"with": [RICH, RICH, POOR, RICH], "without": [POOR, RICH, POOR, RICH]}
    figures = memory_figures(told)
    assert figures["n"] == 4
    assert figures["with"]["found@10"] == 75
    assert figures["without"]["found@10"] == 50
    assert figures["gain"]["f1"] == 25
    low, high = figures["gain_95"]["f1"]
    assert 0 <= low < 25 < high <= 100
    assert figures["with"]["answered"] == figures["without"]["answered"] == 100
    assert figures["gain"]["answered wrongly"] == -25


@pytest.mark.parametrize("one", [POOR, RICH])
def test_no_gain_has_no_width(one):
    figures = memory_figures({"with": [one] * 3, "without": [one] * 3})
    assert set(figures["gain"].values()) == {0}
    assert all(bounds == [0, 0] for bounds in figures["gain_95"].values())
