"""What storing our matrices in fewer bits costs: each way to round them, on each of our networks.

    python scripts/rounding_report.py --data DIR [--language FOLDER] [--state FILE] [--reader FOLDER]
        [--parts language,...] [--methods NAME,...] [--out FILE] [--work FOLDER] [--limit N]

Every way replaces all matrices of one network and leaves the rest of the model as it is: the language model of levels
(its table of larger units is a part of its own), the reader, the trunk of the encoder. Compared is with the weights in
float32 where a training run's state gives them, else with the small integers that are shipped; a difference to these is
what a second rounding costs. Bits are of all that is stored of the matrices. A killed run goes on with what is left.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.checkpoint import current_commit, load_checkpoint
from model.embed import Encoder, load_encoder
from model.evaluate_reader import find_sets, read_all, score_answers
from model.evaluate_search import DENSE, SCORE_DIGITS, score_search_set
from model.evaluate_similarity import FOLDER as STS
from model.evaluate_similarity import (
    PairSet,
    read_development_sets,
    read_pair_sets,
    score_pairs,
)
from model.input_moments import language_moments, reader_moments, trunk_moments
from model.predict import LanguageModel
from model.predict_data import joined, read_news_text
from model.predict_stored import UNITS
from model.protocols import FloatArray
from model.read import Reader
from model.read_sources import SQUAD_FILE, read_squad
from model.rounded_model import (
    INT4,
    INT8,
    METHODS,
    TABLE_METHODS,
    Method,
    Rounded,
    keep,
    packaged,
    round_matrices,
    stored_matrices,
    trained_matrices,
    with_matrices,
)
from model.search_sets import SearchSet, read_search_set
from model.spqr_stored import Doubles
from model.suite import find_suite_folder
from model.tag import load_tagger
from model.timing import describe_machine, sample

REPORT = Path(__file__).resolve().parent / "reports" / "rounding.json"
LANGUAGE, TABLE, READER, ENCODER = "language", "table", "reader", "encoder"
FLOAT32, SHIPPED, SPQR = "float32", "as shipped", "spqr 4.63"
FEW_BITS = 6
"""A weight: fewer are SpQR's."""
SEARCH_SET = "cranfield"

ARTICLES, QUESTIONS = 100, 2000
"""That are measured on; of similarity all pairs are."""
MOMENT_CHARS, MOMENT_QUESTIONS, MOMENT_SENTENCES = 200_000, 500, 2000
"""That second moments are collected on: none of them is measured on."""

