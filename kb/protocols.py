"""All that the knowledge base knows of a model."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


class Reading(Protocol):
    """What a reader finds in one passage; `passage[start:end]` is the answer."""

    @property
    def start(self) -> int:
        """First character."""

    @property
    def end(self) -> int:
        """Behind the last character."""

    @property
    def score(self) -> float:
        """Log-odds of this span."""

    @property
    def no_answer(self) -> float:
        """Log-odds that the passage does not hold the answer."""


class Reader(Protocol):
    """Questions and passages to answers.

    Attributes:
        name: changes whenever the readings would change.
    """

    name: str

    def read(self, question: str, passages: Sequence[str]) -> Sequence[Reading]:
        """One reading for each passage, whatever other passages are given."""
        ...


class Embedder(Protocol):
    """Texts to unit vectors.

    Attributes:
        name: changes whenever the vectors would change; stored with the index.
        dim: length of a vector.
    """

    name: str
    dim: int

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Return float32 (N, dim), rows of unit length, row i for texts[i]."""
        ...
