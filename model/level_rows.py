"""The language model of levels with one idea changed at a time: the rows of `scripts/ablate_levels.py`.

A row says what is changed, `RowShelf` makes trainers of rows. None of them is shipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from model.codes import CodeKind, Codes
from model.level_colours import ColouredLevels, MisplacedColours, StillColours
from model.level_config import LevelConfig, LevelsOf
from model.level_loss import LevelLoss
from model.level_network import LevelNetwork
from model.level_network_variants import AbsoluteBlock, UnplacedBlock
from model.level_variants import (
    Comparison,
    NextCharacter,
    Regression,
    Regularised,
    Softmax,
    Unprotected,
)
from model.predict_config import UNSET, PredictTrainConfig
from model.predict_train import CODES_FROM, UNPLANNED, PredictText, level_codes
from model.predict_trainer import PredictTrainer
from model.unit_hash import UnitFinder, hash_of
from model.unit_lists import UnitKind, list_units
from model.word_levels import NetworkMaker, loss_maker, network_maker

LEVELS = LevelConfig(
    UNSET, (64, 128, 128, 128), (1, 1, 1, 1), code_widths=(60, 128, 128, 128), rows=16_384
)
"""Codes of characters are no wider than there are characters to tell apart."""
LISTED_ROWS = 8_192
"""Of the table, where units are listed: no more than byte-pair encoding finds in a megabyte."""
TRAIN = PredictTrainConfig(UNPLANNED, texts=8, chars=256, average=0.99)


@dataclass(frozen=True, slots=True)
class Row:
    """One idea changed."""

    idea: str
    levels: LevelConfig = LEVELS
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the training."""
    loss: type[LevelLoss] | None = None
    """What the levels are trained on; None for what such levels usually are."""
    codes: CodeKind = CodeKind.MIDDLE
    units: UnitKind | None = None
    """How the list of larger units is found; None for hashed ones."""
    network: NetworkMaker | None = None
    """None for the usual one of such levels."""
    writes: bool = False
    """Whether it is also measured how it writes."""
    looks_far: bool = False
    """Whether it is also measured on longer stretches than it was trained on."""

    @property
    def is_readable(self) -> bool:
        """Whether run time knows such a network, and its codes can be read back."""
        return self.network is None and self.loss in (None, Regression, Comparison)


def _alone(width: int, layers: int) -> LevelConfig:
    return LevelConfig(UNSET, (width,), (layers,), code_widths=(60,), rows=16_384)


_LISTED = replace(LEVELS, rows=LISTED_ROWS)

