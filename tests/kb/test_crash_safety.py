"""What is stored survives a broken index, a full disk, damage and a second process."""

import logging
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from kb import (
    AnswerKind,
    HomeLock,
    IndexMismatch,
    KnowledgeBase,
    MigrationError,
    Question,
    StoreBusy,
    StoreError,
    seal,
)
from kb.sql import DATABASE_NAME
from kb.vectors import FOLDER, VectorIndex, open_index
from tests.embedders import HashEmbedder

FLOOD = "At least 12 people were killed in the flood in Porto Verde on Monday."
ASKED = ("How many people were killed in the flood in Porto Verde?", AnswerKind.HOW_MANY, "12")
FLOOD_QUESTION = Question(ASKED[0], AnswerKind.HOW_MANY)


class BrokenIndex(VectorIndex):
    """An index whose disk is gone: every write fails."""

    def __init__(self):
        pass

    def add(self, ids, vectors):
        raise IndexMismatch("the index cannot be written")

    def count(self):
        return 0

    def close(self):
        pass


@pytest.fixture
def teach_flood(newsroom):
    def teach(kb: KnowledgeBase):
        article = newsroom.article([FLOOD])
        draft = newsroom.draft(article, FLOOD, ASKED, names=["Porto Verde"])
        return newsroom.teach(kb, article, [draft])

    return teach


def test_killed_between_rows_and_index_is_finished_at_the_next_start(
    open_kb, tmp_path, embedder, answerability, teach_flood
):
    sound = open_kb()
    sound.close()
    broken = KnowledgeBase(
        tmp_path / "home",
        sound._engine,
        BrokenIndex(),
        embedder=embedder,
        answerability=answerability,
    )
    teach_flood(broken)
    with pytest.raises(IndexMismatch):
        broken.close()

    reopened = open_kb()
    assert reopened.counts().facts == reopened.counts().indexed == 1
    assert reopened.verify().index_missing == 0
    assert reopened.answer(FLOOD_QUESTION).answer == "12"


def test_learning_is_whole_or_absent_when_the_disk_is_full(open_kb, newsroom, teach_flood):
    kb = open_kb()
    teach_flood(kb)
    before = kb.counts()
    _fill_disk(kb)
    sentences = [f"Person {n} received {n} letters in town {n}." for n in range(10, 400)]
    article = newsroom.article(sentences, publisher="Beta Times")
    drafts = [
        newsroom.draft(
            article, s, (f"How many letters did person {n} get?", AnswerKind.HOW_MANY, f"{n}")
        )
        for n, s in enumerate(sentences, start=10)
    ]
    with pytest.raises(StoreError, match=r"home: the disk is full") as caught:
        newsroom.teach(kb, article, drafts)
    assert "\n" not in str(caught.value)
    after = kb.counts()
    assert (after.facts, after.decisions, after.articles) == (before.facts, before.decisions, 1)
    assert kb.answer(FLOOD_QUESTION).answer == "12"


def _fill_disk(kb: KnowledgeBase) -> None:
    """Let the database grow no further, as a full disk would."""
    from sqlalchemy import event

    kb._engine.dispose()

    @event.listens_for(kb._engine, "connect")
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")


def test_home_that_is_a_file_is_named(tmp_path, embedder, answerability):
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(StoreError, match=r"home: cannot be written"):
        KnowledgeBase.open(tmp_path / "home", embedder, answerability)
    with pytest.raises(StoreError, match=r"home: cannot be locked"):
        HomeLock(tmp_path / "home").acquire()
    assert (tmp_path / "home").read_text() == "not a folder"


def test_home_that_cannot_be_written_is_named(tmp_path, embedder, answerability):
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o500)
    try:
        (home / "probe").touch()
    except PermissionError:
        with pytest.raises(StoreError, match=r"home: cannot be written: Permission denied"):
            KnowledgeBase.open(home, embedder, answerability)
    else:
        pytest.skip("this user may write everywhere")
    finally:
        home.chmod(0o700)


@pytest.mark.parametrize("keep", [0, 100, 4096 * 3])
def test_damaged_database_is_reported_and_left_alone(
    open_kb, tmp_path, embedder, answerability, teach_flood, keep
):
    kb = open_kb()
    teach_flood(kb)
    kb.close()
    path = tmp_path / "home" / DATABASE_NAME
    whole = path.read_bytes()
    damaged = whole[:keep] + b"\x5a" * (len(whole) - keep)
    path.write_bytes(damaged)

    def use() -> None:
        with KnowledgeBase.open(tmp_path / "home", embedder, answerability) as opened:
            opened.verify()
            opened.search("flood")

    with pytest.raises(StoreError, match=r"home: .*damaged"):
        use()
    assert path.read_bytes() == damaged


