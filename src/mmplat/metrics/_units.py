"""Samples that are right or wrong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmplat.metrics.intervals import Floats
from mmplat.records import Sample


@dataclass(frozen=True, slots=True)
class Units:
    """The units of some samples that are complete: a pair of which one question has no answer is no pair."""

    order: NDArray[np.int64]
    """Rows that belong to a unit, unit by unit."""
    starts: NDArray[np.int64]
    """Where each unit starts in `order`."""

    def multiplied(self, values: Floats) -> Floats:
        """Products (sample, cell) over each unit, written at its first sample; 0 elsewhere."""
        found = np.zeros_like(values)
        if len(self.starts):
            found[self.order[self.starts]] = np.multiply.reduceat(values[self.order], self.starts, axis=0)
        return found


def units_of(samples: Sequence[Sample], whole: Sequence[Sample], column: str) -> Units:
    """Units by a group column; `whole` is the suite, of which some samples may have no answer."""
    rows: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        if column in sample.groups:
            rows.setdefault(sample.groups[column], []).append(row)
    sizes = Counter(sample.groups.get(column) for sample in whole)
    complete = [found for unit, found in rows.items() if len(found) == sizes[unit]]
    starts = np.cumsum([0, *(len(found) for found in complete)])[:-1]
    return Units(np.array([row for found in complete for row in found], np.int64), starts.astype(np.int64))
