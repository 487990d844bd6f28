"""Settings of the language model and of its training, as values; named presets are functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from model.codes import CodeKind
from model.level_config import LevelConfig, LevelsOf


@dataclass(frozen=True, slots=True)
class PredictTrainConfig:
    """How a language model is trained."""

    steps: int
    texts: int = 16
    """Stretches of text a step."""
    chars: int = 512
    """Of each of them, a multiple of the highest level's characters."""
    learning_rate: float = 3e-3
    """Of vectors, codes' scales and heads: peak of the schedule, a short rise and a cosine fall."""
    table_rate: float = 1e-2
    """Of the table of larger units."""
    matrix_rate: float = 0.025
    """Of all other matrices, in singular values (`muon.py`)."""
    dropout: float = 0.0
    """Share of each half's output that is left out."""
    unit_dropout: float = 0.0
    """Share of the larger units that are left out, each by itself."""
    average: float = 0.998
    """The shipped weights are a running mean with this memory."""
    level_weights: tuple[float, ...] = (1.0, 0.3, 0.2, 0.1)
    """What each level's loss counts, the lowest first."""
    distance_weight: float = 0.25
    """What the distance from the code counts beside the comparison with other codes."""
    most_articles: int | None = None
    """Of each kind of files; None for all."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class PredictPreset:
    """A language model and its training."""

    name: str
    levels: LevelConfig
    train: PredictTrainConfig
    codes: CodeKind = CodeKind.MIDDLE
    least: int = 200
    """How often a character occurs in training that has an id of its own."""

    def with_levels_of(self, levels_of: LevelsOf) -> PredictPreset:
        """The same sizes and training, the levels above the lowest with states of characters or of words."""
        return replace(self, levels=replace(self.levels, levels_of=levels_of))


UNSET = 1
"""Of an alphabet that is not known before the text is."""


def tiny() -> PredictPreset:
    """Seconds on one core; for tests and a first look, not for use."""
    levels = LevelConfig(
        UNSET, (32, 32, 32), (1, 1, 1), (24, 32, 32), head_width=16, reach=2, rows=512
    )
    train = PredictTrainConfig(
        20, texts=4, chars=64, average=0.8, level_weights=(1.0, 0.3, 0.2), most_articles=40
    )
    return PredictPreset("tiny", levels, train, least=20)


def small() -> PredictPreset:
    """An hour or two on two cores."""
    levels = LevelConfig(UNSET, (64, 128, 192, 256), (1, 1, 1, 1), (64, 128, 128, 128), rows=32_768)
    return PredictPreset("small", levels, PredictTrainConfig(12_000))


def base() -> PredictPreset:
    """For an accelerator; nobody has trained it to its end yet."""
    levels = LevelConfig(
        UNSET,
        (128, 192, 256, 384),
        (1, 2, 3, 4),
        (64, 128, 128, 128),
        head_width=64,
        rows=65_536,
    )
    return PredictPreset("base", levels, PredictTrainConfig(12_000, texts=128, chars=1024))


PRESETS: Mapping[str, Callable[[], PredictPreset]] = MappingProxyType(
    {"tiny": tiny, "small": small, "base": base}
)
