"""A language model as it is stored: small integers with their scales, and the halves of its codes that read back.

Matrices are rounded to eight bits a weight, rows of the table of larger units to four. Of the codes is kept what
generating needs: those of single characters, which scores are likenesses to, and of longer blocks the way from a code
to its characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.alphabet import Alphabet
from model.checkpoint import Arrays, Checkpoint
from model.codes import MAP_WIDTH, Codes
from model.errors import CheckpointError
from model.gate import GATE, Gate, gate_shapes
from model.level_config import LevelConfig, LevelsOf, mlp_width
from model.quantize import SCALES, quantize_rows
from model.stored import restored_array
from model.unit_hash import UnitFinder, hash_of

FloatArray = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

UNITS = "units.weight"
CODES, BIAS = "codes.0", "bias"
_NETWORK, _LOSS = "network.", "loss."
_SMALL = (np.dtype(np.int8), np.dtype(np.uint8))
"""What rows of small integers are stored as; each has its scales beside it."""


@dataclass(frozen=True, slots=True)
class BlockReader:
    """The half of a level's codes that leads from a code to its characters; see `Codes.decode`."""

    chars: int
    """Of a block, m."""
    letters: FloatArray
    """float32 (V, W)."""
    order: Ids
    """int64 (W,), the permutation."""
    mean: FloatArray
    """float32 (W,)."""
    outward: FloatArray
    """float32 (D, W)."""

    def read(self, code: FloatArray) -> Ids:
        """The block that a code (D,) of any length is likeliest of, int64 (m,)."""
        return np.asarray(self.likenesses(code).argmax(axis=1))

    def likenesses(self, code: FloatArray) -> FloatArray:
        """How like every character a code (D,) of any length is at every place, float32 (m, V)."""
        held = code / max(float(np.linalg.norm(code)), 1e-6) @ self.outward + self.mean
        places = [held]
        back = np.argsort(self.order)
        for _ in range(self.chars - 1):
            places.append(places[-1][back])
        return np.asarray(np.stack(places) @ self.letters.T)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """Everything of a language model, in numbers that can be computed with."""

    levels: LevelConfig
    alphabet: Alphabet
    network: Arrays
    """float32, by torch's names."""
    table: FloatArray
    """float32 (V, D): codes of single characters, as long as likenesses to them count."""
    bias: FloatArray
    """float32 (V,)."""
    blocks: tuple[BlockReader, ...]
    """Of every level but the lowest."""
    hasher: UnitFinder | None
    gate: Gate | None
    """Through which experience is heard; None if it was not fitted."""


def language_model_config(preset: str, levels: LevelConfig, alphabet: Alphabet) -> dict[str, Any]:
    """What is stored beside the weights."""
    return {"preset": preset, "levels": asdict(levels), "alphabet": alphabet.characters}


def stored_arrays(weights: Arrays, codes: Sequence[Codes]) -> Arrays:
    """What to store of a trained model.

    Args:
        weights: float32, by the names of `LevelModel`.
        codes: of every level.
    """
    arrays: Arrays = {}
    for name, values in weights.items():
        if name.startswith(_NETWORK):
            _put(arrays, name.removeprefix(_NETWORK), values)
    scale = np.exp(weights[f"{_LOSS}scales"][0])
    everything = np.arange(len(weights[f"{_LOSS}bias"]))[:, None]
    arrays[CODES] = np.asarray(scale * codes[0].encode(everything), np.float32)
    arrays[BIAS] = weights[f"{_LOSS}bias"]
    for level, each in enumerate(codes[1:], start=1):
        _put(arrays, f"codes.{level}.letters", each.letters)
        _put(arrays, f"codes.{level}.outward", each.outward)
        arrays[f"codes.{level}.order"] = each.order.astype(np.int16)
        arrays[f"codes.{level}.mean"] = each.mean[-len(each.order) :]
    return arrays


def _put(arrays: Arrays, name: str, values: FloatArray) -> None:
    if values.ndim == 2 and not name.endswith(".near"):
        bits = 4 if name == UNITS else 8
        arrays[name], arrays[name + SCALES] = quantize_rows(values, bits=bits)
    else:
        arrays[name] = values


