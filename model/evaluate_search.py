"""The `retrieval` and `codesearch` suites: a whole corpus ranked for every query.

Three ways to search: by vectors (`dense`), by words (`lexical`), and by both (`hybrid`). Dense
search hears a document's best passage beside the whole; `one_vector` is what the whole alone
would give. Text and code differ in their folders and weights alone. A set of `codesearch` holds `mrr` and `ndcg@10`
besides, which are those of its `hybrid`.

Shapes: Q queries, D documents.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from model import fusion
from model.baseline import PublicEncoder
from model.fusion import MINILM, OURS, Normalize, fuse
from model.lexical import EnglishTokens, LexicalIndex, Tokenize, WordTokens, WordWeights
from model.metrics import RECALL_AT, search_metrics
from model.passage_search import DocumentVectors
from model.protocols import Embeds, FloatArray, variants_of
from model.search_sets import SearchSet, is_search_folder, read_search_sets
from model.suite import Encode, Outcome, find_suite_folder, finite, mean_of

logger = logging.getLogger(__name__)

MAX_BLOCK_SCORES = 4_000_000
"""Scores held at once of each kind: memory is bounded however many queries there are."""
SCORE_DIGITS = 6
"""Equal documents get equal scores: a matrix product rounds by the place of a row."""
METRICS = ("ndcg@10", "recall@100", "mrr")
CODE_METRICS = ("mrr", "ndcg@10")
"""Of `hybrid`, also given directly under a set of code."""
DENSE, LEXICAL, HYBRID, ONE_VECTOR = "dense", "lexical", "hybrid", "one_vector"

Metrics = dict[str, float]


@dataclass(frozen=True, slots=True)
class SearchKind:
    """What tells text search from code search."""

    folder: str
    ours: float
    """Weight of our vectors in the fusion."""
    words: WordWeights
    """The best on development sets; a step to either side costs less than 0.005."""
    public: float
    """Weight of the comparator's vectors in its own fusion."""
    public_words: WordWeights
    """The best of a grid on the evaluated sets themselves, in the comparator's favour."""
    passages: float = 0.0
    """Share of the best passage in our dense score; the rest is the whole document's."""
    has_identifiers: bool = False
    extra_metrics: tuple[str, ...] = ()
    """Of the hybrid search, given directly under the set."""


TEXT = SearchKind(
    "beir",
    ours=OURS.text,
    words=WordWeights(k1=0.9, b=0.75, pairs=0.2, grams=0.05),
    public=MINILM.text,
    public_words=WordWeights(k1=1.2, b=0.6),
    passages=0.5,
)
CODE = SearchKind(
    "codesearchnet",
    ours=OURS.code,
    words=WordWeights(k1=1.2, b=0.9, pairs=0.2, grams=0.05),
    public=MINILM.code,
    public_words=WordWeights(k1=1.5, b=0.9),
    has_identifiers=True,
    extra_metrics=CODE_METRICS,
)


class Index(Protocol):
    """Scores of a fixed list of documents."""

    def scores(self, queries: Sequence[str]) -> Mapping[str, FloatArray]:
        """Float32 (Q, D) under the name of each way to search."""
        ...


@dataclass(frozen=True, slots=True)
class WordSearch:
    """How words are searched."""

    tokenize: Tokenize
    weights: WordWeights

    def index(self, documents: Sequence[str]) -> LexicalIndex:
        """Count the tokens of all documents."""
        return LexicalIndex(documents, self.tokenize, self.weights)


def our_words(kind: SearchKind = TEXT) -> WordSearch:
    """Words as we search them."""
    return WordSearch(WordTokens(), kind.words)


def public_words(kind: SearchKind = TEXT) -> WordSearch:
    """BM25 as bm25s has it; in code it is shown the parts of identifiers, as is usual there."""
    tokens = EnglishTokens(splits_identifiers=kind.has_identifiers)
    return WordSearch(tokens, kind.public_words)


class HybridIndex:
    """Searches by vectors, by words, and by both."""

    def __init__(
        self,
        model: Embeds,
        searched: SearchSet,
        words: WordSearch,
        *,
        dense_weight: float,
        passages: float = 0.0,
        normalize: Normalize = fusion.z_scores,
    ) -> None:
        """Encode and count all documents of a set.

        Args:
            model: the encoder.
            searched: the set.
            words: how words are searched.
            dense_weight: of the vectors in the fusion.
            passages: share of the best passage in the dense score.
            normalize: how scores are brought to one scale.

        Raises:
            ModelError: a vector is not finite, or a library is not installed.
        """
        self._model = model
        self._name = searched.name
        self._dense_weight, self._normalize = dense_weight, normalize
        self._passages = passages
        self._vectors = DocumentVectors(
            model, searched.documents, name=searched.name, has_passages=passages > 0
        )
        self.words = words.index(searched.documents)

    def scores(self, queries: Sequence[str]) -> dict[str, FloatArray]:
        """Float32 (Q, D) of each way to search."""
        vectors = finite(self._model.embed(queries), self._name)
        whole = np.round(self._vectors.cosines(vectors), SCORE_DIGITS)
        lexical = self.words.scores(queries)
        found = {DENSE: whole, LEXICAL: lexical}
        if self._passages:
            best = np.round(self._vectors.best_passages(vectors), SCORE_DIGITS)
            mixed = (1 - self._passages) * whole + self._passages * best
            found |= {DENSE: mixed, ONE_VECTOR: whole}
        found[HYBRID] = fuse(
            found[DENSE], lexical, dense_weight=self._dense_weight, normalize=self._normalize
        )
        return found


