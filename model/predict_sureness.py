"""How sure the levels of a language model may be: the length of a code against how often its block is right.

Fitted on text that was kept out of training. The share that is right may only rise with the length: neighbours that
would fall are pooled.

Shapes: N blocks of a level.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from model.alphabet import Ids
from model.level_ends import Places
from model.predict import READ_AT_ONCE, FloatArray, LanguageModel

BINS = 20

Doubles = npt.NDArray[np.float64]


def block_outcomes(model: LanguageModel, ids: Ids) -> list[tuple[Doubles, npt.NDArray[np.bool_]]]:
    """By level: the signs of all codes that were predicted on a text, and whether their blocks are what came.

    A level predicts where its states end: there are fewer of them on higher levels, and perhaps none.

    Args:
        model: its levels, the lowest included.
        ids: uint8 (T,), of its alphabet.
    """
    reading, levels = model.reading(), range(model.stored.levels.levels)
    said: list[list[FloatArray]] = []
    ends: list[list[Places]] = []
    for first in range(0, len(ids), READ_AT_ONCE):
        said.append(reading.read(ids[first : first + READ_AT_ONCE]))
        ends.append([reading.ends(level) for level in levels])
    found = []
    for level in levels:
        codes = np.concatenate([each[level] for each in said])
        places = np.concatenate([each[level] for each in ends])
        places = places[places + 2**level <= len(ids)]
        codes, following = codes[: len(places)], ids[places[:, None] + np.arange(2**level)]
        found.append((model.signs(level, codes), _is_read(model, level, codes, following)))
    return found


def _is_read(
    model: LanguageModel, level: int, codes: FloatArray, blocks: Ids
) -> npt.NDArray[np.bool_]:
    """Of codes (N, D) of a level whether they are read back as blocks (N, m)."""
    if not level:
        return np.asarray(model.scores(codes).argmax(axis=1) == blocks[:, 0])
    reader = model.stored.blocks[level - 1]
    return np.array(
        [(reader.read(c) == block).all() for c, block in zip(codes, blocks, strict=True)], bool
    )


def fit_sureness(lengths: Doubles, is_right: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Mean lengths of equally filled bins, and the shares that are right in them, never falling."""
    bins = [part for part in np.array_split(np.argsort(lengths, kind="stable"), BINS) if len(part)]
    pools: list[list[int]] = []
    for part in bins:
        pools.append(part.tolist())
        while len(pools) > 1 and is_right[pools[-2]].mean() >= is_right[pools[-1]].mean():
            pools[-2:] = [pools[-2] + pools[-1]]
    return {
        "lengths": [round(float(lengths[pool].mean()), 4) for pool in pools],
        "shares": [round(float(is_right[pool].mean()), 4) for pool in pools],
    }
