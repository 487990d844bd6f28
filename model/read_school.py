"""Where a reader is taught: exercises from every source, a teacher if there is one, and the steps.

Shapes: N questions.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.device import Device
from model.read_batches import ReadBatch, lay_out, load_batches
from model.read_config import ReadPreset, ReadTrainConfig
from model.read_data import as_words
from model.read_exercise import Exercise, fitted
from model.read_metrics import area_under_curve
from model.read_recipe import ReadMaterial
from model.read_sources import MORE, NEWS, PAIRS, QUIZ, SENTENCES, SQUAD, STORIES, TEXTS
from model.read_teacher import PieceBook
from model.read_trainer import ReaderTrainer, TeacherTrainer
from model.read_variants import Exercises, Shares
from model.read_words import WordBook
from model.run_state import STATE, log_steps, restore_state
from model.tag_data import PARTS

logger = logging.getLogger(__name__)

SAVE_EVERY_STEPS = 200
SAVE_TEACHER_EVERY = 100_000
"""Its state is large and its training short: saved at the end."""
EXAMINED_AT_ONCE = 32
SHARES = {
    SQUAD: Shares(),
    SENTENCES: Shares(0.0, 0.0, 0.2, company=3),
    QUIZ: Shares(0.0, 0.1, 0.2),
    NEWS: Shares(0.35, 0.05, 0.1),
    TEXTS: Shares(0.0, 0.1, 0.2),
    MORE: Shares(0.06, 0.06, 0.1),
    PAIRS: Shares(0.0, 0.0, 0.2, company=3, left_out=0.25),
    STORIES: Shares(0.0, 0.0, 0.1, company=3, left_out=0.25),
}


@dataclass(frozen=True, slots=True)
class School:
    """Exercises for one preset, and where steps are taken."""

    preset: ReadPreset
    book: WordBook
    drawers: Mapping[str, Exercises]
    examined: tuple[Exercise, ...]
    """Questions about the articles that were kept out."""
    device: Device
    settings: Mapping[str, Any]
    """Of the run, to tell it from others."""

    @classmethod
    def of(
        cls,
        preset: ReadPreset,
        material: ReadMaterial,
        book: WordBook,
        device: Device,
        *,
        encoder: str,
    ) -> School:
        """Set up; all words that will be met are in the book afterwards."""
        drawers = {
            name: Exercises(book, given, SHARES[name]) for name, given in material.sets.items()
        }
        kept_out = as_words(material.development, book)
        rng = np.random.default_rng(0)
        examined = tuple(
            fitted(Exercise(one.question, kept_out.passages[one.passage], one.answers), rng)
            for one in kept_out.examples
        )
        settings = {**asdict(preset), "digest": material.digest, "encoder": encoder}
        return cls(preset, book, drawers, examined, device, settings)

    def teach(self, train: ReadTrainConfig, run: Path) -> tuple[TeacherTrainer, PieceBook]:
        """Train a teacher, or take up the trained one; settled, with the pieces that it reads.

        Raises:
            ModelError: the extra `train` is not installed, or the unfinished run has other settings.
        """
        run.mkdir(parents=True, exist_ok=True)
        pieces = PieceBook(self.book)
        teacher = TeacherTrainer(self.preset, train, device=self.device.name)
        self._take(teacher, train, run, pieces, save_every=SAVE_TEACHER_EVERY)
        teacher.settle()
        return teacher, pieces

    def train(self, run: Path, taught: tuple[TeacherTrainer, PieceBook] | None) -> ReaderTrainer:
        """Train a reader, on what a teacher says if there is one.

        Raises:
            ModelError: the unfinished run has other settings.
        """
        teacher, pieces = taught or (None, None)
        trainer = ReaderTrainer(
            self.preset,
            self.book.vectors,
            parts=len(PARTS) + 1,
            teacher=teacher,
            device=self.device.name,
        )
        self._take(trainer, self.preset.train, run, pieces, save_every=SAVE_EVERY_STEPS)
        return trainer

    def _take(
        self,
        trainer: ReaderTrainer | TeacherTrainer,
        train: ReadTrainConfig,
        run: Path,
        pieces: PieceBook | None,
        *,
        save_every: int,
    ) -> None:
        settings = json.dumps(self.settings, sort_keys=True)
        restore_state(trainer, run / STATE, settings)
        logger.info("training started", extra={"step": trainer.step, "of": trainer.total_steps})
        given = load_batches(
            self.drawers,
            self.book,
            train,
            max_span_words=self.preset.reader.max_span_words,
            first=trainer.step,
            device=self.device,
            pieces=pieces,
        )
        records = take_steps(trainer, given, log_every=self.device.log_every)
        log_steps(trainer, records, run, settings, save_every=save_every)

    def examine(
        self, trainer: TeacherTrainer | ReaderTrainer, pieces: PieceBook | None
    ) -> dict[str, float]:
        """How a settled one does on the articles that were kept out.

        Returns:
            Of questions with an answer the share, times 100, whose best span is right; and the area under
            the curve, times 100, of the odds of none on questions with and without.
        """
        most = self.preset.reader.max_span_words
        right: list[bool] = []
        odds: list[float] = []
        for at in range(0, len(self.examined), EXAMINED_AT_ONCE):
            chosen = self.examined[at : at + EXAMINED_AT_ONCE]
            batch = lay_out(self.book, chosen, most, pieces).to(trainer.device)
            with torch.no_grad():
                spans, none = trainer.scores(batch)
            flat = spans.flatten(1)
            best = flat.argmax(dim=1, keepdim=True)
            right += batch.right.flatten(1).gather(1, best)[:, 0].tolist()
            odds += (none - flat.logsumexp(dim=1)).tolist()
        is_absent = np.array([not one.answers for one in self.examined])
        found = np.array(right)[~is_absent].mean() if not is_absent.all() else 0.0
        auroc = area_under_curve(np.array(odds), is_absent)
        return {"span_em": round(100 * float(found), 2), "auroc_written": round(100 * auroc, 2)}


def take_steps(
    trainer: ReaderTrainer | TeacherTrainer, given: Iterable[ReadBatch], *, log_every: int
) -> Iterator[dict[str, Any]]:
    """Take a step with each batch; yields a log record for every one, or for some of them."""
    began = time.perf_counter()
    for batch in given:
        loss = trainer.take_step(batch)
        if trainer.step % log_every == 0:
            value = round(float(loss), 6)
            now = time.perf_counter()
            yield {
                "step": trainer.step,
                "loss": value,
                "seconds": round((now - began) / log_every, 4),
            }
            began = now
