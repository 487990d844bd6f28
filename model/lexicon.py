"""Which features own a row: the frequent ones, counted over the training texts.

Units come first, most frequent first, so that a row number alone tells whether a unit is frequent
enough to be trusted. N-grams take the rest of the table; they are counted only where they will be
used, in units not trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from model.characters import Points, join_base_letters
from model.config import EncoderConfig
from model.contexts import ContextTable
from model.data import batched
from model.parallel import map_parts
from model.unit_texts import UnitTexts, run_offsets
from model.units import BUCKET_BITS, FeatureFinder, UnitRows

Buckets = npt.NDArray[np.int64]

BLOCK_TEXTS = 256
VOCABULARY_COUNT = 12
"""A listed word is preferred to an unlisted one that occurs about this often."""
UNIT_SHARE = 0.85
"""At most this share of the rows goes to units, words and pairs; the rest is for n-grams."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Buckets that own a row, row by row."""

    buckets: npt.NDArray[np.uint32]
    """uint32 (R,)"""
    trusted_rows: int
    """Rows of units that stand without their n-grams."""


def text_blocks(texts: Sequence[str], max_chars: int) -> Iterator[Points]:
    """Joined base letters of the texts, block by block, up to about `max_chars` in all."""
    chars = 0
    for block in batched(texts, 64 * BLOCK_TEXTS):
        points, _ = join_base_letters(block)
        yield points
        chars += len(points)
        if chars >= max_chars:
            return


def build_lexicon(
    texts: Sequence[str],
    config: EncoderConfig,
    contexts: ContextTable | None,
    *,
    vocabulary: Sequence[str] = (),
) -> Lexicon:
    """Count all features of the texts and give rows to the most frequent.

    Args:
        texts: all texts of the training.
        config: kinds of features, and how many own a row.
        contexts: for confident units.
        vocabulary: words counted `VOCABULARY_COUNT` times more than they occur.
    """
    first, *others = (kind for kind in config.kinds if kind != "gram")
    counts = _count_kinds((first,), texts, config, contexts)
    if vocabulary:
        known = _count_kinds((first,), vocabulary, config, contexts)
        counts += VOCABULARY_COUNT * np.minimum(known, 1)
    has_grams = "gram" in config.kinds
    room = int(config.max_rows * UNIT_SHARE) if has_grams else config.max_rows
    main = _frequent(counts, config.min_count, room)
    trusted = int((counts[main] >= config.trusted_count).sum())
    extra = np.zeros(1 << BUCKET_BITS, dtype=np.int64)
    for kind in others:
        both = _count_kinds((first, kind), texts, config, contexts)
        extra += both - _count_kinds((first,), texts, config, contexts)
    extra[main] = 0
    # Pairs and further units are luxuries: they need more evidence than a unit of the text.
    taken = np.concatenate((main, _frequent(extra, 5 * config.min_count, room - len(main))))
    if has_grams:
        grams = _count_grams(texts, config, contexts, Lexicon(taken.astype(np.uint32), trusted))
        grams[taken] = 0
        rest = _frequent(grams, config.min_count, config.max_rows - len(taken))
        taken = np.concatenate((taken, rest))
    return Lexicon(taken.astype(np.uint32), trusted)


def _count_kinds(
    kinds: tuple[str, ...],
    texts: Sequence[str],
    config: EncoderConfig,
    contexts: ContextTable | None,
) -> Buckets:
    finder = FeatureFinder(kinds, contexts, threshold=config.threshold)
    return _sum(map_parts(partial(_count_part, finder), texts))


def _count_part(finder: FeatureFinder, texts: Sequence[str]) -> Buckets:
    return _count(finder.find(block).buckets for block in batched(texts, BLOCK_TEXTS))


def _sum(parts: Iterable[Buckets]) -> Buckets:
    total = np.zeros(1 << BUCKET_BITS, dtype=np.int64)
    for part in parts:
        total += part
    return total


def _count(blocks: Iterable[Buckets]) -> Buckets:
    """How often each bucket occurs, int64 (2 ** BUCKET_BITS,)."""
    # Counting touches the whole table: many blocks are counted at once.
    return _sum(
        np.bincount(np.concatenate(several), minlength=1 << BUCKET_BITS)
        for several in batched(blocks, 64)
    )


def _frequent(counts: Buckets, min_count: int, limit: int) -> Buckets:
    """Buckets by falling count."""
    kept = np.flatnonzero(counts >= min_count)
    return kept[np.argsort(-counts[kept], kind="stable")][: max(limit, 0)]


def _count_grams(
    texts: Sequence[str], config: EncoderConfig, contexts: ContextTable | None, units: Lexicon
) -> npt.NDArray[np.int64]:
    kinds = (config.kinds[0], "gram")
    finder = FeatureFinder(kinds, contexts, threshold=config.threshold)
    return _sum(map_parts(partial(_count_grams_part, finder, units), texts))


def _count_grams_part(finder: FeatureFinder, units: Lexicon, texts: Sequence[str]) -> Buckets:
    is_trusted = np.zeros(1 << BUCKET_BITS, dtype=np.bool_)
    is_trusted[units.buckets[: units.trusted_rows]] = True

    def used() -> Iterator[Buckets]:
        for block in batched(texts, BLOCK_TEXTS):
            features = finder.find(block)
            is_free = ~is_trusted[features.buckets[features.parents]]
            yield features.buckets[(features.parents >= 0) & is_free]

    return _count(used())


def find_unit_texts(texts: Sequence[str], lookup: UnitRows) -> UnitTexts:
    """Units and rows of many texts."""
    rows, row_counts, unit_counts = zip(*map_parts(partial(_find_part, lookup), texts), strict=True)
    start = np.zeros(1, np.int64)
    return UnitTexts(
        np.concatenate(rows),
        np.cumsum(np.concatenate((start, *row_counts))),
        np.cumsum(np.concatenate((start, *unit_counts))),
    )


def _find_part(
    lookup: UnitRows, texts: Sequence[str]
) -> tuple[npt.NDArray[np.int32], Buckets, Buckets]:
    """Rows of all units, the rows of each unit, and the units of each text."""
    rows, row_counts, unit_counts = [], [], []
    for block in batched(texts, BLOCK_TEXTS):
        found, tokens, text_offsets = lookup.find_tokens(block)
        rows.append(found)
        row_counts.append(np.diff(run_offsets(tokens)))
        unit_counts.append(np.diff(text_offsets))
    return np.concatenate(rows), np.concatenate(row_counts), np.concatenate(unit_counts)
