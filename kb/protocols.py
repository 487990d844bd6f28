"""All that the knowledge base knows of a model."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


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