Metrics = dict[str, float]
Matrices = Mapping[str, FloatArray]
Moments = Mapping[str, Doubles]
Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Some matrices of a model, and how well it does with others in their place."""

    model: str
    reference: str
    """What the weights are that are rounded, `FLOAT32` or as they are shipped."""
    reference_bits: float
    """That these are stored in."""
    matrices: Matrices
    methods: Mapping[str, Method]
    """Ways to round them that differ from the reference."""
    measured_on: Callable[[], Mapping[str, int]]
    collect: Callable[[], Moments]
    """Second moments of the inputs of those matrices that have any; takes a while."""
    measure: Callable[[Matrices], Metrics]
    """How well the model does; takes a while."""


def main() -> int:
    """Measure what is left, and write the report."""
    options = _options()
    names = options.parts.split(",") if options.parts else _usual_parts(options)
    _check(names, PARTS, "part")
    if options.methods:
        _check(options.methods.split(","), {**METHODS, **TABLE_METHODS}, "method")
    if options.language is None and {LANGUAGE, TABLE} & set(names):
        sys.exit("which language model? name its folder by --language")
    options.work.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in names:
        part = PARTS[name](options)
        found[name] = summarise(part, measure_part(part, name, options))
    report = {
        "benchmark": "rounding",
        "command": _command(options, names),
        "parts": found,
        "machine": describe_machine(),
        "torch": torch.__version__,
        "commit": current_commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _usual_parts(options: argparse.Namespace) -> list[str]:
    """All that there are weights of."""
    is_there = options.language is not None
    return [name for name in PARTS if is_there or name not in (LANGUAGE, TABLE)]


def _check(names: Sequence[str], known: Mapping[str, object], kind: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no {kind} {unknown[0]!r}; there is {', '.join(known)}")


# ------------------------------------------------------------------------------------- one part, every way
def measure_part(part: Part, name: str, options: argparse.Namespace) -> dict[str, Found]:
    """What each way takes and costs, the reference first; what was measured before is read back."""
    collect = cache(part.collect)
    chosen = options.methods.split(",") if options.methods else list(part.methods)
    found = {}
    for way in (part.reference, *(each for each in part.methods if each in chosen)):
        said = (name, part.model, part.reference, way, options.limit or "all")
        path = options.work / ("-".join(map(str, said)).replace(" ", "_") + ".json")
        if not path.exists():
            draft = path.with_suffix(".tmp")
            draft.write_text(json.dumps(measure_way(part, way, collect)), encoding="utf-8")
            draft.replace(path)
        found[way] = json.loads(path.read_text(encoding="utf-8"))
        print(name, way, found[way]["metrics"], flush=True, file=sys.stderr)
    return found


def measure_way(part: Part, way: str, collect: Callable[[], Moments]) -> Found:
    """Round all matrices of a part, and see how the model does.

    Memory is the most that this process ever held, nearly all of it for measuring.
    """
    is_reference = way == part.reference
    moments = {} if is_reference else collect()
    began = time.perf_counter()
    method = keep if is_reference else part.methods[way]
    rounded = round_matrices(part.matrices, moments, method)
    rounding_s = time.perf_counter() - began
    if is_reference:
        rounded = replace(rounded, bits=part.reference_bits)
    metrics = part.measure(rounded.matrices)
    return {
        "bits_per_param": round(rounded.bits / rounded.params, 4),
        "bytes": round(rounded.bits / 8),
        "output_error": round(rounded.output_error, 8),
        "metrics": metrics,
        "measured_on": dict(part.measured_on()),
        "rounding_s": round(rounding_s, 1),
        "peak_resident_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def summarise(part: Part, found: Mapping[str, Found]) -> Found:
    """A part of the report: each way beside the reference."""
    usual = found[part.reference]["metrics"]
    ways = {}
    for way, each in found.items():
        row = {key: each[key] for key in ("bits_per_param", "bytes", "output_error", "rounding_s")}
        change = {key: value - usual[key] for key, value in each["metrics"].items()}
        row |= each["metrics"]
        row["difference"] = {key: round(value, 4) for key, value in change.items()}
        row["percent"] = {
            key: round(100 * value / usual[key], 3) for key, value in change.items() if usual[key]
        }
        ways[way] = row
    return {
        "model": part.model,
        "reference": part.reference,
        "matrices": len(part.matrices),
        "params": sum(matrix.size for matrix in part.matrices.values()),
        "measured_on": found[part.reference]["measured_on"],
        "peak_resident_mib": max(each["peak_resident_mib"] for each in found.values()),
        "ways": ways,
    }


# --------------------------------------------------------------------------------------- the language model
def language_part(options: argparse.Namespace) -> Part:
    """All matrices of the language model but its table of larger units."""
    return _of_language(options, is_table=False)


def table_part(options: argparse.Namespace) -> Part:
    """The table of larger units."""
    return _of_language(options, is_table=True)


def _of_language(options: argparse.Namespace, *, is_table: bool) -> Part:
    methods, shipped_as = (TABLE_METHODS, INT4) if is_table else (METHODS, INT8)
    checkpoint = load_checkpoint(options.language)
    stored = {
        name: each
        for name, each in stored_matrices(checkpoint).items()
        if not name.startswith("codes.")
    }
    whole = {name: each.matrix for name, each in stored.items()}
    if options.state is not None:
        whole = trained_matrices(options.state, whole)
    model = LanguageModel(with_matrices(checkpoint, whole))
    matrices = {name: matrix for name, matrix in whole.items() if (name == UNITS) == is_table}
    if not matrices:
        sys.exit(f"{options.language} has no table of larger units: name other parts by --parts")

    def news() -> News:
        return read_news(options.data, options.limit)

    def measure(others: Matrices) -> Metrics:
        rounded = LanguageModel(with_matrices(checkpoint, {**whole, **others}))
        return {"bits_per_char": round(float(rounded.bits(news().test).mean()), 5)}

    size = sum(matrix.size for matrix in matrices.values())
    is_float = options.state is not None
    return Part(
        model=model.name,
        reference=FLOAT32 if is_float else f"{shipped_as} {SHIPPED}",
        reference_bits=32 * size if is_float else sum(stored[name].bits for name in matrices),
        matrices=matrices,
        methods={name: each for name, each in methods.items() if is_float or name != shipped_as},
        measured_on=lambda: {"chars": len(news().test)},
        # Rows of a table are looked up one by one: they have no moments.
        collect=lambda: {} if is_table else language_moments(model, news().development),
        measure=measure,
    )


@dataclass(frozen=True, slots=True)
class News:
    """Articles as one text."""

    development: str
    """Of the years that were trained on, kept out of training."""
    test: str
    """Of the year after."""


@cache
def read_news(data: Path, limit: int | None) -> News:
    """Read once for both parts: it takes longer than to round them.

    With a limit others than those of the training are kept out of it: good enough for second moments.
    """
    news = read_news_text(data, most=limit)
    return News(joined(news.development)[:MOMENT_CHARS], joined(news.test[: limit or ARTICLES]))


# -------------------------------------------------------------------------------------------------- the reader
def reader_part(options: argparse.Namespace) -> Part:
    """All matrices of a reader, by default the packaged one."""
    checkpoint = packaged("read") if options.reader is None else load_checkpoint(options.reader)
    encoder, tagger = load_encoder(), load_tagger()
    stored = stored_matrices(checkpoint)
    reader = Reader(checkpoint, encoder, tagger)
    path = find_sets(options.data)[0]
    source = read_squad(path)
    source = replace(source, asked=source.asked[: options.limit or QUESTIONS])

    def measure(others: Matrices) -> Metrics:
        rounded = Reader(with_matrices(checkpoint, others), encoder, tagger)
        found = score_answers(read_all(rounded, source), source, path.name)
        return {name: found[name] for name in ("f1", "em", "span_f1", "auroc")}

    def collect() -> Moments:
        of_school = read_squad(options.data / "train" / "qa" / SQUAD_FILE)
        step = max(len(of_school.asked) // MOMENT_QUESTIONS, 1)
        some = of_school.asked[::step][:MOMENT_QUESTIONS]
        return reader_moments(reader, checkpoint, replace(of_school, asked=some))

    return _as_shipped(
        reader.name,
        stored,
        measured_on=lambda: {"questions": len(source.asked)},
        collect=collect,
        measure=measure,
    )


# ------------------------------------------------------------------------------------------------- the encoder
def encoder_part(options: argparse.Namespace) -> Part:
    """All matrices of the packaged encoder's trunk."""
    checkpoint = packaged("embed")
    stored = stored_matrices(checkpoint)
    encoder = Encoder(checkpoint)
    trunk = encoder.config.trunk
    if trunk is None:
        sys.exit("the packaged encoder has no trunk")
    folder = find_suite_folder(options.data, STS, lambda at: any(at.glob("*.jsonl.xz")))
    cut = slice(options.limit)
    sets = [
        PairSet(it.name, it.first[cut], it.second[cut], it.scores[cut], it.subsets[cut])
        for it in read_pair_sets(folder)
    ]
    searched = None
    search_folder = options.data / "eval" / "beir" / SEARCH_SET
    if search_folder.is_dir() and options.limit is None:
        searched = read_search_set(search_folder)

    def measure(others: Matrices) -> Metrics:
        rounded = Encoder(with_matrices(checkpoint, others))
        found = [score_pairs(rounded, pairs)["spearman"] for pairs in sets]
        metrics = {"spearman": round(float(np.mean(found)), 3)}
        if searched is not None:
            scored = score_search_set(DenseIndex(rounded, searched), searched)[DENSE]
            metrics[f"{SEARCH_SET}_ndcg@10"] = scored["ndcg@10"]
        return metrics

    def collect() -> Moments:
        texts = [text for pairs in read_development_sets(options.data) for text in pairs.texts]
        if not texts:
            sys.exit(f"no development sets of sentence pairs in {options.data}")
        return trunk_moments(encoder, trunk, checkpoint, sample(texts, MOMENT_SENTENCES))

    return _as_shipped(
        encoder.name,
        stored,
        measured_on=lambda: {"pairs": sum(len(pairs.scores) for pairs in sets)},
        collect=collect,
        measure=measure,
    )


