"""What an encoder is trained on: texts, the teacher's vectors and pairs, gathered from a data folder.

Gathering reads the whole data folder, which another machine, one with an accelerator perhaps, need
not have: a `Recipe` can be written to one file and read again there.

Shapes: N texts, M of them with a target, E the targets' width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.batches import Targets
from model.code_pairs import HELD_OUT_PACKAGES, find_code_pairs, installed_folders
from model.config import TrainConfig
from model.contamination import read_evaluation_texts
from model.data import SOURCES, TINY_SOURCES, Corpus, build_corpus
from model.evaluate_similarity import PairSet as SimilarityPairs
from model.evaluate_similarity import read_development_sets
from model.packed import read_packed, write_packed
from model.pairs import PairSet, build_pairs
from model.teacher import MiniLM, MiniLMPool, VectorCache, fill_cache
from model.texts import mixing_key
from model.vocabulary import common_words

PROJECTED_WIDTH = 96
PROJECTION = "random projection of words"
FILE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that training needs, but for the teacher's vectors."""

    texts: Sequence[str]
    """Those that the teacher is asked about, mixed."""
    pairs: PairSet
    facts: dict[str, Any]
    """What the checkpoint says of where it came from."""
    vocabulary: Sequence[str]
    development: Sequence[SimilarityPairs]


@dataclass(frozen=True, slots=True)
class Material:
    """Texts, targets and pairs, before anything is turned into rows."""

    texts: Sequence[str]
    """Those with a target first."""
    targets: Targets
    """float16 (M, E), unit length."""
    pairs: PairSet | None
    facts: dict[str, Any]
    """What the checkpoint says of where it came from."""
    vocabulary: Sequence[str] = ()
    """Words that own a row however seldom they occur."""
    development: Sequence[SimilarityPairs] = ()
    """Sets that say how many layers are worth keeping."""


def gather_recipe(data: Path, train: TrainConfig, *, more: Path | None = None) -> Recipe:
    """Read texts and pairs, and leave out what an evaluation set holds.

    Args:
        data: folder with `train/`, `realtimeqa/` and `eval/`.
        train: how much of each source, and of all of them, is taken.
        more: folder of further files, each a source.

    Raises:
        DataError: a source's files are missing or cannot be read.
    """
    evaluation = read_evaluation_texts(data)
    found = find_code_pairs(installed_folders())
    functions = [pair for pair in found if pair.package not in HELD_OUT_PACKAGES]
    words = common_words()
    corpus = build_corpus(
        data,
        SOURCES,
        functions=functions,
        words=words,
        evaluation=evaluation,
        more=more,
        limit_factor=train.limit_factor,
    ).first(train.max_texts)
    pairs = build_pairs(data, functions=functions, evaluation=evaluation)
    facts = {
        **_corpus_facts(corpus),
        "pairs": pairs.counts,
        "pairs_digest": pairs.digest,
        "pairs_removed": pairs.removed,
    }
    return Recipe(corpus.texts, pairs, facts, words, read_development_sets(data))


def with_targets(recipe: Recipe, cache: Path, *, device: str = "cpu") -> Material:
    """Ask the teacher about the texts whose vectors the cache does not hold.

    Raises:
        ModelError: the teacher is not installed.
    """
    vectors = VectorCache(cache / "teacher")
    if vectors.missing(recipe.texts):
        MiniLM()  # says so here, and not in every process, when it is not installed
        with MiniLMPool(device) as teacher:
            fill_cache(vectors, recipe.texts, teacher)
    targets, _ = vectors.load(recipe.texts)
    pairs, known = recipe.pairs, set(recipe.texts)
    others = dict.fromkeys((*pairs.anchors, *pairs.positives, *pairs.negatives))
    texts = [*recipe.texts, *(text for text in others if text and text not in known)]
    facts = {**recipe.facts, "teacher": MiniLM.name}
    return Material(
        texts,
        targets,
        pairs,
        facts,
        vocabulary=recipe.vocabulary,
        development=recipe.development,
    )


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe to one file, JSON under LZMA; similar texts lie together and cost little."""
    pairs = recipe.pairs
    sides = (pairs.anchors, pairs.positives, pairs.negatives)
    asked = set(recipe.texts)
    others = {text for side in sides for text in side} - asked
    texts = sorted(asked) + sorted(others)
    place = {text: at for at, text in enumerate(texts)}
    content = {
        "texts": texts,
        "asked": len(asked),
        "sides": [[place[text] for text in side] for side in sides],
        "sources": pairs.sources,
        "counts": pairs.counts,
        "removed": pairs.removed,
        "facts": recipe.facts,
        "vocabulary": recipe.vocabulary,
        "development": [asdict(pairs) for pairs in recipe.development],
    }
    write_packed(content, path, file_format=FILE_FORMAT)


def read_recipe(path: Path) -> Recipe:
    """Read what `write_recipe` wrote.

    Raises:
        DataError: the file is missing, damaged, or of another format.
    """
    return read_packed(path, _recipe_of, file_format=FILE_FORMAT)


def _recipe_of(content: dict[str, Any]) -> Recipe:
    texts = content["texts"]
    anchors, positives, negatives = (tuple(texts[at] for at in side) for side in content["sides"])
    pairs = PairSet(
        anchors,
        positives,
        negatives,
        sources=tuple(content["sources"]),
        counts=content["counts"],
        removed=content["removed"],
    )
    development = [
        SimilarityPairs(
            row["name"],
            tuple(row["first"]),
            tuple(row["second"]),
            tuple(row["scores"]),
            tuple(row["subsets"]),
        )
        for row in content["development"]
    ]
    mixed = sorted(texts[: content["asked"]], key=mixing_key)
    return Recipe(mixed, pairs, content["facts"], content["vocabulary"], development)


def gather(
    data: Path,
    train: TrainConfig,
    *,
    cache: Path,
    more: Path | None = None,
    device: str = "cpu",
) -> Material:
    """Read texts and pairs, and compute the teacher's vectors that are missing.

    Raises:
        ModelError: data or the teacher are missing.
    """
    return with_targets(gather_recipe(data, train, more=more), cache, device=device)


def tiny_material(data: Path, max_texts: int) -> Material:
    """A small part of the recipe, with `project_words` for a teacher.

    Raises:
        DataError: the source's files are missing or cannot be read.
    """
    corpus = build_corpus(data, TINY_SOURCES).first(max_texts)
    facts = {**_corpus_facts(corpus), "teacher": PROJECTION}
    return Material(corpus.texts, project_words(corpus.texts), None, facts)


def projected_material(texts: Sequence[str], pairs: PairSet | None = None) -> Material:
    """Given texts with `project_words` for a teacher."""
    facts = {**_corpus_facts(Corpus(tuple(texts), {"given": len(texts)}, 0)), "teacher": PROJECTION}
    return Material(texts, project_words(texts), pairs, facts)


def project_words(texts: Sequence[str]) -> Targets:
    """Unit vectors, float16 (N, E): the sum of a fixed random vector for each word of a text."""
    vectors = np.zeros((len(texts), PROJECTED_WIDTH), dtype=np.float32)
    for at, text in enumerate(texts):
        for word in {"", *text.lower().split()}:
            seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
            vectors[at] += np.random.default_rng(seed).standard_normal(PROJECTED_WIDTH)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float16)


def _corpus_facts(corpus: Corpus) -> dict[str, Any]:
    return {
        "contaminated_removed": corpus.contaminated,
        "data_digest": corpus.digest,
        "sources": corpus.counts,
        "texts": len(corpus.texts),
    }
