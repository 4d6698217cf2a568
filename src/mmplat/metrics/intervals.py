"""Intervals of ratios of sums over clustered samples, for many cells at once.

Wilson's interval with the effective number of samples: the linearised variance of the ratio, computed between clusters (the
questions about one image are one cluster), says how many independent samples the data are worth. For independent 0/1 samples
that is Wilson's interval itself; it never leaves [0, 1] and does not collapse at 0 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Z95 = 1.959963984540054
ROUNDING = 1e-12
"""Standard errors below this part of a share are none: sums of equal probabilities differ by that."""


def cluster_sums(values: Floats, cluster: NDArray[np.int64], n_clusters: int) -> Floats:
    """Sums of each column of `values` (sample, cell) per cluster (cluster, cell)."""
    order = np.argsort(cluster, kind="stable")
    starts = np.searchsorted(cluster[order], np.arange(n_clusters))
    return np.asarray(np.add.reduceat(values[order], starts, axis=0))


def ratio_interval(numerator: Floats, denominator: Floats, *, n: int) -> tuple[Floats, Floats, Floats]:
    """(value, low, high) of Σ numerator / Σ denominator per column (cluster, cell); NaN where the denominator is 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = numerator.sum(axis=0) / denominator.sum(axis=0)
    low, high = wilson(value, worth_of(value, numerator, denominator, n=n))
    return value, low, high


def worth_of(value: Floats, numerator: Floats, denominator: Floats, *, n: int) -> Floats:
    """How many independent samples a ratio of sums per column (cluster, cell) is worth.

    Clusters with nothing below the line say nothing: a precision of one yes-answer is worth one, whatever else was asked.
    """
    clusters = (denominator > 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = ((numerator - value * denominator) ** 2).sum(axis=0)
        variance = spread / denominator.sum(axis=0) ** 2 * (clusters / np.maximum(clusters - 1, 1))
    return worth(value, variance, clusters, n)


Ratio = tuple[Floats, Floats]
"""Numerator and denominator (cluster, cell)."""


def sum_interval(groups: Sequence[Sequence[Ratio]], *, n: int) -> tuple[Floats, Floats, Floats]:
    """(value, low, high) per column of a sum of ratios over groups of clusters, each ratio in [0, 1].

    The linearised errors of all ratios are added up per cluster before they are squared: two ratios of the same answers
    (accuracy and accuracy+) err together. Each group is a stratum of its own, with its own number of clusters.
    """
    value, error, terms, apart = 0.0, 0.0, 0, 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        for ratios in groups:
            within: Any = 0.0
            for numerator, denominator in ratios:
                total = denominator.sum(axis=0)
                ratio = numerator.sum(axis=0) / total
                value, terms = value + ratio, terms + 1
                within = within + (numerator - ratio * denominator) / total
            clusters = int((ratios[0][1] > 0).any(axis=1).sum())
            error = error + within * np.sqrt(clusters / max(clusters - 1, 1))
            apart += 1 / max(clusters, 1)
        share, variance = np.asarray(value) / terms, (np.asarray(error) ** 2).sum(axis=0) / terms**2
    # Each group counts once: three clusters of one are not made up for by a hundred of another.
    low, high = wilson(share, worth(share, variance, round(len(groups) ** 2 / apart), n))
    return share * terms, low * terms, high * terms


def worth(share: Floats, variance: Floats, clusters: int | NDArray[np.int64], n: int) -> Floats:
    """How many independent samples a share with this variance is worth."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Clusters that are all alike say no more than that there are so many; rounding must not make them differ by 1e-17.
        effective = np.where(variance > (ROUNDING * share) ** 2, share * (1 - share) / variance, clusters)
    # At 0 and 1 no more than the samples themselves can be known.
    return np.where((share <= 0) | (share >= 1), np.minimum(clusters, n), effective)


def wilson(share: Floats, n: Floats, z: float = Z95) -> tuple[Floats, Floats]:
    """Wilson's score interval of a share observed on n samples (n may be effective, hence no whole number)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
