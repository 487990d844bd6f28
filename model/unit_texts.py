"""Texts as units and units as rows of the table: what training reads and what embedding looks up.

Shapes: N texts, U units, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class UnitTexts:
    """Texts as units, units as rows."""

    rows: npt.NDArray[np.int32]
    """int32 (F,)"""
    unit_offsets: Offsets
    """int64 (U + 1,), the first row of each unit."""
    text_offsets: Offsets
    """int64 (N + 1,), the first unit of each text."""

    def __len__(self) -> int:
        return len(self.text_offsets) - 1

    def take(self, texts: Offsets) -> UnitTexts:
        """Some of the texts, in the order asked for."""
        units, text_offsets = _ranges(self.text_offsets, texts)
        rows, unit_offsets = _ranges(self.unit_offsets, units)
        return UnitTexts(self.rows[rows], unit_offsets, text_offsets)


def _ranges(offsets: Offsets, chosen: Offsets) -> tuple[Offsets, Offsets]:
    """What the chosen stretches hold, one after the other, and where each begins."""
    counts = offsets[chosen + 1] - offsets[chosen]
    ends = np.cumsum(counts)
    members = np.arange(counts.sum()) + np.repeat(offsets[chosen] - ends + counts, counts)
    return members, np.concatenate(([0], ends))


def run_offsets(numbers: Offsets) -> Offsets:
    """Where each run of equal ascending numbers begins, and the end of the last."""
    return np.concatenate((np.flatnonzero(np.diff(numbers, prepend=-1)), [len(numbers)]))
