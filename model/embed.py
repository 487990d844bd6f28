"""The encoder: texts to unit vectors, by one sum over table rows a unit and a trunk that may stop.

A unit's bag vector is the scaled sum of the rows of the unit and its n-grams. A text's vector
is the sum of its units' vectors, each refined by the trunk in view of its neighbours, made unit
length. The linear map that training learned is already multiplied into the rows. Nothing depends
on which texts are encoded together, and no more than numpy is needed.

Shapes: N texts, U units of all texts, F rows of all units, R table rows, D width.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from model.checkpoint import Arrays, Checkpoint, load_checkpoint, save_checkpoint
from model.config import EncoderConfig, TrunkConfig
from model.contexts import ContextTable
from model.errors import CheckpointError
from model.quantize import quantize_rows, small_integers
from model.trunk import PREFIX, SCALES, NumpyTrunk, text_sums
from model.unit_texts import run_offsets
from model.units import FeatureFinder, UnitRows

BLOCK_CHARS = 8192
"""Characters worked on at once: they stay in the cache, and memory is bounded."""
PIECE_CHARS = 65_536
"""A longer text is encoded in pieces, whose sums are added: memory is bounded for any length."""
MAX_CUT_BACK_CHARS = 1024
BLOCK_ROWS = 512
"""Rows summed at once: they stay in the processor's cache."""
NO_STOP = 2.0
"""No cosine is as large: every layer is run."""
_NAME_DIGITS = 8

