"""The `lm` suite: any text file, any folder of texts, one report."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from model import DataError, ModelError
from model.evaluate_lm import COMPRESSORS, evaluate_lm, read_sets
from model.predict import LanguageModel
from model.predict_data import joined, read_news_text
from tests.model.language_models import checkpoint, invented_text, write_news


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(checkpoint())


def write_rows(path: Path, texts: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)


def test_a_text_file_gives_the_report_of_the_contract(tmp_path: Path, model: LanguageModel) -> None:
    text = invented_text(12, seed=9)
    (tmp_path / "some.txt").write_text(text, encoding="utf8")
    report = evaluate_lm(tmp_path / "some.txt", model=model, compare=True)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert list(report["sets"]) == ["some"]
    row = report["sets"]["some"]
    assert row["n"] == len(text) - 1
    assert row["bpc"] == pytest.approx(float(model.bits(text).mean()), abs=1e-4)
    assert row["is_same"]
    assert row["chars_per_step"] > 1
    assert {"chars_per_s", "plain_chars_per_s", "speed_ratio"} < set(row)
    assert report["mean"]["bpc"] == row["bpc"]
    packed = {name: rival["sets"]["some"]["bpc"] for name, rival in report["comparators"].items()}
    assert set(packed) == set(COMPRESSORS)
    assert row["bpc"] < packed["PPMd"] < packed["xz -9"] < 8


def test_packed_text_and_folders_of_rows_are_read(tmp_path: Path) -> None:
    packed = tmp_path / "play.txt.xz"
    packed.write_bytes(lzma.compress(b"To be."))
    assert read_sets(packed) == {"play": "To be."}
    write_rows(tmp_path / "lm" / "two.jsonl.xz", ["one", "two"])
    write_rows(tmp_path / "lm" / "none.jsonl.xz", [])
    assert read_sets(tmp_path) == {"two": joined(["one", "two"])}
    assert read_sets(tmp_path / "lm", limit=1) == {"two": joined(["one"])}
    assert read_sets(tmp_path / "lm" / "two.jsonl.xz") == {"two": joined(["one", "two"])}


def test_of_a_data_folder_the_articles_of_the_test_year_are_read(tmp_path: Path) -> None:
    write_news(tmp_path, articles=3)
    news = read_news_text(tmp_path)
    assert read_sets(tmp_path) == {"news_2025": joined(news.test)}
    assert read_sets(tmp_path, limit=2) == {"news_2025": joined(news.test[:2])}


@pytest.mark.parametrize("content", [b"\xfd7zXZ\x00 broken", b""])
def test_broken_files_are_named(tmp_path: Path, content: bytes, model: LanguageModel) -> None:
    path = tmp_path / "broken.txt.xz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.txt\.xz|no text in"):
        evaluate_lm(path, model=model)
    (tmp_path / "latin.txt").write_bytes(b"\xe9t\xe9")
    with pytest.raises(DataError, match=r"cannot read latin\.txt"):
        read_sets(tmp_path / "latin.txt")


def test_a_folder_without_text_is_refused(tmp_path: Path, model: LanguageModel) -> None:
    with pytest.raises(ModelError, match="no text in"):
        evaluate_lm(tmp_path, model=model)
