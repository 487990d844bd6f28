"""The `tagging` suite: are names found, whole and of the right kind, and do words get the right part of speech?

A name counts as found when its characters and its kind are those of the set, no more and no fewer. Kinds are taken as
training takes them; a set is not asked for kinds that it never marks. Only parts that training leaves alone are read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from model.checkpoint import current_commit
from model.errors import DataError
from model.suite import mean_of
from model.tag import Reading, Tagger, load_tagger
from model.tag_data import Row, detokenise, entity_spans, read_rows, treebank_rows
from model.timing import describe_machine

SUITE = "tagging"
FOLDERS = ("", SUITE, f"eval/{SUITE}", f"train/{SUITE}")
METRICS = ("entity_f1", "entity_precision", "entity_recall", "accuracy")
HELD_OUT = ("dev", "test", "testa", "testb")
"""Parts of a set that are evaluated on, by a row's `split` or the end of the file's name."""
_ENDING = ".jsonl.xz"

Places = frozenset[tuple[int, int, str]]
"""Names of a text: first character, the one behind the last, kind."""


@dataclass(frozen=True, slots=True)
class NameSet:
    """Texts with their names."""

    texts: tuple[str, ...]
    marked: tuple[Places, ...]

    def score(self, readings: Sequence[Reading]) -> dict[str, Any]:
        """Precision, recall and F1, times 100; `n` names are marked."""
        kinds = {kind for _, _, kind in chain.from_iterable(self.marked)}
        n = given = right = 0
        for marked, reading in zip(self.marked, readings, strict=True):
            found = {
                (span.start_char, span.end_char, span.kind)
                for span in reading.spans
                if span.kind in kinds
            }
            n, given, right = n + len(marked), given + len(found), right + len(marked & found)
        return {
            "entity_f1": round(200 * right / (n + given), 2),
            "entity_precision": round(100 * right / max(given, 1), 2),
            "entity_recall": round(100 * right / n, 2),
            "n": n,
        }


@dataclass(frozen=True, slots=True)
class PartSet:
    """Texts with the parts of speech of our words, one after another."""

    texts: tuple[str, ...]
    tags: tuple[str, ...]

    def score(self, readings: Sequence[Reading]) -> dict[str, Any]:
        """Share of the `n` words that get the right one, times 100."""
        found = [word.pos for reading in readings for word in reading.words]
        right = sum(a == b for a, b in zip(self.tags, found, strict=True))
        return {"accuracy": round(100 * right / len(found), 2), "n": len(found)}


def evaluate_tagging(data: Path, *, tagger: Tagger | None = None) -> dict[str, Any]:
    """Run the suite.

    Args:
        data: a folder of tagged sentences, or one that holds it as `tagging/`, `eval/tagging/` or `train/tagging/`.
        tagger: the tagger to evaluate, by default the packaged one.

    Returns:
        The report.

    Raises:
        ModelError: there is no such data, or no tagger.
    """
    sets = read_sets(data)
    model = tagger if tagger is not None else load_tagger()
    results, words, chars, seconds = {}, 0, 0, 0.0
    for name, held_out in sets.items():
        began = time.perf_counter()
        readings = model.read_batch(held_out.texts)
        seconds += time.perf_counter() - began
        words += sum(len(reading.words) for reading in readings)
        chars += sum(map(len, held_out.texts))
        results[name] = held_out.score(readings)
    return {
        "suite": SUITE,
        "model": {
            "name": model.name,
            "hash": model.stored.hash,
            "params": model.params,
            "bytes": model.stored.bytes,
        },
        "sets": results,
        "mean": mean_of(results.values(), METRICS, digits=2),
        "seconds": round(seconds, 3),
        "words_per_s": round(words / seconds),
        "chars_per_s": round(chars / seconds),
        "machine": describe_machine(),
        "commit": current_commit(),
    }


def read_sets(data: Path) -> Mapping[str, NameSet | PartSet]:
    """The sets of the first folder that has any, by name and in the order of names.

    Raises:
        DataError: none has, or a file cannot be read.
    """
    for folder in FOLDERS:
        sets: dict[str, NameSet | PartSet] = {}
        for path in (data / folder).glob("*" + _ENDING):
            name = path.name.removesuffix(_ENDING)
            first = next(read_rows(path), {})
            if "xpos" in first and name.endswith(HELD_OUT):
                sets[name] = _part_set(path)
            elif "ner" in first and "split" in first:
                sets |= _name_sets(path)
        if sets:
            return dict(sorted(sets.items()))
    raise DataError(f"no {SUITE} sets in {data}")


def _part_set(path: Path) -> PartSet:
    tags = [tag for labelled, _ in treebank_rows(path) for (tag,) in labelled.allowed]
    return PartSet(tuple(row["text"] for row in read_rows(path)), tuple(tags))


def _name_sets(path: Path) -> Iterator[tuple[str, NameSet]]:
    """Held-out parts of a file that mark names of kinds we know, by source and part."""
    rows: dict[str, list[Row]] = {}
    for row in read_rows(path):
        if row["split"] in HELD_OUT:
            rows.setdefault(f"{row['src']}_{row['split']}", []).append(row)
    for name, own in rows.items():
        printed = [detokenise(row["tok"].split()) for row in own]
        marked = tuple(
            frozenset(entity_spans(row["ner"].split(), places))
            for row, (_, places) in zip(own, printed, strict=True)
        )
        if any(marked):
            yield name, NameSet(tuple(text for text, _ in printed), marked)
