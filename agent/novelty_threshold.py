"""The novelty suite's comparator: a sentence is dropped when the vector of a stored one is near.

Shapes: N sentences of the stream, D dimensions.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agent.novelty_rule import find_covering
from agent.novelty_scores import Contender, Ruled, Trials, first_scored
from kb import Embedder

THRESHOLDS = tuple(round(0.5 + 0.02 * step, 2) for step in range(25))

Vectors = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]


def cosine_threshold(trials: Trials, embedder: Embedder) -> tuple[Contender, float]:
    """The comparator, and its threshold: the one that tells redundant sentences best on the first third, by F1."""
    vectors = np.asarray(embedder.embed([ruled.quote for ruled in trials.stream]))
    places = _places(trials.stream)
    fitted = {article.id for article in trials.articles[: first_scored(trials)]}
    count = sum(ruled.article.id in fitted for ruled in trials.stream)
    redundant = np.asarray(
        [bool(found) for found in find_covering([one.said for one in trials.stream[:count]])]
    )
    nearest = [place for place in places if place[1] <= count]
    best = max(THRESHOLDS, key=lambda at: (_f1(~_keep(vectors, nearest, at), redundant), at))
    kept = _keep(vectors, places, best)
    stored = vectors[kept]

    def keeps(ruled: Ruled) -> bool:
        vector = np.asarray(embedder.embed([ruled.quote]))[0]
        return not len(stored) or float((stored @ vector).max()) < best

    return Contender(kept.tolist(), keeps), best


def _places(stream: Sequence[Ruled]) -> list[tuple[int, int]]:
    """Where the sentences of each article stand: first, and one past the last."""
    starts = [
        n for n, ruled in enumerate(stream) if not n or ruled.article.id != stream[n - 1].article.id
    ]
    return list(zip(starts, [*starts[1:], len(stream)], strict=True))


def _keep(vectors: Vectors, places: Sequence[tuple[int, int]], threshold: float) -> Flags:
    """Which sentences are kept, article by article: those that no kept one of an earlier article is near."""
    kept = np.zeros(places[-1][1] if places else 0, dtype=np.bool_)
    for start, end in places:
        stored = vectors[:start][kept[:start]]
        if len(stored):
            kept[start:end] = (vectors[start:end] @ stored.T).max(axis=1) < threshold
        else:
            kept[start:end] = True
    return kept


def _f1(dropped: Flags, redundant: Flags) -> float:
    hits = int((dropped & redundant).sum())
    return 2 * hits / max(int(dropped.sum()) + int(redundant.sum()), 1)
