"""A tagger on disk: `weights.safetensors`, with four bits for each weight of its tables, and `config.json`.

A tag's column of a table holds at most sixteen different steps. They are stored beside the column, and a row says which
of them is its own. What is loaded is the table of steps again, so that nothing is slower for it.

Shapes: R rows of a table, K tags, L levels of a tag.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from model.checkpoint import CONFIG, META, WEIGHTS, Arrays
from model.tag_scores import Head
from model.tag_words import Vocabulary

FORMAT = 2
READ_FORMATS = (1, FORMAT)
"""The first one has its tables as they are at run time, int8 (R, K)."""
LEVELS = 16
HEADS = ("names", "parts")
VOCABULARY_FIELDS = ("keys", "fine", "coarse", "small", "rarity")

Steps = npt.NDArray[np.int8]
Codes = npt.NDArray[np.uint8]


def pack_table(table: Steps) -> tuple[Steps, Codes]:
    """Four bits for each step.

    Args:
        table: int8 (R, K), R even.

    Returns:
        Levels int8 (K, L), ascending, and codes uint8 (K, R / 2): of two rows the first in the upper half.

    Raises:
        ValueError: a column has more than L different steps.
    """
    levels = np.zeros((table.shape[1], LEVELS), np.int8)
    codes = np.zeros((table.shape[1], len(table) // 2), np.uint8)
    for k, column in enumerate(table.T):
        found, places = np.unique(column, return_inverse=True)
        if len(found) > LEVELS:
            raise ValueError(f"{len(found)} different steps do not fit in four bits")
        levels[k] = np.pad(found, (0, LEVELS - len(found)), mode="edge")
        codes[k] = places[::2] << 4 | places[1::2]
    return levels, codes


def unpack_table(levels: Steps, codes: Codes) -> Steps:
    """What `pack_table` was given.

    Raises:
        ValueError: the arrays are not of one table.
    """
    is_whole = levels.dtype == np.int8 and codes.dtype == np.uint8 and codes.ndim == 2
    if not is_whole or levels.shape != (len(codes), LEVELS):
        raise ValueError("levels and codes of a table do not fit together")
    columns = np.empty((len(codes), 2 * codes.shape[1]), np.int8)
    for k, own in enumerate(levels):
        pairs = np.stack([own.repeat(LEVELS), np.tile(own, LEVELS)], axis=1)
        pairs.view(np.int16)[:, 0].take(codes[k], out=columns[k].view(np.int16))
    return np.ascontiguousarray(columns.T)


def save_tagger(
    folder: Path,
    heads: Mapping[str, Head],
    vocabulary: Vocabulary,
    *,
    meta: Mapping[str, Any],
    rounded_from: str | None = None,
) -> None:
    """Write a tagger.

    Args:
        folder: made where it is missing.
        heads: one for each of `HEADS`; their tables have at most L different steps a tag.
        vocabulary: background counts.
        meta: where the weights come from; not needed to use them.
        rounded_from: name of the tagger that these weights are a rounding of.
    """
    tensors: Arrays = {
        f"vocabulary_{field}": getattr(vocabulary, field) for field in VOCABULARY_FIELDS
    }
    config: dict[str, Any] = {"format": FORMAT}
    if rounded_from is not None:
        config["rounded_from"] = rounded_from
    for name in HEADS:
        head = heads[name]
        tensors[f"{name}_levels"], tensors[f"{name}_codes"] = pack_table(head.weights)
        tensors[f"{name}_scale"], tensors[f"{name}_transitions"] = head.scale, head.transitions
        config[f"{name}_tags"] = list(head.tags)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_bytes(save(tensors))
    for file, content in ((CONFIG, config), (META, meta)):
        (folder / file).write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def stored_head(config: Mapping[str, Any], tensors: Arrays, name: str) -> Head:
    """One of `HEADS` as it is used.

    Raises:
        KeyError: a part of it is missing.
        ValueError: its parts do not fit together.
    """
    packed = f"{name}_codes"
    table = (
        unpack_table(tensors[f"{name}_levels"], tensors[packed])
        if packed in tensors
        else tensors[f"{name}_weights"]
    )
    tags = tuple(config[f"{name}_tags"])
    return Head(tags, table, tensors[f"{name}_scale"], tensors[f"{name}_transitions"])


def stored_vocabulary(tensors: Arrays) -> Vocabulary:
    """The background counts as they are used.

    Raises:
        KeyError: a part of them is missing.
    """
    return Vocabulary(*(tensors[f"vocabulary_{field}"] for field in VOCABULARY_FIELDS))
