"""Sentences as rows of words: cut for tagging, laid side by side, and decoded by Viterbi.

Shapes: N words, L places of a row, S sentences, K tags.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MAX_SENTENCE_WORDS = 160
"""A longer run without an end is cut: tables and lists, not sentences."""
_SENTENCE_ENDS = frozenset(".!?…")
_CLOSERS = frozenset("\"”’')]")

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def layout(
    sentences: Sequence[Sequence[int]], boundary: int
) -> tuple[Ints, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Lay sentences in one row, two boundaries before, between and after.

    Returns:
        The row (L,), which places hold words, and which of those open a sentence.
    """
    row = [boundary, boundary]
    word_flags = [False, False]
    first_flags = [False, False]
    for words in sentences:
        row += [*words, boundary, boundary]
        word_flags += [True] * len(words) + [False, False]
        first_flags += [k == 0 for k in range(len(words))] + [False, False]
    return np.array(row, np.int64), np.array(word_flags), np.array(first_flags)


def split_for_tagging(text: str, spans: Sequence[tuple[int, int]]) -> list[list[str]]:
    """Words by rough sentence: cut at line breaks, after full stops, and where a run grows too long."""
    sentences: list[list[str]] = []
    current: list[str] = []
    ended = False
    previous_end = 0
    for start, end in spans:
        word = text[start:end]
        broken = "\n" in text[previous_end:start] or len(current) >= MAX_SENTENCE_WORDS
        if current and (broken or (ended and word not in _CLOSERS and not word[0].islower())):
            sentences.append(current)
            current = []
        current.append(word)
        ended = word in _SENTENCE_ENDS or (ended and word in _CLOSERS)
        previous_end = end
    if current:
        sentences.append(current)
    return sentences


def viterbi(scores: Floats, lengths: Sequence[int], transitions: Floats) -> list[int]:
    """Best tag sequence of each sentence, concatenated.

    Args:
        scores: float32 (N, K), the sentences' words one after another.
        lengths: words of each sentence, none 0.
        transitions: float32 (K + 1, K), last row the start.
    """
    sizes = np.asarray(lengths)
    order = np.argsort(-sizes, kind="stable")  # longest first: those still running are a prefix
    starts = (np.cumsum(sizes) - sizes)[order]
    running = [int(np.count_nonzero(sizes > t)) for t in range(int(sizes.max()))]
    into = np.ascontiguousarray(transitions[:-1].T)  # (to, from)
    best = [scores[starts] + transitions[-1]]  # by place, (S, K): the best path that ends there so
    for t, active in enumerate(running[1:], start=1):
        paths = best[-1][:active, None, :] + into  # (S, to, from)
        best.append(paths.max(axis=2) + scores[starts[:active] + t])
    chosen = np.zeros(len(scores), np.int64)
    tags = np.zeros(len(sizes), np.int64)
    followed = 0  # sentences that have a word behind this place, whose tag is chosen
    for t, active in reversed(list(enumerate(running))):
        best[t][:followed] += into[tags[:followed]]
        tags[:active] = best[t].argmax(axis=1)
        chosen[starts[:active] + t] = tags[:active]
        followed = active
    return [int(tag) for tag in chosen]
