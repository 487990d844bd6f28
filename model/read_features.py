"""What a question's words and a passage's words are to each other: counted, not learned.

Every word of either side gets the same columns: whether it stands on the other side (as written, in other
letters, as a stem, by a similar vector), how much of the question is told by its sentence and around it,
what it looks like, and what the question asks for.

Shapes: Q words of the question, P of the passage, T = Q + P, S sentences, F columns.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.read_words import COMMON, LOOKS, FloatArray, TextWords, WordBook

ASKING = (
    ("who", "whom", "whose"),
    ("when",),
    ("where",),
    ("how many", "how much"),
    ("how",),
    ("why",),
    ("which",),
    ("what",),
)
"""Ways to ask; one more column stands for none of them."""
NEAR_WORDS = (3, 10)
FAR = 30.0
_COLUMNS = 20
FEATURES = _COLUMNS + len(LOOKS) + len(ASKING) + 1
_LEAST_COSINE, _COSINE_RANGE = 0.45, 0.45
_FOCUS_WORDS = 2
_MIN_WEIGHT = 1e-3


def pair_features(book: WordBook, question: TextWords, passage: TextWords) -> FloatArray:
    """Columns of all words, the question's first; float32 (T, F). Neither side is empty."""
    q, p = question.words, passage.words
    is_content = 1 - book.looks[q, COMMON]
    weight = book.rarity[q] * is_content + _MIN_WEIGHT  # (Q,)
    share = weight / weight.sum()
    lower = book.lowers[q][:, None] == book.lowers[p]  # (Q, P)
    stems = book.stems[q][:, None] == book.stems[p]
    cosine = book.vectors[q] @ book.vectors[p].T
    content_cosine = cosine * (is_content[:, None] * (1 - book.looks[p, COMMON]))
    soft = np.clip((content_cosine - _LEAST_COSINE) / _COSINE_RANGE, 0, 1)
    match = np.maximum(soft, stems * is_content[:, None])  # (Q, P)
    pairs = np.zeros_like(stems)
    both = stems[:-1, :-1] & stems[1:, 1:]
    pairs[:-1, :-1] |= both
    pairs[1:, 1:] |= both

    firsts = np.flatnonzero(np.diff(passage.sentences, prepend=-1))
    told = np.maximum.reduceat(match, firsts, axis=1)  # (Q, S)
    cover = share @ told  # (S,)
    best = int(cover.argmax())
    sentence = np.cumsum(np.diff(passage.sentences, prepend=passage.sentences[:1]) != 0)
    hits = (match * share[:, None]).max(axis=0)  # (P,)
    strong = hits > share.mean() / 2
    asked, focus = _what_is_asked(book, question)
    focus_cosine = book.vectors[p] @ focus

    columns = np.zeros((len(q) + len(p), FEATURES), np.float32)
    of_q, of_p = columns[: len(q)], columns[len(q) :]
    for at, table in enumerate((q[:, None] == p, lower, stems, match, cosine, pairs)):
        of_q[:, at] = table.max(axis=1)
        of_p[:, at] = table.max(axis=0)
    of_q[:, 6] = told[:, best]
    of_q[:, 7] = share * len(q) / 4
    of_q[:, 8] = is_content * (1 - match.max(axis=1))
    of_q[:, 9] = is_content * (1 - told[:, best]) * book.rarity[q]
    of_p[:, 6] = hits * 4
    of_p[:, 7] = cover[sentence]
    of_p[:, 8] = cover[sentence] / max(cover[best], _MIN_WEIGHT)
    of_p[:, 9] = sentence == best
    for at, width in enumerate(NEAR_WORDS, start=10):
        of_p[:, at] = _box(hits, width) - hits
    of_p[:, 12], of_p[:, 13] = _nearness(strong), _nearness(strong[::-1])[::-1]
    of_p[:, 14] = focus_cosine
    of_p[:, 15] = np.arange(len(p)) / max(len(p), 1)
    of_p[firsts, 16] = 1
    of_q[:, 17] = 1
    columns[:, 18] = book.rarity[np.concatenate((q, p))]
    columns[:, 19] = cover[best]
    columns[:, _COLUMNS : _COLUMNS + len(LOOKS)] = book.looks[np.concatenate((q, p))]
    columns[:, _COLUMNS + len(LOOKS) + asked] = 1
    return columns


def _what_is_asked(book: WordBook, question: TextWords) -> tuple[int, FloatArray]:
    """The way of asking, and the mean vector of the words it asks for ("which small *city*")."""
    words = [book.texts[number].lower() for number in question.words]
    pairs = [" ".join(pair) for pair in zip(words, [*words[1:], ""], strict=True)]
    found = [
        (place, way)
        for way, forms in enumerate(ASKING)
        for place, (word, pair) in enumerate(zip(words, pairs, strict=True))
        if word in forms or pair in forms
    ]
    if not found:
        return len(ASKING), np.zeros(book.dim, np.float32)
    place, way = min(found)
    later = question.words[place + 1 :]
    later = later[book.looks[later, COMMON] == 0][:_FOCUS_WORDS]
    if not len(later):
        return way, np.zeros(book.dim, np.float32)
    return way, np.asarray(book.vectors[later].mean(axis=0), np.float32)


def _box(values: FloatArray, width: int) -> FloatArray:
    """Sum over each place and so many places to either side."""
    sums = np.concatenate((np.zeros(1), np.cumsum(values))).astype(np.float64)
    places = np.arange(len(values))
    ends = np.minimum(places + width + 1, len(values))
    return np.asarray(sums[ends] - sums[np.maximum(places - width, 0)], np.float32)


def _nearness(marks: npt.NDArray[np.bool_]) -> FloatArray:
    """How near the last mark before each place is: one beside it, falling to nothing."""
    places = np.arange(len(marks))
    last = np.maximum.accumulate(np.where(marks, places, -int(FAR)))
    before = np.concatenate(([-FAR], last[:-1]))
    return np.asarray(np.exp((before - places + 1) / 4), np.float32)
