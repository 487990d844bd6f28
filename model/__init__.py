"""The model of Tidings: encoder, reader and language model trained from scratch on characters, run by numpy alone."""

from __future__ import annotations

from model.ask import Asker, Proposal, load_asker
from model.embed import Encoder, load_encoder
from model.errors import CheckpointError, DataError, ModelError
from model.generate import Climb, Writing, Written, write_on
from model.predict import LanguageModel, load_language_model
from model.read import Reader, load_reader
from model.tag import Span, Tagger, Word, load_tagger
from model.writer import Writer

__all__ = [
    "Asker",
    "CheckpointError",
    "Climb",
    "DataError",
    "Encoder",
    "LanguageModel",
    "ModelError",
    "Proposal",
    "Reader",
    "Span",
    "Tagger",
    "Word",
    "Writer",
    "Writing",
    "Written",
    "load_asker",
    "load_encoder",
    "load_language_model",
    "load_reader",
    "load_tagger",
    "write_on",
]
