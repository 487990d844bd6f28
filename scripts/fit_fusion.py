"""Fit the weights of `model.fusion` on development sets, and report what every weight would score.

    python scripts/fit_fusion.py --data DIR [--encoder DIR] [--public] [--out FILE]

Text: the development questions of TREC-QA, two sets of multi-hop questions, and SQuAD's (a question
finds its paragraph). Code: docstrings and functions of installed packages that the encoder is not
trained on. Nothing that an evaluation reports is read. With --public the same is done for BM25 and
the public encoder, so that the comparison is fair.
"""

import argparse
import json
import statistics
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from model.baseline import PublicEncoder
from model.checkpoint import current_commit
from model.code_pairs import HELD_OUT_PACKAGES, find_code_pairs
from model.embed import load_encoder
from model.evaluate_search import (
    CODE,
    DENSE,
    LEXICAL,
    TEXT,
    HybridIndex,
    WordSearch,
    our_words,
    public_words,
    score_search_set,
)
from model.fusion import NORMALIZERS, fuse
from model.protocols import Embeds, FloatArray
from model.search_sets import SearchSet, read_search_set
from model.texts import by_hash, read_rows
from model.timing import describe_machine

OUT = Path(__file__).resolve().parent / "reports" / "fusion.json"
WEIGHTS = tuple(step / 10 for step in range(11))
KINDS = {"text": TEXT, "code": CODE}
METRICS = {"text": "ndcg@10", "code": "mrr"}
SPLITS = {"beir/trecqa": "dev", "multihop/hotpotqa-100": "dev", "multihop/musique-100": "dev"}
PASSAGES = (0.0, 0.5)
"""Shares of the best passage in the dense score."""
QUERIES = 500
"""Of the sets made here: enough to tell weights apart by a tenth."""


class Grid:
    """An index that searches by every normalisation and weight at once."""

    def __init__(self, index: HybridIndex) -> None:
        self._index = index

    def scores(self, queries: Sequence[str]) -> Mapping[str, FloatArray]:
        """Scores under `normalisation weight`."""
        found = self._index.scores(queries)
        return {
            _key(name, weight): fuse(
                found[DENSE], found[LEXICAL], dense_weight=weight, normalize=normalize
            )
            for name, normalize in NORMALIZERS.items()
            for weight in WEIGHTS
        }


def main() -> None:
    """Fit, write, print what is best."""
    options = _options()
    encoder = load_encoder(options.encoder)
    kinds = {"text": text_sets(options.data), "code": [code_set()]}
    report: dict[str, Any] = {
        "command": "scripts/fit_fusion.py",
        "encoder": encoder.name,
        "commit": current_commit(),
        "machine": describe_machine(),
        "sets": {
            kind: {it.name: {"n": len(it.queries), "documents": len(it.documents)} for it in sets}
            for kind, sets in kinds.items()
        },
        "metrics": METRICS,
        "ours": {
            kind: fit_passages(encoder, our_words(KINDS[kind]), sets, kind)
            for kind, sets in kinds.items()
        },
    }
    if options.public:
        public = PublicEncoder()
        report["public"] = {
            kind: fit(public, public_words(KINDS[kind]), sets, kind) for kind, sets in kinds.items()
        }
    elif options.out.exists():
        # Another encoder of ours leaves the comparator's weights as they were.
        before = json.loads(options.out.read_text(encoding="utf-8"))
        report |= {"public": before["public"]} if "public" in before else {}
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for side in ("ours", "public"):
        for kind, fitted in report.get(side, {}).items():
            print(side, kind, json.dumps(fitted["best"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with `eval` and `train`")
    parser.add_argument("--encoder", type=Path, help="the encoder's folder; else the shipped one")
    parser.add_argument("--public", action="store_true", help="fit the comparator too: minutes")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def text_sets(data: Path) -> list[SearchSet]:
    """Development sets of questions on text."""
    squad = read_rows(data / "train" / "qa" / "squad2_dev.jsonl.xz")
    pairs = [(qa["q"], row["context"]) for row in squad for qa in row["qas"] if qa["answerable"]]
    made = set_of_pairs("squad2_dev", pairs)
    return [*(read_search_set(data / "eval" / at, split) for at, split in SPLITS.items()), made]


def code_set() -> SearchSet:
    """Docstrings of held-out packages, each of which is to find its function."""
    folders = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    pairs = find_code_pairs(sorted(folders))
    kept = [(it.query, it.code) for it in pairs if it.package in HELD_OUT_PACKAGES]
    return set_of_pairs("installed packages", kept)


def set_of_pairs(name: str, pairs: Iterable[tuple[str, str]]) -> SearchSet:
    """A set of texts that each find their document; some of the queries, all of the documents."""
    ordered = sorted(set(pairs), key=lambda pair: by_hash(pair[0]))
    documents = sorted({document for _, document in ordered}, key=by_hash)
    ids = {document: f"d{at:06}" for at, document in enumerate(documents)}
    chosen = {f"q{at:06}": pair for at, pair in enumerate(ordered[:QUERIES])}
    return SearchSet(
        name=name,
        split="dev",
        document_ids=tuple(ids.values()),
        documents=tuple(documents),
        queries={query: text for query, (text, _) in chosen.items()},
        qrels={query: {ids[document]: 1} for query, (_, document) in chosen.items()},
    )


def fit_passages(
    model: Embeds, words: WordSearch, sets: Sequence[SearchSet], kind: str
) -> dict[str, Any]:
    """The fit with the best share of passages, and what the other shares would score."""
    fits = {share: fit(model, words, sets, kind, passages=share) for share in PASSAGES}
    scores = {share: found["best"]["z-score"][METRICS[kind]] for share, found in fits.items()}
    chosen = max(PASSAGES, key=lambda share: scores[share])
    return {"passages": chosen, "by_passages": scores, **fits[chosen]}


def fit(
    model: Embeds,
    words: WordSearch,
    sets: Sequence[SearchSet],
    kind: str,
    *,
    passages: float = 0.0,
) -> dict[str, Any]:
    """The mean of the metric over the sets for every normalisation and weight, and the best."""
    scored = []
    for searched in sets:
        index = HybridIndex(model, searched, words, dense_weight=0.5, passages=passages)
        scored.append(score_search_set(Grid(index), searched))
        print(kind, searched.name, "done", flush=True)
    metric = METRICS[kind]
    table = {
        name: {
            str(weight): round(statistics.fmean(it[_key(name, weight)][metric] for it in scored), 4)
            for weight in WEIGHTS
        }
        for name in NORMALIZERS
    }
    best = {name: max(row, key=lambda weight: row[weight]) for name, row in table.items()}
    return {
        "best": {
            name: {"weight": float(weight), metric: table[name][weight]}
            for name, weight in best.items()
        },
        "table": table,
    }


def _key(name: str, weight: float) -> str:
    return f"{name} {weight}"


if __name__ == "__main__":
    main()
