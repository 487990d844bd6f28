"""Training text for the encoder: the selected texts, and which of them must not be used.

Texts are drawn by the order of their own hash, so the same folder always gives the same selection.
Evaluation texts are read only to remove what resembles them from the training text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from model.code_pairs import MAX_CODE_CHARS, CodePair
from model.contamination import EvaluationTexts, read_evaluation_texts
from model.passages import MAX_PASSAGE_CHARS
from model.sources import SOURCES, TINY_SOURCES, Kind, Source, more_sources
from model.texts import (
    by_hash,
    fold_blanks,
    letters_and_digits,
    mixing_key,
    read_rows,
    split_sentences,
    text_key,
    texts_digest,
    training_rows,
)
from model.variants import variants

__all__ = [
    "SOURCES",
    "TINY_SOURCES",
    "Corpus",
    "Kind",
    "Source",
    "batched",
    "build_corpus",
    "is_usable",
    "letters_and_digits",
    "read_rows",
    "split_sentences",
    "text_key",
]

MIN_CHARS = 2
MAX_CHARS = {Kind.SENTENCE: 300, Kind.PASSAGE: MAX_PASSAGE_CHARS, Kind.CODE: MAX_CODE_CHARS}
"""The longest text of each kind; longer ones are left out, not cut."""

_CHECKED_AT_ONCE = 16_384

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Corpus:
    """The selected training texts and how they came about."""

    texts: tuple[str, ...]
    counts: dict[str, int]
    """Texts taken from each source."""
    contaminated: int
    """Texts left out because an evaluation set holds them, or a part of them."""
    kinds: tuple[Kind, ...] = ()
    """The kind of each text; empty if nobody asked."""
    removed: dict[str, int] = field(default_factory=dict)
    """`contaminated` by source."""

    @property
    def digest(self) -> str:
        """Hash of the texts in order; two runs on equal digests saw the same data."""
        return texts_digest(self.texts)

    def first(self, count: int) -> Corpus:
        """The corpus cut to its first texts, as varied as the whole."""
        kinds = self.kinds[:count]
        return Corpus(self.texts[:count], self.counts, self.contaminated, kinds, self.removed)


def is_usable(text: str, kind: Kind = Kind.SENTENCE) -> bool:
    """Whether a text has a sensible length for training."""
    return MIN_CHARS <= len(text) <= MAX_CHARS[kind]


def build_corpus(
    data: Path,
    sources: tuple[Source, ...] = SOURCES,
    *,
    functions: Sequence[CodePair] = (),
    words: Sequence[str] = (),
    evaluation: EvaluationTexts | None = None,
    more: Path | None = None,
    limit_factor: int = 1,
) -> Corpus:
    """Select the training texts, mixed by hash so that every prefix is as varied as the whole.

    Args:
        data: folder with `train/`, `realtimeqa/` and (for the contamination check) `eval/`.
        sources: the recipe.
        functions: code whose functions and descriptions are texts too.
        words: single words that are texts too.
        evaluation: what to keep out, if it was read already.
        more: folder of further files, each a source.
        limit_factor: times the limits of the recipe's sources.

    Raises:
        DataError: a source's files, or the evaluation texts to keep out, are missing.
    """
    selection = _Selection(evaluation or read_evaluation_texts(data))
    recipe = [(data, source) for source in sources]
    recipe += [(more, source) for source in more_sources(more)] if more is not None else []
    for folder, source in recipe:
        rows = training_rows(folder, source.files)
        texts = {fold_blanks(text) for row in rows for text in source.texts(row)}
        taken = selection.take(source.name, texts, source.kind, limit_factor * source.limit)
        if source.variants:
            changed = set(variants(taken, per_sentence=source.variants))
            selection.take(f"{source.name}, changed", changed, source.kind, len(changed))
    if functions:
        docs, code = {pair.query for pair in functions}, {pair.code for pair in functions}
        selection.take("descriptions of code", docs, Kind.SENTENCE, len(docs))
        selection.take("code", code, Kind.CODE, len(code))
    if words:
        selection.take("vocabulary", set(words), Kind.SENTENCE, len(words))
    return selection.corpus()


class _Selection:
    """Texts taken so far, each form once and none that an evaluation set holds."""

    def __init__(self, evaluation: EvaluationTexts) -> None:
        self._evaluation = evaluation
        self._forms: set[str] = set()
        self._chosen: list[tuple[str, Kind]] = []
        self._counts: dict[str, int] = {}
        self._removed: dict[str, int] = {}

    def take(self, name: str, texts: set[str], kind: Kind, limit: int) -> list[str]:
        """Take up to `limit` new texts; returns those taken."""
        # By hash, not by place in the file: a limited source is a sample of all its rows.
        ordered = sorted((text for text in texts if is_usable(text, kind)), key=by_hash)
        taken: list[str] = []
        removed = 0
        for text, is_seen in _checked(ordered, self._evaluation):
            if len(taken) == limit:
                break
            form = letters_and_digits(text)
            if not form or form in self._forms:
                continue
            if is_seen:
                removed += 1
                continue
            self._forms.add(form)
            taken.append(text)
        self._chosen.extend((text, kind) for text in taken)
        self._counts[name] = len(taken)
        self._removed[name] = removed
        return taken

    def corpus(self) -> Corpus:
        """All that was taken, mixed."""
        mixed = sorted(self._chosen, key=lambda pair: mixing_key(pair[0]))
        return Corpus(
            texts=tuple(text for text, _ in mixed),
            counts=self._counts,
            contaminated=sum(self._removed.values()),
            kinds=tuple(kind for _, kind in mixed),
            removed=self._removed,
        )


def _checked(texts: Iterable[str], evaluation: EvaluationTexts) -> Iterator[tuple[str, bool]]:
    # In batches, because a source that reaches its limit early need not be checked to its end.
    for batch in batched(texts, _CHECKED_AT_ONCE):
        yield from zip(batch, evaluation.contain(batch).tolist(), strict=True)


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """Consecutive batches of at most `size` items."""
    iterator = iter(items)
    while batch := tuple(itertools.islice(iterator, size)):
        yield batch
