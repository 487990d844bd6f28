"""Wrong texts that look right: the nearest other positives by BM25.

Shapes: P pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.errors import ModelError
from model.texts import letters_and_digits, text_key

CANDIDATES = 6
"""Best-ranked texts looked at; one of those that are left is drawn by hash."""


def find_hard_negatives(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """One hard negative for each pair of anchor and positive; empty where there is none.

    A text of the same letters and digits as the anchor or any of its positives is none.

    Raises:
        ModelError: the BM25 library is not installed.
    """
    try:
        import bm25s
    except ImportError as exc:
        raise ModelError("hard negatives need bm25s (extra `evaluate`)") from exc
    texts = sorted({positive for _, positive in pairs})
    if len(texts) <= CANDIDATES:
        return [""] * len(pairs)
    forms = [letters_and_digits(text) for text in texts]
    index = bm25s.BM25()
    index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
    queries = bm25s.tokenize([anchor for anchor, _ in pairs], show_progress=False)
    ranked, _ = index.retrieve(queries, k=CANDIDATES, show_progress=False)
    negatives = []
    for (anchor, positive), places in zip(pairs, ranked.tolist(), strict=True):
        right = {letters_and_digits(anchor), letters_and_digits(positive)}
        wrong = [texts[at] for at in places if forms[at] not in right]
        negatives.append(wrong[text_key(anchor) % len(wrong)] if wrong else "")
    return negatives
