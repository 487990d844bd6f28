"""The model of Tidings: an encoder trained from scratch on characters, run by numpy alone."""

from __future__ import annotations

from model.ask import Asker, Proposal, load_asker
from model.embed import Encoder, load_encoder
from model.errors import CheckpointError, DataError, ModelError
from model.read import Reader, load_reader
from model.tag import Span, Tagger, Word, load_tagger

__all__ = [
    "Asker",
    "CheckpointError",
    "DataError",
    "Encoder",
    "ModelError",
    "Proposal",
    "Reader",
    "Span",
    "Tagger",
    "Word",
    "load_asker",
    "load_encoder",
    "load_reader",
    "load_tagger",
]
