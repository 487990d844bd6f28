"""What is made of evaluation reports: a picture and the README's tables."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
MEAN = {"dense": 0.3, "lexical": 0.4, "hybrid": 0.5}
METRICS = ("ndcg@10", "recall@100", "mrr")


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    return module


def search_report() -> dict[str, Any]:
    found = {kind: dict.fromkeys(METRICS, value) for kind, value in MEAN.items()}
    flat = {"mean": dict.fromkeys(METRICS, 0.4), "sets": {"NEWS": dict.fromkeys(METRICS, 0.4)}}
    timing = {"texts_per_s": 900, "parts": {"dense": 2000, "lexical": 1500}}
    return {
        "sets": {"NEWS": {**found, "n": 2}},
        "mean": found,
        "comparators": {"timing": timing, "BM25": {**flat, "texts_per_s": 1600.0}},
        "variants": {"depth 0": {"sets": {}, "mean": found, "texts_per_s": 1200.0}},
    }


def similarity_report() -> dict[str, Any]:
    sets = {name: {"spearman": 70.0} for name in ("SICK-R", "STS12", "STS13", "STS15")}
    return {
        "model": {"bytes": 2_000_000},
        "sets": sets,
        "mean": {"spearman": 70.0},
        "comparators": {
            "timing": {"texts_per_s": 900},
            "all-MiniLM-L6-v2": {
                "sets": sets,
                "mean": {},
                "texts_per_s": 90.0,
                "speed_ratio": 10.0,
            },
        },
    }


def tagging_report() -> dict[str, Any]:
    return {
        "model": {"bytes": 2_000_000},
        "sets": {"news": {"entity_f1": 91.0, "n": 9}, "web": {"accuracy": 97.5, "n": 50}},
    }


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    (tmp_path / "retrieval.json").write_text(json.dumps(search_report()))
    (tmp_path / "sts.json").write_text(json.dumps(similarity_report()))
    return tmp_path


def test_the_picture_holds_every_contender(reports: Path) -> None:
    plot = program("plot_quality")
    panel = next(it for it in plot.PANELS if it.suite == "retrieval")
    points = {point.name: point for point in plot.points_of(reports, panel)}
    assert {name: point.quality for name, point in points.items()} == {
        "Tidings": 0.5,
        "Tidings, dense alone": 0.3,
        "Tidings, lexical alone": 0.4,
        "Tidings, depth 0": 0.5,
        "BM25": 0.4,
    }
    assert not points["BM25"].is_ours


def test_the_same_reports_give_the_same_picture(reports: Path) -> None:
    plot = program("plot_quality")
    for name in ("first.png", "second.png"):
        assert plot.draw(reports, reports / name).endswith("sts, retrieval")
    first = (reports / "first.png").read_bytes()
    assert first.startswith(b"\x89PNG")
    assert first == (reports / "second.png").read_bytes()


def test_without_reports_nothing_is_drawn(tmp_path: Path) -> None:
    plot = program("plot_quality")
    assert plot.draw(tmp_path, tmp_path / "quality.png").startswith("no report")
    report = {key: value for key, value in search_report().items() if key != "comparators"}
    (tmp_path / "retrieval.json").write_text(json.dumps(report))
    assert plot.draw(tmp_path, tmp_path / "quality.png").startswith("no report")
    assert not (tmp_path / "quality.png").exists()


def test_levels_are_shown_for_every_text_with_what_tells_that_one_is_sure(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = {"plain": {"chars_per_step": 1.0}, "checked from 0": {"chars_per_step": 1.5}}
    found = {"idea": "as it is", "bits": 2.5, "half_interval": 0.1, "effective_rank": 59.0}
    found |= {"right": [0.5, 0.1], "auroc_of_length": [0.6, 0.7], "auroc_of_margin": [0.5, 0.8]}
    found |= {"writing_by_length": way, "writing_by_margin": {**way, "free from 0": {}}}
    other = {"idea": "none", "bits": 3.0, "half_interval": None, "effective_rank": 9.0}
    rows = {"first": found, "second": {**other, "bits_longer": 3.25}}
    report = json.dumps({"processor_seconds": 30.0, "rows": rows})
    (reports / "levels_news.json").write_text(report)
    readme = program("readme_tables")
    monkeypatch.setattr(readme, "REPORTS", reports)
    lines = readme.section("levels").splitlines()
    assert any(line.startswith("| news to 2024, 30 processor seconds each |") for line in lines)
    assert "| first: as it is | 2.500 ± 0.100 | 50, 10 | 0.60, 0.70 | 59 |" in lines
    longer = "3.000; 3.250 where four times as much stands before"
    assert f"| second: none | {longer} |  |  | 9 |" in lines
    assert "| checked from 0 | 1.50 | 1.50 |" in lines
    assert not any("free from" in line for line in lines)


def test_stories_are_shown_beside_what_they_are_compared_with(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = "bcubed_f1", "bcubed_precision", "bcubed_recall", "pairwise_f1"
    ours, theirs = ({"stream": dict.fromkeys(metrics, share)} for share in (0.9, 0.85))
    difference = {"bcubed_f1": 0.05, "interval": [0.01, 0.09]}
    report = {
        "sets": ours,
        "judged": {"articles": 469, "read": 9549},
        "comparators": {"TF-IDF": {"sets": theirs, "difference": difference}},
    }
    (reports / "stories.json").write_text(json.dumps(report))
    readme = program("readme_tables")
    monkeypatch.setattr(readme, "REPORTS", reports)
    lines = readme.section("memory").splitlines()
    assert any("469 labelled articles among 9,549 |" in line for line in lines)
    assert "| Tidings | 90.0 | 90.0 | 90.0 | 90.0 |  |" in lines
    assert "| TF-IDF | 85.0 | 85.0 | 85.0 | 85.0 | 1.0 to 9.0 |" in lines


def test_tables_are_those_of_the_reports_there_are(
    reports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = program("readme_tables")
    monkeypatch.setattr(readme, "EVALUATION", reports)
    monkeypatch.setattr(readme, "REPORTS", reports)
    monkeypatch.setattr(readme, "READER", reports / "reader.json")
    monkeypatch.setattr(readme, "TAGGER", reports / "tagging.json")
    (reports / "tagging.json").write_text(json.dumps(tagging_report()))
    names = "encoder", "news", "speed"
    lines = [line for name in names for line in readme.section(name).splitlines()]
    assert "| Tidings, hybrid | 0.500 | 0.500 |" in lines
    assert "| BM25 | 0.400 | 0.400 |" in lines
    assert "| Tidings | 70.00 | 70.00 | 70.00 | 70.00 | 70.00 |" in lines
    assert "| Tidings | 900 | 900 |" in lines
    assert any("10 x, 2.0 MB" in line for line in lines)
    assert "| Tidings | 91.00 | 97.50 |" in lines
    assert "| tagger, 2.0 MB: F1 of names, then accuracy of words | news | web |" in lines
    assert readme.section("classifying") == ""


def test_both_pages_have_the_tables_of_the_reports_as_they_are() -> None:
    readme = program("readme_tables")
    pages = [page.read_text(encoding="utf-8") for page in readme.PAGES]
    assert pages == [readme.with_results(page) for page in pages]
    assert sorted(mark[2] for page in pages for mark in readme.MARKS.finditer(page)) == sorted(
        readme.SECTIONS
    )
