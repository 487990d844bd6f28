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
from model.predict import READ_AT_ONCE, LanguageModel

BINS = 20

Doubles = npt.NDArray[np.float64]


def block_outcomes(model: LanguageModel, ids: Ids) -> list[tuple[Doubles, npt.NDArray[np.bool_]]]:
    """By level: the signs of all codes that were predicted on a text, and whether their blocks are what came.

    Args:
        model: its levels, the lowest included.
        ids: uint8 (T,), of its alphabet.
    """
    reading = model.reading()
    said = [
        reading.read(ids[first : first + READ_AT_ONCE])
        for first in range(0, len(ids), READ_AT_ONCE)
    ]
    found = []
    for level in range(model.stored.levels.levels):
        chars = 2**level
        codes = np.concatenate([each[level] for each in said])
        blocks = ids[: len(ids) // chars * chars].reshape(-1, chars)
        codes, following = codes[: len(blocks) - 1], blocks[1:]
        if level:
            reader = model.stored.blocks[level - 1]
            read = np.stack([reader.read(code) for code in codes])
        else:
            read = model.scores(codes).argmax(axis=1)[:, None]
        found.append((model.signs(level, codes), (read == following).all(axis=1)))
    return found


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
