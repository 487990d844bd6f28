"""What is gained from what was read before: weeks are chosen evenly, and all ways read the same articles."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from model.checkpoint import save_checkpoint
from model.predict_data import read_dated_news
from model.predict_train import PredictText, with_gate
from scripts import experience_report
from tests.model.language_models import checkpoint, invented_text, predict_text, write_news


def dated(days: int) -> list[tuple[str, str]]:
    first = date(2025, 1, 1)
    return [(str(first + timedelta(at)), invented_text(3, seed=at)) for at in range(days)]


@pytest.fixture
def language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    text: PredictText = predict_text()
    with monkeypatch.context() as patch:
        patch.setattr("model.gate_fit.STEPS", 60)
        patch.setattr("model.gate_fit.BATCH", 500)
        save_checkpoint(with_gate(checkpoint(), text), tmp_path / "language")
    return tmp_path / "language"


def test_every_way_reads_the_same_articles(
    tmp_path: Path, language: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experience_report, "read_dated_news", lambda _: dated(150))
    out = tmp_path / "report.json"
    arguments = ["--data", str(tmp_path), "--language", str(language), "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["experience_report.py", *arguments, "--articles", "2"])
    experience_report.main()
    report: dict[str, Any] = json.loads(out.read_text("utf-8"))
    assert report["articles"] == 2 * len(report["weeks"]) == 8
    ways = report["ways"]
    assert list(ways) == [
        "network alone",
        "its own beginning",
        *experience_report.BEFORE,
        *experience_report.SMALLER,
    ]
    assert ways["network alone"]["less_than_alone_percent"] == 0
    assert ways["three months before"]["bpc"] < ways["network alone"]["bpc"]
    articles = [each["articles"] for each in report["learned"].values()]
    assert articles == [7, 28, 91, *[91] * len(experience_report.SMALLER)]


def test_weeks_have_three_months_before_them() -> None:
    weeks = experience_report.weeks_of(dated(150))
    assert weeks[0] == date(2025, 1, 1) + timedelta(91)
    assert len(set(weeks)) == experience_report.WEEKS
    with pytest.raises(SystemExit, match="too short"):
        experience_report.weeks_of(dated(100))


def test_no_later_article_is_learned() -> None:
    texts = experience_report.between(dated(20), date(2025, 1, 3), date(2025, 1, 5))
    assert texts == [text for _, text in dated(20)[2:4]]


def test_news_is_dated_oldest_first(tmp_path: Path) -> None:
    found = read_dated_news(write_news(tmp_path, articles=5))
    assert len(found) == 5
    assert all(day == "2025-02-03" and text.startswith("Report") for day, text in found)
