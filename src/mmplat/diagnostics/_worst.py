"""The lowest of several accuracies that were measured on the same samples, compared between methods by resampling.

A minimum of noisy numbers is biased low, for all methods alike, and which condition is the lowest is chance too: so the minimum is
taken anew in every resample of the clusters.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mmplat.metrics.intervals import cluster_sums
from mmplat.statistics.paired import DRAWS, resamples

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Intervals = list[tuple[float, float, float]]


def worst_over_first(
    right: Mask, changed: Mask, cluster: NDArray[np.int64], *, seed: int = 0, draws: int = DRAWS
) -> tuple[Intervals, Intervals]:
    """From (method, condition, sample): accuracy in a method's worst condition minus that of the first method in its own worst, and
    the same for the share of changed answers there; (value, low, high) of each further method. Bounds are NaN for one cluster."""
    sums = _cluster_sums(right, changed, cluster)
    observed = _over_first(sums.sum(axis=0)[None], right.shape[:2])
    if len(sums) < 2:
        drawn = np.full((2, 1, len(right) - 1), np.nan)
    else:
        drawn = np.concatenate(list(_drawn(sums, right.shape[:2], seed, draws)), axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    accuracy, flips = (
        [(float(v), float(a), float(b)) for v, a, b in zip(observed[which, 0], low[which], high[which], strict=True)]
        for which in (0, 1)
    )
    return accuracy, flips


def _cluster_sums(right: Mask, changed: Mask, cluster: NDArray[np.int64]) -> Floats:
    """Columns: right and changed of every (method, condition), then the size (cluster, column)."""
    n = right.shape[2]
    columns = [right.reshape(-1, n).T, changed.reshape(-1, n).T, np.ones((n, 1))]
    _, codes = np.unique(cluster, return_inverse=True)
    return cluster_sums(np.concatenate(columns, axis=1).astype(np.float64), codes, int(codes.max()) + 1)


def _drawn(sums: Floats, shape: tuple[int, ...], seed: int, draws: int) -> Iterator[Floats]:
    for counts in resamples(len(sums), seed=seed, draws=draws):
        yield _over_first(counts @ sums, shape)


def _over_first(totals: Floats, shape: tuple[int, ...]) -> Floats:
    """(draw, column) → (accuracy or flips, draw, further method)."""
    shares = (totals[:, :-1] / totals[:, -1:]).reshape(len(totals), 2, *shape)
    accuracy, flips = shares[:, 0], shares[:, 1]  # (draw, method, condition)
    lowest = accuracy.argmin(axis=2, keepdims=True)
    worst = np.stack([np.take_along_axis(values, lowest, axis=2)[..., 0] for values in (accuracy, flips)])
    return np.asarray(worst[:, :, 1:] - worst[:, :, :1])
