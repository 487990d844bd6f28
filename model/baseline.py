"""Averaged hashed words: the encoder that knows nothing, for comparison.

Every word has a fixed random vector drawn from its hash; a text is their mean. What it scores is
what shared words alone are worth.

Shapes: N texts, D width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

WIDTH = 256


class HashedWords:
    """Mean of random word vectors."""

    name = "averaged hashed words"

    def __init__(self) -> None:
        self._vectors: dict[str, npt.NDArray[np.float32]] = {}

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of unit length, float32 (N, D); the first axis for a text without words."""
        out = np.zeros((len(texts), WIDTH), dtype=np.float32)
        for at, text in enumerate(texts):
            for word in text.casefold().split():
                out[at] += self._vector(word.strip(".,;:!?\"'()"))
            norm = float(np.linalg.norm(out[at]))
            if norm > 0:
                out[at] /= norm
            else:
                out[at, 0] = 1.0
        return out

    def _vector(self, word: str) -> npt.NDArray[np.float32]:
        if word not in self._vectors:
            digest = hashlib.blake2b(word.encode("utf8", "replace"), digest_size=8).digest()
            rng = np.random.default_rng(int.from_bytes(digest, "little"))
            self._vectors[word] = rng.standard_normal(WIDTH).astype(np.float32)
        return self._vectors[word]