ROWS: Mapping[str, Row] = MappingProxyType(
    {
        "all ideas": Row(
            "frozen codes, near and compared; 1, 2, 4, 8 characters", writes=True, looks_far=True
        ),
        "softmax": Row("a distribution by a learned table, nothing else", loss=Softmax),
        "compared only": Row("codes compared, distance does not count", loss=Comparison),
        "distance alone": Row(
            "codes by distance, comparing settles a scale alone", loss=Regression
        ),
        "distance as much": Row(
            "distance counts as much as comparing", changes={"distance_weight": 1}
        ),
        "average": Row(
            "the other reading of the middle: mean of both maps", codes=CodeKind.AVERAGE
        ),
        "random": Row("the random decoder's codes", codes=CodeKind.RANDOM),
        "orthonormal": Row("a direction for each character", codes=CodeKind.ORTHONORMAL),
        "unprotected": Row("codes that learn, by distance alone", loss=Unprotected),
        "regularised": Row("the same, kept apart by variance and covariance", loss=Regularised),
        "lowest level's loss alone": Row(
            "higher levels predict nothing", changes={"level_weights": (1.0, 0.0, 0.0, 0.0)}
        ),
        "every level the next character": Row(
            "1, 1, 1, 1 characters",
            levels=replace(LEVELS, code_widths=(60, 60, 60, 60)),
            loss=NextCharacter,
        ),
        "one level": Row(
            "convolutions alone, 128 wide: 3.3 million weights instead of 1.9, half the steps",
            levels=_alone(128, 6),
            changes={"level_weights": (1.0,)},
        ),
        "levels of words": Row(
            "states of 1, 2, 4 words instead of 2, 4, 8 characters",
            levels=replace(LEVELS, levels_of=LevelsOf.WORDS),
        ),
        "no units": Row("no table of larger units", levels=replace(LEVELS, rows=0)),
        "words alone": Row("rows of words alone", levels=replace(LEVELS, grams=())),
        "stretches alone": Row(
            "rows of the last 3 and 5 characters", levels=replace(LEVELS, words=0)
        ),
        "stretches in fewer rows": Row(
            "the same in a table of 8,192", levels=replace(_LISTED, words=0)
        ),
        "units by confidence": Row(
            "8,191 stretches most often read with confidence, the two longest that end here",
            levels=_LISTED,
            units=UnitKind.CONFIDENT,
        ),
        "units by frequency": Row(
            "the 8,191 most frequent ones", levels=_LISTED, units=UnitKind.FREQUENT
        ),
        "units by BPE": Row(
            "8,191 merges of byte-pair encoding", levels=_LISTED, units=UnitKind.MERGED
        ),
        "units by chance": Row("8,191 random ones", levels=_LISTED, units=UnitKind.RANDOM),
        "absolute positions": Row(
            "places told by waves, heads not turned",
            network=partial(LevelNetwork, far=AbsoluteBlock),
            looks_far=True,
        ),
        "no positions": Row(
            "attention to a bag", network=partial(LevelNetwork, far=UnplacedBlock), looks_far=True
        ),
        "coloured units": Row(
            "what followed a unit so far is heard with its row, and goes on to be learned",
            network=ColouredLevels,
        ),
        "colours that stand still": Row(
            "the same, learned in training alone", network=StillColours
        ),
        "colours of other units": Row(
            "a control: the wrong rows' colours", network=MisplacedColours
        ),
    }
)


class RowShelf:
    """Makes trainers of rows for one text; what several of them need is made once."""

    def __init__(self, text: PredictText) -> None:
        self._text = text
        self._codes: dict[tuple[CodeKind, tuple[int, ...], int], list[Codes]] = {}
        self._units: dict[tuple[UnitKind, int, int], UnitFinder] = {}

    def trainer(self, row: Row, *, seed: int) -> PredictTrainer:
        """At its first step."""
        alphabet = self._text.alphabet
        levels = replace(row.levels, alphabet=alphabet.size)
        if row.codes is CodeKind.ORTHONORMAL:
            levels = replace(levels, code_widths=(alphabet.size, *levels.code_widths[1:]))
        return PredictTrainer(
            levels,
            replace(TRAIN, seed=seed, **row.changes),
            self._row_codes(row.codes, levels.code_widths, seed),
            self._finder(row.units, levels, seed),
            network=row.network or network_maker(levels, alphabet),
            loss=row.loss or loss_maker(levels, alphabet),
        )

    def _row_codes(self, kind: CodeKind, widths: tuple[int, ...], seed: int) -> list[Codes]:
        """By level; longer blocks have no directions of their own, they get the random decoder's codes."""
        if kind is CodeKind.ORTHONORMAL:
            above = self._fitted(CodeKind.RANDOM, (LEVELS.code_widths[0], *widths[1:]), seed)
            return self._fitted(kind, widths[:1], seed) + above[1:]
        return self._fitted(kind, widths, seed)

    def _fitted(self, kind: CodeKind, widths: tuple[int, ...], seed: int) -> list[Codes]:
        key, text = (kind, widths, seed), self._text
        if key not in self._codes:
            self._codes[key] = level_codes(
                text.training[:CODES_FROM], widths, kind, alphabet=text.alphabet.size, seed=seed
            )
        return self._codes[key]

    def _finder(self, kind: UnitKind | None, levels: LevelConfig, seed: int) -> UnitFinder | None:
        """Of larger units, where there is a table."""
        text = self._text
        if kind is None:
            return hash_of(levels, text.alphabet)
        key = kind, levels.rows, seed if kind is UnitKind.RANDOM else 0
        if key not in self._units:
            self._units[key] = list_units(
                kind, text.training, text.alphabet, rows=levels.rows, seed=seed
            )
        return self._units[key]
