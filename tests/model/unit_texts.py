"""Odd texts, and units spelled out, for the tests of units and of features."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from model.characters import join_base_letters
from model.units import Spans, find_words

any_texts = st.lists(st.text(alphabet=st.characters(), max_size=40), max_size=5)


ODD_TEXTS = [
    "",
    "\n",
    " " * 100,
    "\n" * 100,
    "\x00\x00",
    "\ud800 lone \udfff",
    "\u05e9\u05dc\u05d5\u05dd \u200f\u202e olam",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \ufe0f",
    "e\u0301" * 40,
    "x" * 100,
    "\U0010ffff",
]


NO_ROWS = np.empty(0, dtype=np.uint32)


def spelled(points: np.ndarray, spans: Spans) -> list[str]:
    pairs = zip(spans.starts, spans.ends, strict=True)
    return ["".join(map(chr, points[start:end])) for start, end in pairs]


def words_of(text: str) -> list[str]:
    points, _ = join_base_letters([text])
    return spelled(points, find_words(points))