class DenseIndex:
    """The documents of a set as one vector each."""

    def __init__(self, encoder: Encoder, searched: SearchSet) -> None:
        self._encoder, self._vectors = encoder, encoder.embed(searched.documents)

    def scores(self, queries: Sequence[str]) -> dict[str, FloatArray]:
        """Cosines, float32 (Q, D)."""
        return {DENSE: np.round(self._encoder.embed(queries) @ self._vectors.T, SCORE_DIGITS)}


# ------------------------------------------------------------------------------------------------------ shared
def _as_shipped(model: str, stored: Mapping[str, Rounded], **rest: Any) -> Part:
    """A part whose weights are kept in small integers alone: in eight bits each, or by SpQR."""
    bits = sum(each.bits for each in stored.values())
    kept_as = INT8 if bits > FEW_BITS * sum(each.matrix.size for each in stored.values()) else SPQR
    return Part(
        model=model,
        reference=f"{kept_as} {SHIPPED}",
        reference_bits=bits,
        matrices={name: each.matrix for name, each in stored.items()},
        methods={name: each for name, each in METHODS.items() if name != kept_as},
        **rest,
    )


PARTS: Mapping[str, Callable[[argparse.Namespace], Part]] = {
    LANGUAGE: language_part,
    TABLE: table_part,
    READER: reader_part,
    ENCODER: encoder_part,
}


def _command(options: argparse.Namespace, names: Sequence[str]) -> str:
    command = f"python scripts/rounding_report.py --data DIR --parts {','.join(names)}"
    for name, what in (("language", "FOLDER"), ("state", "FILE"), ("reader", "FOLDER")):
        command += f" --{name} {what}" if getattr(options, name) is not None else ""
    for name in ("methods", "limit"):
        value = getattr(options, name)
        command += f" --{name} {value!r}" if value else ""
    return command


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--language", type=Path, help="folder of a language model of levels")
    parser.add_argument("--reader", type=Path, help="its folder; default: the packaged one")
    parser.add_argument(
        "--state", type=Path, help="what its training run left behind: its weights in float32"
    )
    parser.add_argument(
        "--parts", help=f"of {', '.join(PARTS)}, with commas; default: all there are weights of"
    )
    parser.add_argument("--methods", help="names of some, with commas; default: all")
    parser.add_argument("--out", type=Path, default=REPORT, help="where the report goes")
    parser.add_argument(
        "--work", type=Path, default=Path("rounding.run"), help="keeps what a killed run measured"
    )
    parser.add_argument(
        "--limit",
        type=int,
        help="for a first look: articles of a file, questions and pairs of a set at most; no search",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
