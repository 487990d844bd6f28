"""Wrong texts that look right: near other positives by BM25.

A text that answers an anchor about as well as its own positive is likely to be right too, as with
two reports of one event; such texts are passed over by their score relative to the positive's.

Shapes: P pairs, N texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.extras import extra
from model.texts import letters_and_digits, text_key

NEAREST = 20
"""Best-ranked texts looked at."""
CHOICES = 4
"""Of those that are left, the first so many: one is drawn by hash."""
SAFE_SHARE = 0.8
"""Texts above this share of the positive's score are passed over. Judged by the teacher, a fifth
of the nearest headlines' bodies were as right as the positive without it, one in twenty with it."""


def find_hard_negatives(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """One hard negative for each pair of anchor and positive; empty where there is none.

    A text of the same letters and digits as the anchor or as its positive is none, nor is one that
    shares no word with the anchor.

    Raises:
        ModelError: the BM25 library is not installed.
    """
    with extra("evaluate"):
        import bm25s
    texts = sorted({positive for _, positive in pairs})
    if len(texts) <= CHOICES:
        return [""] * len(pairs)
    place = {text: at for at, text in enumerate(texts)}
    forms = [letters_and_digits(text) for text in texts]
    index = bm25s.BM25()
    index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
    queries = bm25s.tokenize([anchor for anchor, _ in pairs], return_ids=False, show_progress=False)
    negatives = []
    for (anchor, positive), words in zip(pairs, queries, strict=True):
        scores = index.get_scores(words) if words else np.zeros(len(texts))  # (N,)
        # The positive's twins count with it: their score is the same.
        scores[scores >= SAFE_SHARE * scores[place[positive]]] = 0
        nearest = np.argpartition(scores, -min(NEAREST, len(texts)))[-NEAREST:]
        ranked = sorted(
            (at for at in nearest.tolist() if scores[at] > 0), key=lambda at: -scores[at]
        )
        right = {letters_and_digits(anchor), letters_and_digits(positive)}
        wrong = [texts[at] for at in ranked if forms[at] not in right][:CHOICES]
        negatives.append(wrong[text_key(anchor) % len(wrong)] if wrong else "")
    return negatives
