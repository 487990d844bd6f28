"""The encoders that ours is compared with: hashed words, and a public sentence encoder.

Shapes: N texts, D width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model.teacher import MiniLM

WIDTH = 256
MAX_TOKENS = 256
"""As far as the makers of the public encoder read."""


class HashedWords:
    """Mean of random word vectors: every word's is drawn from its hash.

    What it scores is what shared words alone are worth.
    """

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


class PublicEncoder:
    """all-MiniLM-L6-v2, reading texts as far as its makers do."""

    name = MiniLM.name

    def __init__(self) -> None:
        """Load it.

        Raises:
            ModelError: it is not installed.
        """
        self._encoder = MiniLM(max_tokens=MAX_TOKENS, batch_size=32)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of unit length, float32 (N, D)."""
        return self._encoder.encode(texts)
