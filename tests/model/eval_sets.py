"""Written evaluation sets, and small encoders that are real: what they give can be worked out."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_search_set(
    folder: Path,
    documents: Mapping[str, str],
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, Mapping[str, int]]],
) -> None:
    """`qrels`: grades by split, query and document."""
    write_rows(
        folder / "corpus.jsonl.xz",
        ({"_id": key, "title": "", "text": text} for key, text in documents.items()),
    )
    write_rows(
        folder / "queries.jsonl.xz", ({"_id": key, "text": text} for key, text in queries.items())
    )
    for split, grades in qrels.items():
        lines = ["query-id\tcorpus-id\tscore"]
        lines += [f"{q}\t{d}\t{grade}" for q, of in grades.items() for d, grade in of.items()]
        (folder / f"qrels.{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf8")


class LetterStates:
    """A unit a word, its state the count of its letters; a text's vector is their sum."""

    name, hash, params, bytes = "letters", "0", 0, 0
    width = 26

    def unit_states(self, texts: Sequence[str]) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        words = [text.lower().split() for text in texts]
        states = np.zeros((sum(map(len, words)), self.width), dtype=np.float32)
        for row, word in enumerate(word for text in words for word in text):
            for char in word:
                if "a" <= char <= "z":
                    states[row, ord(char) - ord("a")] += 1
        counts = np.array([len(text) for text in words], dtype=np.int64)
        return states, np.concatenate(([0], np.cumsum(counts)))

    def embed(self, texts: Sequence[str]) -> FloatArray:
        states, offsets = self.unit_states(texts)
        sums = np.zeros((len(texts), self.width), dtype=np.float32)
        np.add.at(sums, np.repeat(np.arange(len(texts)), np.diff(offsets)), states)
        sums[np.abs(sums).sum(axis=1) == 0, 0] = 1
        return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)


class Given:
    """Vectors that are written down; any other text gets the last axis."""

    name, hash, params, bytes = "given", "0", 0, 0

    def __init__(self, vectors: Mapping[str, Sequence[float]]) -> None:
        self._vectors = {text: np.array(row, dtype=np.float32) for text, row in vectors.items()}
        self._other = np.zeros(len(next(iter(self._vectors.values()))), dtype=np.float32)
        self._other[-1] = 1

    def embed(self, texts: Sequence[str]) -> FloatArray:
        return np.stack([self._vectors.get(text, self._other) for text in texts])


class Broken:
    """Gives a vector that is no number."""

    name, hash, params, bytes = "broken", "0", 0, 0

    def embed(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.ones((len(texts), 2), dtype=np.float32)
        vectors[-1, 0] = np.nan
        return vectors
