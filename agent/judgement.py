"""The model and the weights that decide, as the settings name them: what reads, what is known, what is answered."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.errors import ConfigError
from agent.ingest import Reading
from agent.phrasing import Write
from agent.settings import Settings
from kb import Answerability, ChoiceWeights, RecallWeights, Rereader, RereadWeights
from model import (
    Asker,
    Encoder,
    ModelError,
    Reader,
    Tagger,
    Writer,
    load_asker,
    load_encoder,
    load_reader,
    load_tagger,
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Everything that decides."""

    encoder: Encoder
    tagger: Tagger
    reader: Reader
    answerability: Answerability
    rereader: Rereader
    choices: ChoiceWeights
    recall: RecallWeights | None = None
    """Only where the user wants an experience graph."""
    asker: Asker | None = None
    """Only where the user wants questions in its words."""
    write: Write | None = None
    """Only where the user wants answers phrased."""

    @property
    def reading(self) -> Reading:
        """What learning from an article takes."""
        return Reading(self.encoder, self.tagger, self.asker)


def load_judgement(settings: Settings) -> Judgement:
    """Load the weights, with the user's thresholds in place of the shipped ones.

    Raises:
        ModelError: weights of the model cannot be loaded.
        ConfigError: weights of the verdicts cannot be read, or the writer's folder is none.
    """
    chosen = settings.model
    write = None if chosen.writer is None else _writing(chosen.writer)
    encoder, tagger = load_encoder(chosen.encoder), load_tagger(chosen.tagger)
    # The shipped reader reads with the vectors that it was trained on, whatever finds the facts.
    is_shipped = chosen.reader is None
    reader = load_reader(
        chosen.reader,
        encoder=load_encoder() if is_shipped and chosen.encoder else encoder,
        tagger=load_tagger() if is_shipped and chosen.tagger else tagger,
    )
    try:
        answerability = Answerability.load(chosen.answerability)
        rereading = RereadWeights.load(chosen.rereading)
        choices = ChoiceWeights.load(chosen.choices)
        recall = RecallWeights.load(chosen.recall) if settings.kb.experience else None
    except ValueError as exc:
        raise ConfigError(str(exc)) from exc
    kb = settings.kb
    known = _threshold(
        kb.known_threshold,
        kb.max_false_skip,
        answerability.known_threshold_at,
        answerability.known_threshold,
    )
    threshold = _threshold(
        kb.answer_threshold,
        kb.max_wrong_answer,
        rereading.threshold_at,
        rereading.answer_threshold,
    )
    return Judgement(
        encoder,
        tagger,
        reader,
        replace(answerability, known_threshold=known),
        Rereader(reader, replace(rereading, answer_threshold=threshold)),
        choices,
        recall,
        load_asker(chosen.asker, reader=reader, tagger=tagger)
        if chosen.natural_questions
        else None,
        write,
    )


def _writing(folder: Path) -> Write:
    """A writer that reads its checkpoint when it first writes; trouble with it is the setting's."""
    if not folder.is_dir():
        raise ConfigError(f"TIDINGS_MODEL__WRITER: {folder} is not a folder")
    writer = Writer(folder)

    def write(prompt: str) -> str:
        try:
            return writer.write(prompt)
        except ModelError as exc:
            raise ConfigError(f"TIDINGS_MODEL__WRITER: {exc}") from exc

    return write


def _threshold(
    given: float | None, risk: float | None, within: Callable[[float], float], shipped: float
) -> float:
    """The user's threshold, else the one that keeps to the user's risk, else the shipped one."""
    if given is not None:
        return given
    return shipped if risk is None else within(risk)