def restore_model(checkpoint: Checkpoint) -> StoredModel:
    """What `stored_arrays` and `language_model_config` stored.

    Raises:
        CheckpointError: they are of another kind of model, or an array, which is named, is missing, of another shape
            or not finite.
    """
    try:
        levels = _levels(checkpoint.config["levels"])
        alphabet = Alphabet(checkpoint.config["alphabet"])
        if alphabet.size != levels.alphabet:
            raise ValueError(
                f"an alphabet of {alphabet.size} characters, levels of {levels.alphabet}"
            )
        is_gated = any(name.startswith(GATE) for name in checkpoint.arrays)
        shapes = weight_shapes(levels) | code_shapes(levels) | (gate_shapes() if is_gated else {})
        arrays = {
            name: _whole_array(checkpoint.arrays, name, shape) for name, shape in shapes.items()
        }
        return StoredModel(
            levels,
            alphabet,
            {name: arrays[name] for name in weight_shapes(levels)},
            arrays[CODES],
            arrays[BIAS],
            tuple(_block_reader(arrays, level) for level in range(1, levels.levels)),
            hash_of(levels, alphabet),
            Gate(arrays) if is_gated else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise CheckpointError(f"these are no weights of a language model: {exc}") from exc


def _levels(stored: Mapping[str, Any]) -> LevelConfig:
    """Sizes as they were stored; where nothing is said of it, levels have states of characters."""
    sizes = {name: _tupled(value) for name, value in stored.items()}
    return LevelConfig(**{**sizes, "levels_of": LevelsOf(stored.get("levels_of", "characters"))})


def _block_reader(arrays: Arrays, level: int) -> BlockReader:
    letters, order, mean, outward = (
        arrays[f"codes.{level}.{part}"] for part in ("letters", "order", "mean", "outward")
    )
    if not np.array_equal(np.sort(order), np.arange(len(order))):
        raise ValueError(f"codes.{level}.order is no permutation")
    return BlockReader(2**level, letters, order.astype(np.int64), mean, outward)


def _whole_array(arrays: Arrays, name: str, shape: tuple[int, ...]) -> FloatArray:
    """An array, restored.

    Raises:
        ValueError: it is missing, of another shape or not finite; the message names it.
    """
    try:
        values = restored_array(arrays, name)
    except KeyError as exc:
        raise ValueError(f"{name} is missing") from exc
    if name in arrays and arrays[name].dtype in _SMALL and name + SCALES not in arrays:
        raise ValueError(f"{name}{SCALES} is missing")
    if values.shape != shape:
        raise ValueError(f"{name} is {values.shape}, not {shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} is not finite")
    return values


def code_shapes(levels: LevelConfig) -> dict[str, tuple[int, ...]]:
    """Every array of the codes, as stored, and its shape."""
    V, W = levels.alphabet, MAP_WIDTH
    shapes: dict[str, tuple[int, ...]] = {CODES: (V, levels.code_widths[0]), BIAS: (V,)}
    for level, width in enumerate(levels.code_widths[1:], start=1):
        at = f"codes.{level}."
        shapes |= {f"{at}letters": (V, W), f"{at}outward": (width, W)}
        shapes |= {f"{at}order": (W,), f"{at}mean": (W,)}
    return shapes


def weight_shapes(levels: LevelConfig) -> dict[str, tuple[int, ...]]:
    """Every array of the network and its shape."""
    widths, top = levels.widths, levels.levels - 1
    shapes: dict[str, tuple[int, ...]] = {"characters.weight": (levels.alphabet, widths[0])}
    if levels.rows:
        shapes[UNITS] = (levels.rows, widths[0])
    shapes |= _near_shapes("last", levels)
    for level, (width, code_width) in enumerate(zip(widths, levels.code_widths, strict=True)):
        shapes[f"norms.{level}.weight"] = (width,)
        shapes[f"heads.{level}.weight"] = (code_width, width)
        shapes[f"heads.{level}.bias"] = (code_width,)
        if level < top:
            shapes[f"pools.{level}.weight"] = (widths[level + 1], 2 * width)
            shapes[f"told.{level}.weight"] = (width, widths[level + 1])
        for layer in range(levels.layers[level]):
            name = f"up.{level}.{layer}"
            shapes |= _far_shapes(name, width) if level else _near_shapes(name, levels)
    return shapes


def _near_shapes(name: str, levels: LevelConfig) -> dict[str, tuple[int, ...]]:
    width = levels.widths[0]
    return {
        f"{name}.near": (levels.reach + 1, width),
        f"{name}.norm.weight": (width,),
        **{f"{name}.{part}.weight": (width, width) for part in ("gate", "out")},
        **_mlp_shapes(name, width),
    }


def _far_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.norm.weight": (width,),
        **{f"{name}.{part}.weight": (width, width) for part in "qkvo"},
        **_mlp_shapes(name, width),
    }


def _mlp_shapes(block: str, width: int) -> dict[str, tuple[int, ...]]:
    inner = mlp_width(width)
    return {
        f"{block}.mlp.norm.weight": (width,),
        **{f"{block}.mlp.{part}.weight": (inner, width) for part in ("gate", "up")},
        f"{block}.mlp.down.weight": (width, inner),
    }


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
