"""Another sign that a level is sure of its block, to be measured against the length of the code that it predicts.

It is calibrated as the length is (`predict_sureness.py`), and it is not shipped.

Shapes: N codes, m characters of a block, V of the alphabet, D width of a level's codes.
"""

from __future__ import annotations

import numpy as np

from model.predict import Doubles, FloatArray, LanguageModel


class ByMargin(LanguageModel):
    """By how much the best character is likelier than the next best, at the place where that is least."""

    def signs(self, level: int, codes: FloatArray) -> Doubles:
        """Margins of the blocks that are read from codes (N, D), float64 (N,)."""
        if not level:
            return _margins(self.scores(codes))
        likenesses = [self.stored.blocks[level - 1].likenesses(code) for code in codes]  # (m, V)
        return np.array([_margins(each).min() for each in likenesses], np.float64)


def _margins(scores: FloatArray) -> Doubles:
    """Of the best of some scores (N, V) before the next best, float64 (N,)."""
    best = np.sort(scores, axis=1)[:, -2:].astype(np.float64)
    return np.asarray(best[:, 1] - best[:, 0])
