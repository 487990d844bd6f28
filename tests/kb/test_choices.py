"""Given options: what the facts tell of each, and what the weights make of it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from kb import Answerability, AnswerKind, ChoiceWeights, Question
from kb.calibrate import Corpus, Passage
from kb.choices import COMPARED, FEATURES, FORMS, compare

WEEK = datetime(2025, 3, 7, tzinfo=UTC)
PASSAGES = [
    Passage(
        "The Phong Chau bridge collapsed when typhoon Yagi hit the river.",
        "Bridge falls",
        None,
        "b",
    ),
    Passage("An earthquake shook the coast of Chile, and nobody was hurt.", "Chile", None, "c"),
    Passage("Rescuers looked for the missing on Monday.", "Bridge falls", None, "b", 70),
    Passage("A volcanic eruption closed an airport in Iceland for two days.", "Iceland", None, "i"),
]
QUESTION = Question("Which natural disaster made the Phong Chau bridge collapse?", AnswerKind.WHAT)
OPTIONS = ["An earthquake", "A typhoon", "A volcanic eruption", "A tsunami"]


@pytest.fixture
def corpus(embedder, tmp_path):
    made = Corpus(PASSAGES, embedder, tmp_path)
    yield made
    made.close()


def told(corpus: Corpus, options: list[str]) -> np.ndarray:
    return corpus.choose(QUESTION, options, asked_at=WEEK, answerability=Answerability.default())


def feature(rows: np.ndarray, name: str) -> list[float]:
    return [float(value) for value in rows[:, FEATURES.index(name)]]


def test_the_option_that_stands_with_the_question_is_told_apart(corpus):
    rows = told(corpus, OPTIONS)
    assert rows.shape == (4, len(FEATURES))
    assert np.isfinite(rows).all()
    for name in (*FEATURES[:3], *FEATURES[4:7]):
        values = feature(rows, name)
        assert int(np.argmax(values)) == 1, name
    assert feature(rows, "likely")[3] == 0  # nobody speaks of a tsunami


def test_what_is_told_does_not_depend_on_the_order_of_options(corpus):
    there, back = told(corpus, OPTIONS), told(corpus, OPTIONS[::-1])[::-1]
    assert np.allclose(there, back)


def test_a_store_without_facts_tells_nothing_of_any_option(embedder, tmp_path):
    corpus = Corpus([], embedder, tmp_path)
    rows = told(corpus, ["one", "two"])
    corpus.close()
    assert np.isfinite(rows).all()
    assert feature(rows, "question and option together") == [0, 0]
    assert feature(rows, "mentions") == [0, 0]


def test_options_are_compared_with_each_other():
    rows = compare(np.array([[1.0], [3.0], [5.0]]))
    spread = np.sqrt(8 / 3)
    assert rows[:, 0].tolist() == [1, 3, 5]
    assert rows[:, 1] == pytest.approx([-2 / spread, 0, 2 / spread])
    assert rows[:, 2].tolist() == [-4, -2, 0]
    assert rows[:, 3].tolist() == [0, 0.5, 1]
    assert compare(np.ones((1, 2))).tolist() == [[1, 1, 0, 0, 0, 0, 0, 0]]


def test_probabilities_follow_the_weights_and_add_up():
    weights = np.zeros(len(COMPARED))
    weights[COMPARED.index("likely: value")] = 2.0
    made = ChoiceWeights(
        COMPARED, (0.0,) * len(COMPARED), (1.0,) * len(COMPARED), tuple(weights.tolist())
    )
    rows = np.zeros((3, len(FEATURES)))
    rows[1, FEATURES.index("likely")] = 1.0
    first, second, third = made.probabilities(rows)
    assert first == third == pytest.approx(1 / (2 + np.exp(2)), abs=1e-5)
    assert first + second + third == pytest.approx(1, abs=1e-5)


def test_shipped_weights_load_and_round_trip(tmp_path: Path):
    shipped = ChoiceWeights.load()
    assert shipped.encoder
    assert len(shipped.weights) == len(FEATURES) * len(FORMS)
    path = tmp_path / "choices.json"
    path.write_text(json.dumps(shipped.to_dict()), encoding="utf-8")
    assert ChoiceWeights.load(path) == shipped


@pytest.mark.parametrize("change", [{"weights": [1.0]}, {"names": ["other"]}, {"means": None}])
def test_other_files_are_refused(tmp_path: Path, change):
    path = tmp_path / "choices.json"
    path.write_text(json.dumps(ChoiceWeights.load().to_dict() | change), encoding="utf-8")
    with pytest.raises(ValueError, match=r"choices\.json: no weights of choices"):
        ChoiceWeights.load(path)
