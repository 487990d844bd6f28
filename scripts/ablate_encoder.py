"""What each idea in the encoder is worth: one training run a row, equal processor time for all.

python scripts/ablate_encoder.py --data DIR [--recipe FILE] [--cache DIR] [--seconds 150] [--report FILE] [ROW ...]

Every row is the reference with one thing changed, trained on the same part of the recipe with the
same seed for the same seconds of processor time; the steps that fit are measured first. A row that
the report already holds is not run again. A recipe that `tidings train embed --recipe` wrote saves
gathering the text anew.
"""

import argparse
import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from model.checkpoint import current_commit
from model.config import Preset, TrunkConfig, small
from model.embed import NO_STOP, Encoder
from model.evaluate_search import DENSE, HYBRID, TEXT, HybridIndex, our_words, score_search_set
from model.evaluate_similarity import DEVELOPMENT_SETS, read_pair_set, score_pairs
from model.material import Material, Recipe, gather_recipe, read_recipe, with_targets
from model.search_sets import read_search_set
from model.stopping import fit_stop_cosine
from model.timing import describe_machine, measure_rates
from model.train import Prepared, encoder_parts, new_trainer, prepare, take_steps

ROOT = Path(__file__).resolve().parents[1]
SIMILARITY_SETS = ("STS12", "STS13", "STS15", "SICK-R")
SEARCH_SET = "beir/scifact"
TEXTS, PAIRS = 100_000, 60_000
"""A run sees each text some six times; the teacher needs minutes for as many, not half an hour."""
BAG_SHARE = 0.3
"""Share of the time that the bag is trained alone."""
PROBE_STEPS = 6
EVERY_CHARACTER = 1.1
"""No probability is as large: every character is a unit."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing changed."""

    title: str
    encoder: dict[str, Any] = field(default_factory=dict)
    trunk: dict[str, Any] | None = field(default_factory=dict)
    """None for no trunk."""
    train: dict[str, Any] = field(default_factory=dict)


REFERENCE = "reference"
ROWS = {
    REFERENCE: Row("words, n-grams, parts of identifiers; depth 2; teacher and pairs"),
    "units": Row("confident units for words", {"kinds": ("unit", "gram")}),
    "phrases": Row("confident units bounded by words", {"kinds": ("phrase", "gram")}),
    "characters": Row(
        "bare characters for words", {"kinds": ("unit",), "threshold": EVERY_CHARACTER}
    ),
    "character-grams": Row(
        "characters with n-grams", {"kinds": ("unit", "gram"), "threshold": EVERY_CHARACTER}
    ),
    "no-grams": Row("no n-grams", {"kinds": ("word", "part")}),
    "word-pairs": Row("pairs of words too", {"kinds": ("word", "gram", "part", "pair")}),
    "no-position": Row("no position", trunk={"is_relative": False}),
    "depth-0": Row("depth 0", trunk=None),
    "depth-1": Row("depth 1", trunk={"n_layer": 1}),
    "depth-4": Row("depth 4", trunk={"n_layer": 4}),
    "teacher-alone": Row("teacher alone", train={"pair_weight": 0.0}),
    "pairs-alone": Row("pairs alone", train={"teacher_weight": 0.0, "pair_weight": 1.0}),
}