def _wreck_everything(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.write_bytes(b"garbage " * 4000)


def _wreck_catalogue(folder: Path) -> None:
    (folder / "chroma.sqlite3").write_bytes(b"not a database at all" * 999)


def _lose_everything(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def _replace_with_file(folder: Path) -> None:
    _lose_everything(folder)
    folder.rmdir()
    folder.write_text("a file where a folder was")


def _wreck_graph(folder: Path) -> None:
    segment = folder / "00000000-0000-0000-0000-000000000000"
    segment.mkdir()
    (segment / "data_level0.bin").write_bytes(b"garbage " * 4000)


@pytest.mark.parametrize(
    "wreck",
    [_wreck_graph, _wreck_everything, _wreck_catalogue, _lose_everything, _replace_with_file],
)
def test_damaged_index_is_rebuilt_from_the_rows(open_kb, tmp_path, teach_flood, caplog, wreck):
    kb = open_kb()
    teach_flood(kb)
    kb.close()
    wreck(tmp_path / "home" / FOLDER)

    with caplog.at_level(logging.WARNING, logger="kb"):
        mended = open_kb()
    assert len([r for r in caplog.records if r.name.startswith("kb.")]) == 1
    report = mended.verify()
    assert (report.facts, report.index_missing, report.index_extra) == (1, 0, 0)
    assert mended.answer(FLOOD_QUESTION).answer == "12"


def test_graph_files_that_would_end_the_process_are_never_opened(tmp_path, caplog):
    """The index library dies of some damage instead of raising; 1,200 vectors make it write a graph."""
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(1200, 16)).astype(np.float32)
    index = open_index(tmp_path, "test")
    index.add([f"{n:016x}" for n in range(1200)], vectors)
    index.close()
    [graph] = (tmp_path / FOLDER).glob("*/data_level0.bin")
    graph.write_bytes(bytes(graph.stat().st_size))

    with pytest.raises(IndexMismatch, match="not as they were left"):
        open_index(tmp_path, "test")
    seal.take_off(tmp_path)  # as after a kill
    with pytest.raises(IndexMismatch, match="cannot be read"):
        open_index(tmp_path, "test")


def test_index_of_a_killed_process_is_opened_after_a_probe(tmp_path):
    rng = np.random.default_rng(7)
    index = open_index(tmp_path, "test")
    index.add(["00", "01"], rng.normal(size=(2, 16)).astype(np.float32))
    assert seal.survives_probe(tmp_path, "test")
    index.close()
    seal.take_off(tmp_path)
    assert open_index(tmp_path, "test").count() == 2


def test_damaged_index_is_kept_aside(open_kb, tmp_path, teach_flood):
    kb = open_kb()
    teach_flood(kb)
    kb.close()
    for _ in range(2):
        _wreck_catalogue(tmp_path / "home" / FOLDER)
        open_kb().close()
    assert sorted(p.name for p in (tmp_path / "home").glob("chroma.damaged*")) == [
        "chroma.damaged-1",
        "chroma.damaged-2",
    ]


def test_index_that_lost_and_gained_vectors_is_mended(open_kb, teach_flood, embedder):
    kb = open_kb()
    teach_flood(kb)
    kb._send_to_index()
    [fact_id] = kb._index.ids()
    kb._index.remove([fact_id])
    kb._index.add(["feedfacefeedface", "deadbeefdeadbeef"], embedder.embed(["x", "y"]))
    assert (kb.verify().index_missing, kb.verify().index_extra) == (1, 2)
    kb.close()
    mended = open_kb()
    assert (mended.verify().index_missing, mended.verify().index_extra) == (0, 0)


def test_another_encoder_gets_an_index_of_its_own(open_kb, teach_flood, caplog):
    kb = open_kb()
    teach_flood(kb)
    kb.close()
    with caplog.at_level(logging.WARNING, logger="kb"):
        other = open_kb(embedder=HashEmbedder(32))
    assert "embedding every fact anew" in caplog.text
    assert other.answer(FLOOD_QUESTION).answer == "12"
    assert other.verify().index_missing == 0
    other.close()
    with pytest.raises(IndexMismatch, match="its vectors come from hash-32"):
        open_kb(read_only=True)


def test_second_owner_is_refused_at_once(tmp_path):
    with HomeLock(tmp_path / "home"), pytest.raises(StoreBusy, match="another process"):
        HomeLock(tmp_path / "home").acquire()
    with HomeLock(tmp_path / "home") as free_again:
        assert free_again.is_held


def test_newer_schema_is_refused_and_untouched(open_kb, tmp_path, embedder, answerability):
    open_kb().close()
    path = tmp_path / "home" / DATABASE_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO schema_version VALUES (99, 'from the future')")
    connection.close()
    for read_only in (False, True):
        with pytest.raises(MigrationError, match="newer version"):
            KnowledgeBase.open(tmp_path / "home", embedder, answerability, read_only=read_only)


def test_reading_only_writes_nothing(open_kb, tmp_path, teach_flood):
    kb = open_kb()
    teach_flood(kb)
    kb.close()
    before = _snapshot(tmp_path / "home")
    reader = open_kb(read_only=True)
    assert reader.answer(FLOOD_QUESTION).answer == "12"
    assert reader.verify().unsupported == ()
    with pytest.raises(StoreError):
        reader.reindex()
    with pytest.raises(StoreError, match="read-only"):
        reader.reset_feed("https://a.example/feed")
    reader.close()
    assert _snapshot(tmp_path / "home") == before


def _snapshot(home: Path) -> dict[str, bytes]:
    return {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
