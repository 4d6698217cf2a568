"""Intervals of differences and of ratios that are measured on the same samples, with samples of one cluster dependent.

A metric is a ratio of two sums over samples (metrics/base.py). Its linearised errors per cluster are kept side by side for the
things that are compared, so what they share cancels. Columns are cells: everything is computed for many at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmplat.metrics import Answered, Metric
from mmplat.metrics.intervals import Z95, cluster_sums

Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats, Floats]
"""(value, low, high), per column."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Ratios of sums, and what each cluster adds to their error (cluster, cell)."""

    value: Floats  # (cell,)
    errors: Floats
    n: int
    """Samples."""
    below: Floats
    """What stands below the line: of a mean the samples, of a rate those that count (cell,)."""
    clusters: NDArray[np.int64]
    """How many of them have something below the line (cell,)."""

    @property
    def interval(self) -> Interval:
        """Normal approximation."""
        half = Z95 * np.sqrt((self.errors**2).sum(axis=0))
        return self.value, self.value - half, self.value + half

    def minus(self, other: Estimate) -> Interval:
        """The paired difference, normal approximation.

        The variance of one further sample that differs is added: without it, two runs that answer every sample alike would
        differ by exactly nothing, with an interval of no width. For independent samples this is near Agresti and Min's interval.
        """
        value = self.value - other.value
        with np.errstate(divide="ignore"):
            one_more = 1 / np.minimum(self.below, other.below) ** 2
        variance = ((self.errors - other.errors) ** 2).sum(axis=0) + one_more
        return value, value - Z95 * np.sqrt(variance), value + Z95 * np.sqrt(variance)


def estimate(numerator: Floats, denominator: Floats, cluster: NDArray[np.int64]) -> Estimate:
    """Σ numerator / Σ denominator of columns (sample, cell)."""
    sums = [_by_cluster(values, cluster) for values in (numerator, denominator)]
    total = sums[1].sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = sums[0].sum(axis=0) / total
        errors = (sums[0] - value * sums[1]) / total
    return Estimate(value, errors * _few(len(errors)), len(numerator), total, (sums[1] > 0).sum(axis=0))


def of_metric(answers: Answered, metric: Metric, cluster: NDArray[np.int64]) -> Estimate:
    """One metric of one cell."""
    numerator, denominator = metric.ratio(answers)
    return estimate(numerator[:, None], denominator[:, None], cluster)


def ratio(numerator: Floats, denominator: Floats, cluster: NDArray[np.int64]) -> Interval:
    """Σ numerator / Σ denominator where either sum may be negative or near 0: Fieller's interval.

    Where the denominator cannot be told from 0, every ratio fits the data: the bounds are NaN.
    """
    above, below = (_by_cluster(values, cluster) for values in (numerator, denominator))
    n, d = above.sum(axis=0), below.sum(axis=0)
    spread = Z95**2 * _few(len(above)) ** 2
    above, below = above - n / len(above), below - d / len(below)
    a = d**2 - spread * (below**2).sum(axis=0)
    b = n * d - spread * (above * below).sum(axis=0)
    c = n**2 - spread * (above**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.sqrt(np.maximum(b**2 - a * c, 0))
        low, high = ((b + sign * half) / a for sign in (-1, 1))
        return n / d, np.where(a > 0, low, np.nan), np.where(a > 0, high, np.nan)


def lowest_mean(values: Floats, cluster: NDArray[np.int64]) -> Floats:
    """Lower bound of the mean of columns (sample, cell)."""
    return estimate(values, np.ones_like(values), cluster).interval[1]


def _by_cluster(values: Floats, cluster: NDArray[np.int64]) -> Floats:
    _, codes = np.unique(cluster, return_inverse=True)
    return cluster_sums(values, codes, int(codes.max()) + 1)


def _few(clusters: int) -> float:
    """Few clusters vary less about their own mean than about the true one; one alone says nothing of how much they vary."""
    return float(np.sqrt(clusters / (clusters - 1))) if clusters > 1 else float("nan")
