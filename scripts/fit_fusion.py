"""Fit how text and code are searched on development sets, and report what every weight would score.

    python scripts/fit_fusion.py --data DIR --topics DIR [--encoder DIR] [--public] [--out FILE]

Text: the development questions of TREC-QA, two sets of multi-hop questions, SQuAD's (a question
finds its paragraph), and topics that many documents are about (`topic_sets.py` makes them). Code:
docstrings and functions of installed packages that the encoder is not trained on. Nothing that an
evaluation reports is read. First the shares of passages, of pairs of words and of grams are chosen
together, then the weight of the vectors and the form of the fusion.
With --public the weight and the form are fitted for BM25 and the public encoder too, so that the
comparison is fair.
"""

import argparse
import itertools
import json
import statistics
import sysconfig
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from model.baseline import PublicEncoder
from model.checkpoint import current_commit
from model.code_pairs import HELD_OUT_PACKAGES, find_code_pairs
from model.embed import load_encoder
from model.evaluate_search import (
    CODE,
    DENSE,
    ONE_VECTOR,
    TEXT,
    HybridIndex,
    WordSearch,
    our_words,
    public_words,
    score_search_set,
)
from model.fusion import NORMALIZERS, fuse
from model.lexical import WordWeights, add_up
from model.protocols import Embeds, FloatArray
from model.search_sets import SearchSet, read_search_set, read_search_sets
from model.texts import by_hash, read_rows
from model.timing import describe_machine

OUT = Path(__file__).resolve().parent / "reports" / "fusion.json"
WEIGHTS = tuple(step / 10 for step in range(11))
KINDS = {"text": TEXT, "code": CODE}
METRICS = {"text": "ndcg@10", "code": "mrr"}
SPLITS = {"beir/trecqa": "dev", "multihop/hotpotqa-100": "dev", "multihop/musique-100": "dev"}
PASSAGES = (0.0, 0.5)
"""Shares of the best passage in the dense score."""
PAIR_WEIGHTS = (0.0, 0.2)
"""Weights of pairs of words in the lexical score."""
GRAM_WEIGHTS = (0.0, 0.05, 0.1)
"""Weights of grams in the lexical score."""
LIKELY_WEIGHTS = (0.4, 0.5, 0.6)
"""Weights of the vectors among which the shares above are compared."""
FIRST_FORM = "z-score"
TIED = 0.001
"""Means nearer than this are one: the last question of a set can decide between them."""
QUERIES = 500
"""Of the sets made here: enough to tell weights apart by a tenth."""


@dataclass(frozen=True, slots=True)
class Search:
    """One way to search."""

    passages: float = 0.0
    pairs: float = 0.0
    grams: float = 0.0
    form: str = FIRST_FORM
    """Name of a normalisation."""
    weight: float = 0.5
    """Of the vectors."""

    @property
    def name(self) -> str:
        """Tells it from all others."""
        return " ".join(map(str, astuple(self)))


class Grid:
    """An index that searches in many ways at once."""

    def __init__(
        self, index: HybridIndex, weights: WordWeights, searches: Iterable[Search]
    ) -> None:
        self._index, self._weights, self._searches = index, weights, tuple(searches)

    def scores(self, queries: Sequence[str]) -> Mapping[str, FloatArray]:
        """Scores under the name of each way to search."""
        found, parts = self._index.scores(queries), self._index.words.parts(queries)
        dense = {0.0: found.get(ONE_VECTOR, found[DENSE]), max(PASSAGES): found[DENSE]}
        return {
            search.name: fuse(
                dense[search.passages],
                add_up(parts, replace(self._weights, pairs=search.pairs, grams=search.grams)),
                dense_weight=search.weight,
                normalize=NORMALIZERS[search.form],
            )
            for search in self._searches
        }


