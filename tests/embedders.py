"""A second real embedder: hashed words, deterministic, no weights."""

import re
import zlib
from collections.abc import Sequence

import numpy as np

from kb.protocols import FloatArray


class HashEmbedder:
    """Each word adds one at the place of its hash: nearly equal words, nearly equal vectors."""

    def __init__(self, dim: int = 64) -> None:
        self.name = f"hash-{dim}"
        self.dim = dim

    def embed(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()) or [""]:
                vector[zlib.crc32(word.encode("utf-8", "surrogatepass")) % self.dim] += 1.0
        unit: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit
