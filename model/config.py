"""Settings of the encoder and of its training, as values; named presets are functions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What an encoder is; stored beside its weights."""

    preset: str
    """Part of the encoder's name."""
    kinds: tuple[str, ...]
    """Kinds of features: `word` or `unit` first, then any of `gram`, `pair`, `unit`."""
    max_rows: int
    """Rows of the table: 257 bytes each on disk."""
    trusted_count: int
    """A unit seen this often in training stands without its n-grams: look-ups are the cost."""
    min_count: int
    """Features seen less often own no row."""
    threshold: float = 0.15
    """A confident unit ends before a character whose probability is below this."""
    context_bits: int = 21
    """Two to this power buckets in the table of character contexts, one byte each."""
    dim: int = 256
    """Width of the vectors."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How an encoder is trained."""

    epochs: int
    """Passes over the training texts."""
    batch_size: int = 1024
    """Texts per step; the similarity loss compares all of them with each other."""
    group_size: int = 8
    """Near neighbours by the teacher put together: far texts alone say little about similarity."""
    learning_rate: float = 1e-2
    """Peak of the cosine schedule, for the rows."""
    similarity_weight: float = 10.0
    """Weight of the squared difference of similarities against the cosine loss."""
    near_weight: float = 2.0
    """Weight of the same difference within groups alone."""
    max_texts: int = 320_000
    """Training texts taken from the front of the mixed corpus: the teacher is the slow part."""
    context_chars: int = 40_000_000
    """Characters of text counted for the table of contexts."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Preset:
    """An encoder and its training."""

    encoder: EncoderConfig
    train: TrainConfig


def tiny() -> Preset:
    """Seconds on one core; for tests and a first look, not for use."""
    encoder = EncoderConfig(
        preset="tiny",
        kinds=("word", "gram"),
        max_rows=4096,
        trusted_count=1_000_000,
        min_count=1,
        context_bits=16,
        dim=64,
    )
    return Preset(encoder, TrainConfig(epochs=3, batch_size=64, context_chars=200_000))


def small() -> Preset:
    """The shipped encoder: minutes on two cores once the teacher's vectors are there."""
    encoder = EncoderConfig(
        preset="small",
        kinds=("word", "gram", "pair"),
        max_rows=82_000,
        trusted_count=100,
        min_count=3,
    )
    return Preset(encoder, TrainConfig(epochs=5))


PRESETS = {"tiny": tiny, "small": small}