FloatArray = npt.NDArray[np.float32]
Offsets = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True)
class Units:
    """The units of some texts; those of which nothing is known, not even an n-gram, are left out."""

    vectors: FloatArray
    """float32 (U, D), refined."""
    text_offsets: Offsets
    """int64 (N + 1,), the first unit of each text."""
    buckets: Offsets
    """int64 (U,), the hash of each unit itself."""
    rows: npt.NDArray[np.int32]
    """int32 (U,), its own row; `NO_ROW` where only its n-grams have any."""


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
            self._values = small_integers(arrays["rows"], bits=config.row_bits)
            self._scales = arrays["scales"]
            if self._values.shape != (len(self._scales), config.dim):
                raise ValueError("rows and scales do not fit")
            if not np.isfinite(self._scales).all():
                raise ValueError("a scale is not finite")
            finder = FeatureFinder(config.kinds, contexts, threshold=config.threshold)
            trusted = int(checkpoint.config["trusted_rows"])
            self.trusted_rows = trusted
            self._rows = UnitRows(finder, arrays["buckets"], trusted_rows=trusted)
            self._trunk = NumpyTrunk(config.trunk, arrays, config.dim) if config.trunk else None
            self.stop_cosine = float(checkpoint.config["stop_cosine"])
            self.hash = str(checkpoint.meta["hash"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as exc:
            raise CheckpointError(f"these weights are no encoder: {exc}") from exc
        self.contexts = contexts
        self.config = config
        self.dim = config.dim
        self.depth = config.trunk.n_layer if config.trunk else 0
        self.name = f"tidings-embed-{config.preset}-{self.hash[:_NAME_DIGITS]}"
        self.params = sum(int(array.size) for array in arrays.values())
        self.bytes = sum(int(array.nbytes) for array in arrays.values())

    def limited(self, *, depth: int, stop_cosine: float = NO_STOP) -> Encoder:
        """The same encoder with at most so many layers of its trunk, and another stop.

        Raises:
            ValueError: the trunk has fewer layers, or `depth` is negative.
        """
        if not 0 <= depth <= self.depth:
            raise ValueError(f"depth {depth} is not within 0 to {self.depth}")
        other = copy.copy(self)
        other.depth, other.stop_cosine = depth, stop_cosine
        other.name = f"{self.name}-depth{depth}-stop{stop_cosine:g}"
        return other

    def variants(self) -> Mapping[str, Encoder]:
        """What the trunk and its early stop are worth: the encoder at every depth, never stopping."""
        return {f"depth {at}": self.limited(depth=at) for at in range(self.depth + 1)}

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of unit length; a text without any known feature gets the first axis.

        Returns:
            float32 (N, D), each row the same to 1e-5 whatever other texts are given.
        """
        sums = np.zeros((len(texts), self.dim), dtype=np.float32)
        pieces, owners = _pieces(texts)
        for start, block in _blocks(pieces):
            np.add.at(sums, owners[start : start + len(block)], self._sums(block))
        return unit_length(sums)

    def _sums(self, texts: Sequence[str]) -> FloatArray:
        if self.depth > 0:
            states, offsets, _ = self._states(texts)
            return text_sums(states, offsets)
        # Without a trunk there is no need to know which unit a row belongs to.
        sums = np.zeros((len(texts), self.dim), dtype=np.float32)
        rows, offsets = self._rows.find(texts)
        is_there = np.diff(offsets) > 0
        sums[is_there] = self._bags(rows, np.append(offsets[:-1][is_there], len(rows)))
        return sums

    def unit_states(self, texts: Sequence[str]) -> tuple[FloatArray, Offsets]:
        """The refined vector of every unit.

        Returns:
            float32 (U, D), text by text, and the first unit of each text, int64 (N + 1,).
        """
        states, counts = [np.empty((0, self.dim), np.float32)], [np.zeros(1, np.int64)]
        for _, block in _blocks(texts):
            found, offsets, _ = self._states(block)
            states.append(found)
            counts.append(np.diff(offsets))
        return np.concatenate(states), np.cumsum(np.concatenate(counts))

    def units(self, texts: Sequence[str]) -> Units:
        """The refined vector of every unit, and which unit it is."""
        vectors, offsets = self.unit_states(texts)
        found = [np.empty(0, np.int64)]
        found += [self._rows.token_buckets(block) for _, block in _blocks(texts)]
        buckets = np.concatenate(found)
        return Units(vectors, offsets, buckets, self._rows.rows_of(buckets))

    def own_rows(self, buckets: Offsets) -> FloatArray:
        """The row of each unit itself, without its n-grams and not refined; zeros where it has none. float32 (n, D)."""
        rows = self._rows.rows_of(buckets)
        found = self._values[rows].astype(np.float32) * self._scales[rows, None]
        return np.asarray(found * (rows >= 0)[:, None])

    def layers_run(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        """How many layers of the trunk each text takes before it stops, int64 (N,)."""
        layers = [np.empty(0, np.int64), *(self._states(block)[2] for _, block in _blocks(texts))]
        return np.concatenate(layers)

    def _states(self, texts: Sequence[str]) -> tuple[FloatArray, Offsets, npt.NDArray[np.int64]]:
        rows, tokens, text_offsets = self._rows.find_tokens(texts)
        units = self._bags(rows, run_offsets(tokens))
        if self._trunk is None:
            return units, text_offsets, np.zeros(len(texts), np.int64)
        refined, layers = self._trunk.refine(
            units, text_offsets, depth=self.depth, stop_cosine=self.stop_cosine
        )
        return refined, text_offsets, layers

    def _bags(self, rows: npt.NDArray[np.int32], unit_offsets: Offsets) -> FloatArray:
        """Sums of each unit's rows, of which there is one at least; float32 (U, D)."""
        units = np.zeros((len(unit_offsets) - 1, self.dim), dtype=np.float32)
        first = 0
        while first < len(units):
            # Whole units, as many as fit; one that alone is too long is summed in parts.
            end = int(np.searchsorted(unit_offsets, unit_offsets[first] + BLOCK_ROWS, "right")) - 1
            end = max(end, first + 1)
            starts = unit_offsets[first:end] - unit_offsets[first]
            for at in range(unit_offsets[first], unit_offsets[end], BLOCK_ROWS):
                part = rows[at : min(at + BLOCK_ROWS, unit_offsets[end])]
                scaled = self._values[part].astype(np.float32)
                scaled *= self._scales[part, None]
                units[first:end] += np.add.reduceat(scaled, starts, axis=0)
            first = end
        return units


def unit_length(sums: FloatArray) -> FloatArray:
    """Vectors (N, D) divided by their lengths; the first axis in place of a vector of zeros."""
    norms = np.sqrt(np.einsum("nd,nd->n", sums, sums))
    is_zero = norms == 0
    vectors = sums / np.where(is_zero, 1, norms)[:, None]
    vectors[is_zero, 0] = 1.0
    return np.asarray(vectors, dtype=np.float32)


def _pieces(texts: Sequence[str]) -> tuple[Sequence[str], Offsets]:
    """Texts with the very long ones cut, at a blank if one is near, and whose piece each is."""
    if all(len(text) <= PIECE_CHARS for text in texts):
        return texts, np.arange(len(texts))
    pieces: list[str] = []
    owners: list[int] = []
    for owner, text in enumerate(texts):
        start = 0
        while start == 0 or start < len(text):
            end = start + PIECE_CHARS
            if end < len(text):
                blank = text.rfind(" ", end - MAX_CUT_BACK_CHARS, end)
                end = blank if blank > 0 else end
            pieces.append(text[start:end])
            owners.append(owner)
            start = end
    return pieces, np.array(owners, dtype=np.int64)


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
    trunk = TrunkConfig(**values["trunk"]) if values["trunk"] else None
    return EncoderConfig(**{**values, "kinds": tuple(values["kinds"]), "trunk": trunk})


def _contexts(arrays: Arrays, total: int) -> ContextTable | None:
    return ContextTable(arrays["contexts"], total) if "contexts" in arrays else None


@dataclasses.dataclass(frozen=True, slots=True)
class EncoderParts:
    """What training hands over to become an encoder."""

    config: EncoderConfig
    rows: FloatArray
    """float32 (R, D), the linear map multiplied in."""
    trunk: Mapping[str, FloatArray]
    """Matrices and vectors of the trunk by name; empty at depth 0."""
    buckets: npt.NDArray[np.uint32]
    """uint32 (R,)"""
    trusted_rows: int
    contexts: ContextTable | None

    def checkpoint(self, meta: dict[str, Any]) -> Checkpoint:
        """Quantise into a checkpoint that `Encoder` takes once it has been saved."""
        values, scales = quantize_rows(self.rows, bits=self.config.row_bits)
        arrays: Arrays = {"rows": values, "scales": scales, "buckets": self.buckets}
        if self.contexts is not None:
            arrays["contexts"] = self.contexts.log_counts
        for name, array in self.trunk.items():
            if array.ndim == 2:
                arrays[PREFIX + name], arrays[PREFIX + name + SCALES] = quantize_rows(array)
            else:
                arrays[PREFIX + name] = array
        config = {
            **dataclasses.asdict(self.config),
            "stop_cosine": NO_STOP,
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
