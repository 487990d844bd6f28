"""Tagged sentences of ours in the layout of the data folder."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable
from pathlib import Path

NAMES = (
    ("paper", "train", "Oslo won .", "B-LOC O O"),
    ("paper", "testa", "Ana Bell met Bo Li in Rome .", "B-PER I-PER O B-PER I-PER O B-LOC O"),
    ("paper", "testa", "It rained .", "O O O"),
    ("paper", "testb", "Rome ( Lazio ) slept .", "B-LOC O B-LOC O O O"),
    ("weapons", "test", "A sword fell .", "O B-Weapon O O"),
)
"""Source, part, words and marks: names of the last are of no kind that we know."""

PARTS = (
    ("The dog isn't old.", "The dog is n't old .", "DT NN VBZ RB JJ ."),
    ("Dogs bark (loudly)!", "Dogs bark ( loudly ) !", "NNS VBP -LRB- RB -RRB- ."),
)
"""Text, words and their parts of speech."""


def write_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with lzma.open(path, "wt", encoding="utf8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_tagged_sets(folder: Path) -> None:
    """Names of two sources, and a treebank in two parts."""
    names = [dict(zip(("src", "split", "tok", "ner"), row, strict=True)) for row in NAMES]
    write_rows(folder / "ner_both.jsonl.xz", names)
    parts = [dict(zip(("text", "tok", "xpos"), row, strict=True)) for row in PARTS]
    write_rows(folder / "ud_ours_dev.jsonl.xz", parts)
    write_rows(folder / "ud_ours_train.jsonl.xz", parts)
