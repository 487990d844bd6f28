"""The `tagging` suite: names by characters and kind, parts of speech word by word, of what training leaves alone."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import pytest

from model import DataError, Span, Word, load_tagger
from model.evaluate_tagging import NameSet, PartSet, evaluate_tagging, read_sets
from model.tag import Reading
from tests.model.tagged_sets import write_tagged_sets


def reading(*spans: Span, parts: str = "") -> Reading:
    words = tuple(Word(at, at + 1, "x", part) for at, part in enumerate(parts.split()))
    return Reading(words, spans)


def test_a_name_counts_when_its_characters_and_its_kind_are_right() -> None:
    marked: tuple[frozenset[tuple[int, int, str]], ...] = (
        frozenset({(0, 8, "person"), (13, 18, "person"), (22, 26, "location")}),
        frozenset(),
    )
    found = (
        reading(Span(0, 8, "person"), Span(13, 15, "person"), Span(22, 26, "organization")),
        reading(Span(0, 2, "person"), Span(3, 9, "location")),
    )
    scored = NameSet(("", ""), marked).score(found)
    # The organization is of a kind that the set never marks: neither right nor wrong.
    assert scored == {"entity_f1": 28.57, "entity_precision": 25.0, "entity_recall": 33.33, "n": 3}


def test_where_nothing_is_found_all_is_missed() -> None:
    scored = NameSet(("",), (frozenset({(0, 4, "person")}),)).score([reading()])
    assert scored == {"entity_f1": 0.0, "entity_precision": 0.0, "entity_recall": 0.0, "n": 1}


def test_parts_of_speech_are_counted_word_by_word() -> None:
    found = [reading(parts="DT NN"), reading(), reading(parts="VBZ .")]
    assert PartSet(("", "", ""), ("DT", "JJ", "VBZ", ".")).score(found) == {
        "accuracy": 75.0,
        "n": 4,
    }


def test_only_what_training_leaves_alone_is_read(tmp_path: Path) -> None:
    write_tagged_sets(tmp_path)
    sets = read_sets(tmp_path)
    assert list(sets) == ["paper_testa", "paper_testb", "ud_ours_dev"]
    assert sets["paper_testa"] == NameSet(
        ("Ana Bell met Bo Li in Rome.", "It rained."),
        (frozenset({(0, 8, "person"), (13, 18, "person"), (22, 26, "location")}), frozenset()),
    )
    assert sets["paper_testb"] == NameSet(
        ("Rome (Lazio) slept.",), (frozenset({(0, 4, "location"), (6, 11, "location")}),)
    )
    parts = sets["ud_ours_dev"]
    assert isinstance(parts, PartSet)
    assert " ".join(parts.tags) == "DT NN VBZ RB JJ . NNS VBP . RB . ."


@pytest.mark.parametrize("folder", ["", "tagging", "eval/tagging", "train/tagging"])
def test_the_report_is_that_of_the_contract(tmp_path: Path, folder: str) -> None:
    write_tagged_sets(tmp_path / folder)
    tagger = load_tagger()
    report = evaluate_tagging(tmp_path, tagger=tagger)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["suite"] == "tagging"
    assert report["model"]["name"] == tagger.name
    assert tagger.name.removeprefix("tagger-") in report["model"]["hash"]
    assert report["model"]["params"] > report["model"]["bytes"] > 0
    assert report["sets"]["ud_ours_dev"]["n"] == 12
    assert report["sets"]["paper_testa"]["entity_recall"] > 60
    assert set(report["mean"]) == {"entity_f1", "entity_precision", "entity_recall", "accuracy"}
    assert {"seconds", "words_per_s", "chars_per_s", "machine", "commit"} < set(report)


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no tagging sets"):
        evaluate_tagging(tmp_path)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "torn.jsonl.xz").write_bytes(lzma.compress(b'{"ner": "O"}')[:-9])
    with pytest.raises(DataError, match=r"torn\.jsonl\.xz"):
        evaluate_tagging(tmp_path)
