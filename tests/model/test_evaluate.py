"""Evaluation: the report's form is a contract, the same for every suite and folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from model import Encoder, ModelError
from model.baseline import HashedWords
from model.evaluate import SUITES, evaluate_suite
from model.evaluate_similarity import read_pair_sets, score_pairs
from model.timing import ALTERNATIONS, measure_rates, sample
from tests.model.eval_sets import Broken, LetterStates, write_rows, write_search_set

PAIRS = [
    ("The mayor opens the old bridge.", "The mayor opens the old bridge today.", 5.0, "north"),
    ("The mayor opens the old bridge.", "The mayor visits the old bridge.", 3.0, "north"),
    ("The mayor opens the old bridge.", "A farmer sells a small bakery.", 0.0, "north"),
    ("A farmer sells a new school.", "A farmer sells a new school now.", 4.0, "south"),
    ("A farmer sells a new school.", "The captain praises the harbour.", 1.0, "south"),
    ("", "The captain praises the harbour.", 0.5, "south"),
]
SENTENCES = ("the mayor opens a bridge", "a farmer sells a school")
FOLDERS = {
    "sts": "sts",
    "classification": "classification",
    "retrieval": "beir",
    "codesearch": "codesearchnet",
}
METRICS = {
    "sts": {"spearman", "pearson_mean", "n"},
    "classification": {"accuracy", "n"},
    "retrieval": {"dense", "one_vector", "lexical", "hybrid", "n"},
    "codesearch": {"dense", "lexical", "hybrid", "mrr", "ndcg@10", "n"},
}
KEYS = {"suite", "model", "sets", "mean", "seconds", "chars_per_s", "machine", "commit"}
MORE_KEYS = {"classification": {"features", "penalties"}}
KINDS = {"dense", "lexical", "hybrid"}


def write_similarity(path: Path) -> None:
    rows = [{"a": a, "b": b, "score": score, "subset": subset} for a, b, score, subset in PAIRS]
    write_rows(path, rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    below = folder / "eval"
    for name in ("NEWS", "NEWS.train", "NEWS.dev"):
        write_similarity(below / "sts" / f"{name}.jsonl.xz")
    rows = [{"text": f"{SENTENCES[at % 2]} {at}", "label": at % 2} for at in range(24)]
    write_rows(below / "classification" / "NEWS" / "all.jsonl.xz", rows)
    for name in ("beir", "codesearchnet"):
        write_search_set(
            below / name / "NEWS",
            {"d1": SENTENCES[0], "d2": SENTENCES[1], "d3": ""},
            {"q1": "mayor of a bridge", "q2": "a farmer", "q3": "not judged"},
            {"test": {"q1": {"d1": 1}, "q2": {"d2": 1}}},
        )
    return folder


def without_times(report: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key not in ("seconds", "chars_per_s")}


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("below", [".", "eval", "eval/{}"])
def test_the_report_has_the_agreed_form(
    data: Path, tiny_encoder: Encoder, suite: str, below: str
) -> None:
    folder = data / below.format(FOLDERS[suite])
    report = evaluate_suite(suite, folder, encoder=tiny_encoder)
    assert set(report) == KEYS | MORE_KEYS.get(suite, set())
    assert set(report["model"]) == {"name", "hash", "params", "bytes"}
    assert set(report["sets"]) == {"NEWS"}
    assert set(report["sets"]["NEWS"]) == METRICS[suite]
    assert set(report["mean"]) == METRICS[suite] - {"n"}
    assert report["seconds"] > 0
    assert report["chars_per_s"] > 0
    assert str(data) not in json.dumps(report, allow_nan=False)


@pytest.mark.parametrize(
    ("suite", "n"), [("sts", len(PAIRS)), ("classification", 24), ("retrieval", 2)]
)
def test_the_mean_of_one_set_is_that_set(
    data: Path, tiny_encoder: Encoder, suite: str, n: int
) -> None:
    report = evaluate_suite(suite, data, encoder=tiny_encoder)
    assert report["sets"]["NEWS"] == {**report["mean"], "n": n}


def test_search_reports_three_metrics_of_each_way(data: Path, tiny_encoder: Encoder) -> None:
    report = evaluate_suite("codesearch", data, encoder=tiny_encoder)
    for found in (report["sets"]["NEWS"], report["mean"]):
        for kind in KINDS:
            assert set(found[kind]) == {"ndcg@10", "recall@100", "mrr"}
            assert all(0 <= value <= 1 for value in found[kind].values())
        assert found["mrr"] == found["hybrid"]["mrr"]
        assert found["ndcg@10"] == found["hybrid"]["ndcg@10"]


@pytest.mark.parametrize("suite", SUITES)
def test_the_same_call_gives_the_same_report(data: Path, tiny_encoder: Encoder, suite: str) -> None:
    first, second = (evaluate_suite(suite, data, encoder=tiny_encoder) for _ in range(2))
    assert without_times(first) == without_times(second)


@pytest.mark.parametrize("suite", SUITES)
def test_no_number_is_never_a_score(data: Path, suite: str) -> None:
    with pytest.raises(ModelError, match=r"NEWS: .*not finite"):
        evaluate_suite(suite, data, encoder=Broken())


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
    runs = {name: (lambda texts, name=name: calls.append(name)) for name in "ab"}
    rates = measure_rates(runs, ["x"] * 10)
    assert calls[2:] == ["a", "b"] * ALTERNATIONS
    assert set(rates) == {"a", "b"}
    assert all(rate > 0 for rate in rates.values())


def test_a_sample_is_spread_over_all_texts() -> None:
    texts = [f"{at:03}" for at in range(100)] * 2
    assert sample(texts, 10) == [f"{at:03}" for at in range(0, 100, 10)]
    assert sample(["b", "a", "b"], 10) == ["a", "b"]


class Layered(LetterStates):
    """Letters, which can also be looked at in reverse."""

    def variants(self) -> Mapping[str, LetterStates]:
        return {"reversed": LetterStates()}


def test_variants_and_comparators_are_reported_beside_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small(HashedWords):
        """In place of the public encoder, which tests do without."""

        name = "all-MiniLM-L6-v2"

    for module in ("similarity", "classification", "search"):
        monkeypatch.setattr(f"model.evaluate_{module}.PublicEncoder", Small)
    for suite, others in {
        "sts": {"all-MiniLM-L6-v2", "averaged hashed words"},
        "classification": {"all-MiniLM-L6-v2", "averaged hashed words"},
        "retrieval": {"all-MiniLM-L6-v2", "BM25", "BM25 + all-MiniLM-L6-v2"},
    }.items():
        report = evaluate_suite(suite, data, encoder=Layered(), compare=True)
        assert set(report["comparators"]) == others | {"timing"}
        timing = report["comparators"].pop("timing")
        assert timing["texts_per_s"] > 0
        assert set(timing.get("parts", {})) == ({"dense", "lexical"} if "BM25" in others else set())
        for found in report["comparators"].values():
            assert found.keys() >= {"sets", "mean", "texts_per_s", "speed_ratio"}
            assert set(found["sets"]) == {"NEWS"}
        assert "reversed" in report["variants"]
        assert report["variants"]["reversed"]["sets"] == report["sets"]
    assert set(report["comparators"]["BM25"]["sets"]["NEWS"]) == {
        "ndcg@10",
        "recall@100",
        "mrr",
        "n",
    }


def test_what_is_missing_is_said(tmp_path: Path, tiny_encoder: Encoder) -> None:
    with pytest.raises(ModelError, match="unknown suite 'poetry'"):
        evaluate_suite("poetry", tmp_path, encoder=tiny_encoder)
    for suite, folder in FOLDERS.items():
        with pytest.raises(ModelError, match=f"no {folder} sets"):
            evaluate_suite(suite, tmp_path / "elsewhere", encoder=tiny_encoder)
    write_similarity(tmp_path / "sts" / "NEWS.dev.jsonl.xz")
    with pytest.raises(ModelError, match="no test set"):
        evaluate_suite("sts", tmp_path, encoder=tiny_encoder)


@pytest.mark.parametrize(
    "rows",
    [
        [{"a": "x", "b": "y"}],
        [{"a": "x", "b": "y", "score": "much"}] * 2,
        [{"a": "x", "b": "y", "score": float("nan")}] * 2,
        [{"a": "x", "b": "y", "score": 1}],
        [],
    ],
)
def test_a_wrong_similarity_set_is_named(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    write_rows(tmp_path / "BAD.jsonl.xz", rows)
    with pytest.raises(ModelError, match=r"BAD\.jsonl\.xz"):
        read_pair_sets(tmp_path)


def test_hashed_words_know_shared_words_alone() -> None:
    vectors = HashedWords().embed(["old bridge", "Bridge, OLD", "new school", ""])
    assert vectors[0] @ vectors[1] == pytest.approx(1)
    assert abs(vectors[0] @ vectors[2]) < 0.3
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