def main() -> None:
    """Fit, write, print what is best."""
    options = _options()
    encoder = load_encoder(options.encoder)
    kinds = {"text": text_sets(options.data, options.topics), "code": [code_set()]}
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
            kind: fit(
                encoder, _with_everything(our_words(KINDS[kind])), sets, kind, has_shares=True
            )
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
            print(side, kind, json.dumps(fitted["shares"]), json.dumps(fitted["best"]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with `eval` and `train`")
    parser.add_argument("--topics", type=Path, required=True, help="folder of search sets")
    parser.add_argument("--encoder", type=Path, help="the encoder's folder; else the shipped one")
    parser.add_argument("--public", action="store_true", help="fit the comparator too: minutes")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def text_sets(data: Path, topics: Path) -> list[SearchSet]:
    """Development sets of questions on text, and of topics."""
    squad = read_rows(data / "train" / "qa" / "squad2_dev.jsonl.xz")
    pairs = [(qa["q"], row["context"]) for row in squad for qa in row["qas"] if qa["answerable"]]
    made = set_of_pairs("squad2_dev", pairs)
    questions = [read_search_set(data / "eval" / at, split) for at, split in SPLITS.items()]
    return [*questions, made, *read_search_sets(topics)]


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


def _with_everything(words: WordSearch) -> WordSearch:
    return replace(words, weights=replace(words.weights, pairs=1.0, grams=1.0))


def fit(
    model: Embeds,
    words: WordSearch,
    sets: Sequence[SearchSet],
    kind: str,
    *,
    has_shares: bool = False,
) -> dict[str, Any]:
    """The best shares; and for every form and weight the mean of the metric over the sets."""
    passages = max(PASSAGES) if has_shares else 0.0
    indexes = [
        HybridIndex(model, searched, words, dense_weight=0.5, passages=passages)
        for searched in sets
    ]
    metric = METRICS[kind]

    def means(searches: Sequence[Search]) -> dict[Search, float]:
        scored = [
            score_search_set(Grid(index, words.weights, searches), searched)
            for index, searched in zip(indexes, sets, strict=True)
        ]
        print(kind, len(searches), "ways to search compared", flush=True)
        return {
            it: round(statistics.fmean(each[it.name][metric] for each in scored), 4)
            for it in searches
        }

    shares, report = Search(), {}
    if has_shares:
        shares, by_shares = fit_shares(means)
        report["by_shares"] = by_shares
    ways = {
        form: [replace(shares, form=form, weight=weight) for weight in WEIGHTS]
        for form in NORMALIZERS
    }
    found = means(list(itertools.chain.from_iterable(ways.values())))
    best = {form: choose(row, found) for form, row in ways.items()}
    return {
        "shares": _shares(shares),
        "best": {form: {"weight": it.weight, metric: found[it]} for form, it in best.items()},
        "table": {form: {str(it.weight): found[it] for it in row} for form, row in ways.items()},
        **report,
    }


def choose(ways: Sequence[Search], found: Mapping[Search, float]) -> Search:
    """Of the ways that cannot be told from the best the one whose weight is nearest to a half."""
    highest = max(found[way] for way in ways)
    tied = [way for way in ways if found[way] >= highest - TIED]
    return min(tied, key=lambda way: (abs(way.weight - 0.5), -found[way]))


def fit_shares(
    means: Callable[[Sequence[Search]], Mapping[Search, float]],
) -> tuple[Search, list[dict[str, float]]]:
    """The best of all shares at their best likely weight, and what each would score."""
    ways = [
        Search(*shares, weight=weight)
        for shares in itertools.product(PASSAGES, PAIR_WEIGHTS, GRAM_WEIGHTS)
        for weight in LIKELY_WEIGHTS
    ]
    found = means(ways)
    best: dict[tuple[float, ...], Search] = {}
    for way in ways:
        at = tuple(_shares(way).values())
        if at not in best or found[way] > found[best[at]]:
            best[at] = way
    chosen = max(best.values(), key=lambda way: found[way])
    return chosen, [{**_shares(way), "score": found[way]} for way in best.values()]


def _shares(search: Search) -> dict[str, float]:
    return {"passages": search.passages, "pairs": search.pairs, "grams": search.grams}


if __name__ == "__main__":
    main()