def score_search_set(index: Index, searched: SearchSet) -> dict[str, Metrics]:
    """Metrics in [0, 1] of each way to search.

    Args:
        index: over the documents of the set, in their order.
        searched: the set.
    """
    ids = list(searched.queries)
    block = max(MAX_BLOCK_SCORES // len(searched.documents), 1)
    ranked: dict[str, dict[str, list[str]]] = {}
    for start in range(0, len(ids), block):
        names = ids[start : start + block]
        for kind, scores in index.scores([searched.queries[name] for name in names]).items():
            rows = ranked.setdefault(kind, {})
            for name, row in zip(names, scores, strict=True):
                rows[name] = _ranking(searched, row, searched.qrels[name])
    return {
        kind: {name: round(value, 4) for name, value in found.items()}
        for kind, found in (
            (kind, search_metrics(searched.qrels, rows)) for kind, rows in ranked.items()
        )
    }


def _ranking(
    searched: SearchSet, scores: npt.NDArray[np.float32], grades: Mapping[str, int]
) -> list[str]:
    """Ids of the best documents: as many as recall looks at, and on to the first relevant one.

    Equal scores are ranked by id. What is cut off would change no metric.
    """
    order = np.argsort(-scores, kind="stable")
    ids = searched.document_ids
    best = [ids[at] for at in order[:RECALL_AT]]
    if not any(grades.get(document, 0) > 0 for document in best):
        for at in order[RECALL_AT:]:
            best.append(ids[at])
            if grades.get(ids[at], 0) > 0:
                break
    return best


class SearchSuite:
    """All search sets of a folder."""

    timed_texts = 500

    def __init__(self, data: Path, kind: SearchKind) -> None:
        """Read them.

        Raises:
            DataError: there is none, or a file is missing or not of the layout.
        """
        self._kind = kind
        self._sets = read_search_sets(find_suite_folder(data, kind.folder, is_search_folder))
        self.texts = list(itertools.chain.from_iterable(it.texts for it in self._sets))

    def evaluate(self, model: Embeds) -> Outcome:
        """Search every set by an encoder, by our words, and by both."""
        words = our_words(self._kind)
        found = self._search(model, words, self._kind.ours, passages=self._kind.passages)
        means = {
            kind: mean_of((kinds[kind] for kinds in found.values()), METRICS, digits=4)
            for kind in next(iter(found.values()))
        }
        # New tokens each time: ours remember words, which would flatter them on the same texts.
        parts = {
            DENSE: self._encode(model),
            LEXICAL: lambda texts: our_words(self._kind).index(texts),
        }
        results = {
            "sets": {name: self._with_extras(kinds) for name, kinds in found.items()},
            "mean": self._with_extras(means),
        }
        for searched in self._sets:
            results["sets"][searched.name]["n"] = len(searched.queries)
        return Outcome(results, in_turn(parts), parts)

    def variants(self, model: Embeds) -> Mapping[str, Outcome]:
        """Score the other ways in which an encoder can be run."""
        return {name: self.evaluate(variant) for name, variant in variants_of(model).items()}

    def comparators(self) -> Mapping[str, Outcome]:
        """Score BM25 as it comes, the public encoder, and the two fused as ours are."""
        public, words = PublicEncoder(), public_words(self._kind)
        found = self._search(public, words, self._kind.public)
        parts = {LEXICAL: words.index, DENSE: public.embed}
        names = {LEXICAL: "BM25", DENSE: public.name, HYBRID: f"BM25 + {public.name}"}
        return {
            name: self._outcome(found, kind, parts.get(kind) or in_turn(parts))
            for kind, name in names.items()
        }

    def _encode(self, model: Embeds) -> Encode:
        """Everything that dense search encodes of a document."""

        def encode(texts: Sequence[str]) -> None:
            DocumentVectors(model, texts, name="", has_passages=self._kind.passages > 0)

        return encode

    def _search(
        self, model: Embeds, words: WordSearch, dense_weight: float, *, passages: float = 0.0
    ) -> dict[str, dict[str, Metrics]]:
        found = {}
        for searched in self._sets:
            index = HybridIndex(
                model, searched, words, dense_weight=dense_weight, passages=passages
            )
            found[searched.name] = score_search_set(index, searched)
            logger.info("set scored", extra={"set": searched.name, **found[searched.name]})
        return found

    def _with_extras(self, kinds: Mapping[str, Metrics]) -> dict[str, Any]:
        return {**kinds, **{name: kinds[HYBRID][name] for name in self._kind.extra_metrics}}

    def _outcome(
        self, found: Mapping[str, Mapping[str, Metrics]], kind: str, encode: Encode
    ) -> Outcome:
        sets = {
            searched.name: {**found[searched.name][kind], "n": len(searched.queries)}
            for searched in self._sets
        }
        return Outcome({"sets": sets, "mean": mean_of(sets.values(), METRICS, digits=4)}, encode)


def in_turn(parts: Mapping[str, Encode]) -> Encode:
    """All of the parts, one after the other."""

    def encode(texts: Sequence[str]) -> None:
        for part in parts.values():
            part(texts)

    return encode
