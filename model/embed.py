"""The encoder: texts to unit vectors, by one sum over table rows a text.

A text's vector is the scaled sum of the int8 rows of its units and n-grams, made unit length; the
linear map that training learned is already multiplied into the rows. So nothing depends on which
texts are encoded together, and no more than numpy is needed.

Shapes: N texts, F rows of all texts, R table rows, D width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.checkpoint import Arrays, Checkpoint, load_checkpoint, save_checkpoint
from model.config import EncoderConfig
from model.contexts import ContextTable
from model.errors import CheckpointError
from model.units import FeatureFinder, UnitRows

BLOCK_CHARS = 32_768
"""Characters worked on at once: the arrays of a block stay in the processor's cache."""
BLOCK_ROWS = 2048
_NAME_DIGITS = 8

FloatArray = npt.NDArray[np.float32]


def quantize_rows(rows: FloatArray) -> tuple[npt.NDArray[np.int8], FloatArray]:
    """Round each row to int8 with a scale of its own.

    Args:
        rows: float32 (R, D).

    Returns:
        int8 (R, D) and float32 (R,); the product is within half a scale of `rows`.
    """
    scales = (np.abs(rows).max(axis=1) / 127).astype(np.float32)
    safe = np.where(scales > 0, scales, 1).astype(np.float32)
    return np.rint(rows / safe[:, None]).astype(np.int8), scales


class Encoder:
    """Texts to vectors of unit length."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Set up from a checkpoint.

        Raises:
            CheckpointError: an array or a setting is missing or does not fit.
        """
        try:
            config = _config(checkpoint.config)
            arrays = checkpoint.arrays
            contexts = _contexts(arrays, int(checkpoint.config["context_total"]))
            self._values = arrays["rows"]
            self._scales = arrays["scales"]
            if self._values.shape != (len(self._scales), config.dim):
                raise ValueError("rows and scales do not fit")
            finder = FeatureFinder(config.kinds, contexts, threshold=config.threshold)
            trusted = int(checkpoint.config["trusted_rows"])
            self._rows = UnitRows(finder, arrays["buckets"], trusted_rows=trusted)
            self.hash = str(checkpoint.meta["hash"])
        except (KeyError, TypeError, ValueError, IndexError) as exc:
            raise CheckpointError(f"these weights are no encoder: {exc}") from exc
        self.contexts = contexts
        self.config = config
        self.dim = config.dim
        self.name = f"tidings-embed-{config.preset}-{self.hash[:_NAME_DIGITS]}"
        self.params = sum(int(array.size) for array in arrays.values())
        self.bytes = sum(int(array.nbytes) for array in arrays.values())

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of unit length; a text without any known feature gets the first axis.

        Returns:
            float32 (N, D), each row the same whatever other texts are given.
        """
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for start, block in _blocks(texts):
            rows, offsets = self._rows.find(block)
            for at in range(len(block)):
                vectors[start + at] = self._vector(rows[offsets[at] : offsets[at + 1]])
        return vectors

    def _vector(self, rows: npt.NDArray[np.int32]) -> FloatArray:
        total = np.zeros(self.dim, dtype=np.float32)
        for start in range(0, len(rows), BLOCK_ROWS):
            part = rows[start : start + BLOCK_ROWS]
            # A sum of products in fixed order: the same bits for the same text, always.
            total += np.einsum("f,fd->d", self._scales[part], self._values[part].astype(np.float32))
        norm = np.sqrt(np.dot(total, total))
        if norm > 0:
            return np.asarray(total / norm, dtype=np.float32)
        total[0] = 1.0
        return total


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    start = 0
    while start < len(texts):
        end, chars = start, 0
        while end < len(texts) and (end == start or chars + len(texts[end]) <= BLOCK_CHARS):
            chars += len(texts[end])
            end += 1
        yield start, texts[start:end]
        start = end


def _config(stored: dict[str, Any]) -> EncoderConfig:
    names = {field.name for field in dataclasses.fields(EncoderConfig)}
    values = {name: value for name, value in stored.items() if name in names}
    return EncoderConfig(**{**values, "kinds": tuple(values["kinds"])})


def _contexts(arrays: Arrays, total: int) -> ContextTable | None:
    return ContextTable(arrays["contexts"], total) if "contexts" in arrays else None


@dataclasses.dataclass(frozen=True, slots=True)
class EncoderParts:
    """What training hands over to become an encoder."""

    config: EncoderConfig
    rows: FloatArray
    """float32 (R, D), the linear map multiplied in."""
    buckets: npt.NDArray[np.uint32]
    """uint32 (R,)"""
    trusted_rows: int
    contexts: ContextTable | None

    def checkpoint(self, meta: dict[str, Any]) -> Checkpoint:
        """Quantise into a checkpoint that `Encoder` takes once it has been saved."""
        values, scales = quantize_rows(self.rows)
        arrays: Arrays = {"rows": values, "scales": scales, "buckets": self.buckets}
        if self.contexts is not None:
            arrays["contexts"] = self.contexts.log_counts
        config = {
            **dataclasses.asdict(self.config),
            "trusted_rows": self.trusted_rows,
            "context_total": self.contexts.total if self.contexts is not None else 0,
        }
        return Checkpoint(arrays, {**config, "kinds": list(self.config.kinds)}, meta)

    def save(self, folder: Path, meta: dict[str, Any]) -> None:
        """Quantise and write."""
        save_checkpoint(self.checkpoint(meta), folder)


def load_encoder(path: Path | None = None) -> Encoder:
    """Load an encoder, by default the packaged one.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    if path is not None:
        return Encoder(load_checkpoint(path))
    with as_file(files("model") / "weights" / "embed") as packaged:
        return Encoder(load_checkpoint(packaged))
