"""Settings of the asker and of its training, as values; named presets are functions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AskConfig:
    """What an asker is; stored beside its weights."""

    preset: str
    """Part of the asker's name."""
    n_layer: int = 6
    n_embd: int = 192
    n_head: int = 6
    n_kv_head: int = 3
    mlp_width: int = 384
    reach: int = 3
    """Characters before each that a convolution sees, beside itself."""
    alphabet: int = 0
    """Characters and signs that are known; 0: as many as there are now."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        sizes = (self.n_layer, self.n_head, self.n_kv_head, self.mlp_width, self.reach)
        if min(sizes) < 1 or self.n_embd % (2 * self.n_head) or self.n_head % self.n_kv_head:
            raise ValueError(f"sizes of the asker do not go together: {self}")


@dataclass(frozen=True, slots=True)
class AskTrainConfig:
    """How an asker is trained: mostly on the grammar's questions first, then on those of people."""

    steps: int
    tokens: int = 65_536
    """Characters of a step, padding counted."""
    learning_rate: float = 2e-3
    """Peak of the schedule: a short rise, then a cosine fall."""
    weight_decay: float = 0.1
    dropout: float = 0.1
    """Share of each state left out within blocks."""
    average: float = 0.998
    """The shipped weights are a running mean with this memory."""
    source_weight: float = 0.3
    """How much the characters of the sentence itself count at first; at the end they do not."""
    variants: int = 4
    """Copies of each question that a person wrote, all but the first with other names."""
    max_questions: int = 1_000_000
    """Questions taken from each source."""
    max_articles: int = 1_000_000
    """Articles that templates ask questions of."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class AskPreset:
    """An asker and its training."""

    asker: AskConfig
    train: AskTrainConfig


def tiny() -> AskPreset:
    """Seconds on one core; for tests and a first look, not for use."""
    asker = AskConfig("tiny", n_layer=2, n_embd=32, n_head=2, n_kv_head=1, mlp_width=48)
    train = AskTrainConfig(
        12, tokens=2048, average=0.8, variants=2, max_questions=60, max_articles=4
    )
    return AskPreset(asker, train)


def small() -> AskPreset:
    """The shipped asker."""
    return AskPreset(AskConfig("small"), AskTrainConfig(3030))
