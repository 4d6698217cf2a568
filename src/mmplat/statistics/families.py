"""Several comparisons at once: p-values that hold for the whole family that was looked at.

A family is stated by whoever compares (all methods against naive on one suite, all groups of one comparison); it is never
guessed, because leaving comparisons out afterwards makes any difference significant.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: below .05, the chance of a single false finding in the whole family is below .05."""
    order, ascending = _ascending(p_values)
    stepped = ascending * np.arange(len(ascending), 0, -1)
    return _in_order(np.minimum(1, np.maximum.accumulate(stepped)), order)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: among those below .05, one in twenty findings is false on average."""
    order, ascending = _ascending(p_values)
    stepped = ascending * len(ascending) / np.arange(1, len(ascending) + 1)
    return _in_order(np.minimum(1, np.minimum.accumulate(stepped[::-1])[::-1]), order)


def _ascending(p_values: Sequence[float]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    return order, values[order]


def _in_order(adjusted: NDArray[np.float64], order: NDArray[np.intp]) -> list[float]:
    found = np.empty_like(adjusted)
    found[order] = adjusted
    return [float(value) for value in found]