def main() -> None:
    """Run the rows that are missing and write the report after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", default=[], choices=[*ROWS, []], help="all by default")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--cache", type=Path, default=platformdirs.user_cache_path("tidings"))
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--report", type=Path, default=ROOT / "scripts/reports/ablation.json")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    report = _begun(options.report, options.seconds)
    material = _part(with_targets(_recipe(options), options.cache))
    prepared: dict[str, Prepared] = {}
    for name in options.rows or ROWS:
        if name in report["rows"]:
            continue
        preset = _preset(ROWS[name])
        key = json.dumps([preset.encoder.kinds, preset.encoder.threshold])
        if key not in prepared:
            prepared = {key: prepare(preset, material)}  # one at a time: they are large
        report["rows"][name] = _run(ROWS[name], preset, prepared[key], material, options)
        logger.info("row done: %s", json.dumps(report["rows"][name]))
        options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _begun(path: Path, seconds: float) -> dict[str, Any]:
    if path.exists():
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if report["processor_seconds"] == seconds:
            return report
    return {
        "command": "python scripts/ablate_encoder.py --data DIR",
        "processor_seconds": seconds,
        "texts": TEXTS,
        "pairs": PAIRS,
        "seeds": 1,
        "machine": describe_machine(),
        "commit": current_commit(),
        "rows": {},
    }


def _recipe(options: argparse.Namespace) -> Recipe:
    given: Path | None = options.recipe
    whole = read_recipe(given) if given else gather_recipe(options.data, small().train)
    return replace(whole, texts=whole.texts[:TEXTS])


def _part(material: Material) -> Material:
    """The same texts with a target, and as many pairs as a short run can use."""
    pairs = material.pairs
    assert pairs is not None
    chosen = sorted(random.Random(1).sample(range(len(pairs.anchors)), PAIRS))

    def kept(side: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(side[at] for at in chosen)

    fewer = replace(
        pairs,
        anchors=kept(pairs.anchors),
        positives=kept(pairs.positives),
        negatives=kept(pairs.negatives),
        sources=kept(pairs.sources),
    )
    known = material.texts[: len(material.targets)]
    sides = (*fewer.anchors, *fewer.positives, *fewer.negatives)
    others = dict.fromkeys(text for text in sides if text)
    for text in known:
        others.pop(text, None)
    return replace(material, texts=[*known, *others], pairs=fewer)


def _preset(row: Row) -> Preset:
    preset = small()
    trunk = None
    if row.trunk is not None:
        trunk = replace(preset.encoder.trunk or TrunkConfig(), **row.trunk)
    encoder = replace(preset.encoder, trunk=trunk, **row.encoder)
    return Preset(encoder, replace(preset.train, **row.train))


def _run(
    row: Row, preset: Preset, prepared: Prepared, material: Material, options: argparse.Namespace
) -> dict[str, Any]:
    train = replace(preset.train, bag_steps=PROBE_STEPS, joint_steps=PROBE_STEPS)
    train = replace(train, sentence_steps=0, rounded_steps=0)
    costs = list(_step_seconds(Preset(preset.encoder, train), prepared))
    bag, joint = (float(np.mean(part[1:])) for part in np.split(np.array(costs), 2))
    train = replace(
        train,
        bag_steps=int(options.seconds * BAG_SHARE / bag),
        joint_steps=int(options.seconds * (1 - BAG_SHARE) / joint),
    )
    began = time.process_time()
    trainer = new_trainer(Preset(preset.encoder, train), prepared)
    for _ in take_steps(trainer):
        pass
    spent = time.process_time() - began
    parts = encoder_parts(preset, prepared, trainer)
    encoder = Encoder(parts.checkpoint({"hash": row.title}))
    return {
        "title": row.title,
        "bag_steps": train.bag_steps,
        "joint_steps": train.joint_steps,
        "processor_seconds": round(spent),
        "units_per_text": round(len(prepared.data.texts.unit_offsets) / len(material.texts), 1),
        "rows_per_text": round(len(prepared.data.texts.rows) / len(material.texts), 1),
        "trunk": asdict(preset.encoder.trunk) if preset.encoder.trunk else None,
        "full": _scores(encoder, options.data),
        "early_stop": _early(encoder, material, options.data) if row == ROWS[REFERENCE] else None,
    }


def _step_seconds(preset: Preset, prepared: Prepared) -> Iterator[float]:
    began = time.process_time()
    for _ in take_steps(new_trainer(preset, prepared)):
        now = time.process_time()
        yield now - began
        began = now


def _early(encoder: Encoder, material: Material, data: Path) -> dict[str, Any]:
    stop = fit_stop_cosine(encoder, material.texts)
    stopping = encoder.limited(depth=encoder.depth, stop_cosine=stop)
    texts = read_pair_set(data / "eval/sts/STS15.jsonl.xz", "STS15").texts
    layers = float(stopping.layers_run(texts).mean()) if stop < NO_STOP else float(encoder.depth)
    return {"stop_cosine": stop, "layers_on_mean": round(layers, 2), **_scores(stopping, data)}


def _scores(encoder: Encoder, data: Path) -> dict[str, float]:
    sets = {
        name: read_pair_set(data / f"eval/sts/{name}.jsonl.xz", name)
        for name in (*SIMILARITY_SETS, *DEVELOPMENT_SETS)
    }
    found = {name: float(score_pairs(encoder, pairs)["spearman"]) for name, pairs in sets.items()}
    searched = read_search_set(data / "eval" / SEARCH_SET)
    index = HybridIndex(encoder, searched, our_words(), dense_weight=TEXT.ours)
    search = score_search_set(index, searched)
    timed = list(sets["STS15"].texts[:2000])
    return {
        "sts_mean": round(float(np.mean([found[name] for name in SIMILARITY_SETS])), 2),
        "development_mean": round(float(np.mean([found[name] for name in DEVELOPMENT_SETS])), 2),
        "scifact_dense": search[DENSE]["ndcg@10"],
        "scifact_hybrid": search[HYBRID]["ndcg@10"],
        "texts_per_s": round(measure_rates({"ours": encoder.embed}, timed)["ours"]),
    }


if __name__ == "__main__":
    main()
