"""The suite of the experience graph, on a few paragraphs made up here."""

import json
import lzma

import pytest

from agent.evaluate_memory import evaluate_memory
from agent.judgement import load_judgement
from agent.memory_sets import SINGLE_HOP, read_hop_sets
from agent.progress import SilentProgress
from agent.settings import load_settings
from model import DataError

PARAGRAPHS = [
    ("Harrow Bridge", "The Harrow Bridge was designed in 1931 by the engineer Lars Holmgren."),
    ("Lars Holmgren", "Lars Holmgren was born in Port Ellery in 1898 and studied in Oslo."),
    ("Port Ellery", "Port Ellery is a town on the river Ald, founded in 1702."),
    ("Ingrid Solheim", "Ingrid Solheim became mayor of Kingsmouth in 2011 after a long count."),
    ("Kingsmouth", "Kingsmouth has a harbour that was built by Dutch sailors in 1650."),
]
QUESTIONS = [
    {"_id": "q0", "text": "Where was the designer of the Harrow Bridge born?", "answer": "Port Ellery"},
    {"_id": "q1", "text": "Is it judged?", "answer": "no"},
]  # fmt: skip


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "eval" / "multihop" / "tiny"
    rows = [
        {"_id": f"p{n}", "title": title, "text": text} for n, (title, text) in enumerate(PARAGRAPHS)
    ]
    write(folder / "corpus.jsonl.xz", rows)
    write(folder / "queries.jsonl.xz", QUESTIONS)
    lines = "query-id\tcorpus-id\tscore\nq0\tp0\t1\nq0\tp1\t1\n"
    (folder / "qrels.dev.tsv").write_text(lines, encoding="utf-8")
    return tmp_path


@pytest.fixture
def single_hop(data):
    qas = [
        {"q": "Who ruled?", "answers": [], "answerable": False},
        {"q": "When was it built?", "answers": [["1650", 3], ["1650", 3]], "answerable": True},
    ]
    file = data / "train" / "qa" / "squad2_dev.jsonl.xz"
    write(file, [{"title": "Old_Town", "context": "In 1650 it was built.", "qas": qas}])
    return file


def test_sets_are_read_with_their_answers(data, single_hop):
    several, single = read_hop_sets(data)
    assert (several.name, len(several.paragraphs), len(several.questions)) == ("tiny", 5, 1)
    assert several.questions[0].supporting == {"p0", "p1"}
    assert (single.name, single.questions[0].answers) == (SINGLE_HOP, ("1650",))
    assert single.paragraphs[0]["title"] == "Old Town"


def test_a_set_that_is_broken_is_named(data):
    (data / "eval" / "multihop" / "tiny" / "qrels.dev.tsv").unlink()
    with pytest.raises(DataError, match="tiny"):
        read_hop_sets(data)


def test_every_figure_is_reported_with_and_without_the_graph(data):
    judgement = load_judgement(load_settings({}))
    report = evaluate_memory(data, judgement, compare=True, limit=None, progress=SilentProgress())
    found = report["sets"]["tiny"]
    assert found["n"] == 1
    for name in ("graph_off", "graph_on"):
        assert set(found[name]) == {"recall@5", "ms", "em", "f1"}
        assert found[name]["recall@5"] == 1.0
    assert found["graph_gain_95"] == [0.0, 0.0]
    assert found["asked_once"]["recall@5"] == found["told_once"]["recall@5"] == 1.0
    assert list(found["forgetting"]) == ["90 days", "365 days", "730 days", "1460 days"]
    assert report["mean"]["graph_on"]["recall@5"] == 1.0
    assert report["comparators"]["BM25 two-hop"]["sets"]["tiny"] == {"recall@5": 1.0, "n": 1}
    assert report["chars_per_s"] > 0
