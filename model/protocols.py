"""What evaluation asks of an encoder, and what it makes use of where an encoder offers it.

Shapes: N texts, U units of all texts, D width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Offsets = npt.NDArray[np.int64]


class Embeds(Protocol):
    """Anything that turns texts into unit vectors."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of unit length, float32 (N, D)."""
        ...


class ModelUnderTest(Embeds, Protocol):
    """An encoder that says what it is."""

    @property
    def name(self) -> str:
        """Changes whenever the vectors would change."""
        ...

    @property
    def hash(self) -> str:
        """Of the weights."""
        ...

    @property
    def params(self) -> int:
        """Numbers stored."""
        ...

    @property
    def bytes(self) -> int:
        """Size of the numbers stored."""
        ...


@runtime_checkable
class GivesUnitStates(Protocol):
    """An encoder that shows the units a text's vector was made from."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of unit length, float32 (N, D)."""
        ...

    def unit_states(self, texts: Sequence[str]) -> tuple[FloatArray, Offsets]:
        """One state for every unit, float32 (U, D), and the first of each text, int64 (N + 1,)."""
        ...


@runtime_checkable
class HasVariants(Protocol):
    """An encoder that can be run in other ways, each worth a line of the report."""

    def variants(self) -> Mapping[str, Embeds]:
        """Encoders by name."""
        ...


def variants_of(model: Embeds) -> Mapping[str, Embeds]:
    """The variants of an encoder that offers any."""
    return model.variants() if isinstance(model, HasVariants) else {}
