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
from model.codes import Codes
from model.errors import CheckpointError
from model.gate import GATE
from model.level_config import LevelConfig, LevelsOf
from model.quantize import SCALES, quantize_rows
from model.stored import restored_arrays
from model.unit_hash import UnitFinder, hash_of

FloatArray = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

UNITS = "units.weight"
CODES = "codes.0"
_NETWORK, _LOSS = "network.", "loss."


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
    arrays["bias"] = weights[f"{_LOSS}bias"]
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
        CheckpointError: they are of another kind of model, or arrays are missing or of another shape.
    """
    try:
        config = checkpoint.config
        levels = _levels(config["levels"])
        alphabet = Alphabet(config["alphabet"])
        arrays = restored_arrays(checkpoint.arrays)
        blocks = tuple(_block_reader(arrays, level) for level in range(1, levels.levels))
        hasher = hash_of(levels, alphabet)
        network = {k: v for k, v in arrays.items() if not k.startswith(("codes.", GATE, "bias"))}
        _check(network, levels)
        return StoredModel(levels, alphabet, network, arrays[CODES], arrays["bias"], blocks, hasher)
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
    return BlockReader(2**level, letters, order.astype(np.int64), mean, outward)


def _check(network: Arrays, levels: LevelConfig) -> None:
    """Every weight must be there in its shape.

    Raises:
        ValueError: names the first that is not.
    """
    for name, shape in weight_shapes(levels).items():
        if name not in network or network[name].shape != shape:
            found = network[name].shape if name in network else "missing"
            raise ValueError(f"{name} is {found}, not {shape}")


def weight_shapes(levels: LevelConfig) -> dict[str, tuple[int, ...]]:
    """Every array of the network and its shape."""
    widths, top = levels.widths, levels.levels - 1
    shapes: dict[str, tuple[int, ...]] = {"characters.weight": (levels.alphabet, widths[0])}
    if levels.rows:
        shapes[UNITS] = (levels.rows, widths[0])
    near = ["last", *(f"up.0.{layer}" for layer in range(levels.layers[0]))]
    for name in near:
        shapes[f"{name}.near"] = (levels.reach + 1, widths[0])
        shapes |= {f"{name}.{part}.weight": (widths[0], widths[0]) for part in ("gate", "out")}
    for level, (width, code_width) in enumerate(zip(widths, levels.code_widths, strict=True)):
        shapes[f"norms.{level}.weight"] = (width,)
        shapes[f"heads.{level}.weight"] = (code_width, width)
        shapes[f"heads.{level}.bias"] = (code_width,)
        if level < top:
            shapes[f"pools.{level}.weight"] = (widths[level + 1], 2 * width)
            shapes[f"told.{level}.weight"] = (width, widths[level + 1])
        if level:
            shapes |= {
                f"up.{level}.{layer}.{part}.weight": (width, width)
                for layer in range(levels.layers[level])
                for part in "qkvo"
            }
    return shapes


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
