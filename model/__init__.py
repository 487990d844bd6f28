"""The model of Tidings: an encoder trained from scratch on characters, run by numpy alone."""

from __future__ import annotations

from model.embed import Encoder, load_encoder
from model.errors import CheckpointError, DataError, ModelError
from model.tag import Span, Tagger, Word, load_tagger

__all__ = [
    "CheckpointError",
    "DataError",
    "Encoder",
    "ModelError",
    "Span",
    "Tagger",
    "Word",
    "load_encoder",
    "load_tagger",
]
