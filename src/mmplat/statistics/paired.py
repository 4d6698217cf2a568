"""Two runs on the same samples: how large the difference is, and whether chance alone would make it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DRAWS = 10_000
"""Resamples: a p-value of .05 is then known to ± .004, the ends of an interval to a fiftieth of its width."""
AT_ONCE = 4_000_000
"""Numbers held at a time while resampling: 32 MB, whatever the number of samples."""
IN_CACHE = 100_000
"""Numbers that a core's cache holds: resamples are counted in such portions, in half the time."""
EXACT_UP_TO = 13
"""Clusters that differ, up to which every assignment of signs is looked at (8,192) instead of a draw of them."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Differences of two runs on the same samples, added up per cluster."""

    difference: Floats
    """Σ (second − first) of each cluster."""
    size: Floats
    """Samples of each cluster."""

    @classmethod
    def of(cls, first: ArrayLike, second: ArrayLike, cluster: ArrayLike) -> Paired:
        """From one score per sample, in [0, 1], of each run, and the cluster of each sample."""
        difference = np.asarray(second, np.float64) - np.asarray(first, np.float64)
        _, codes = np.unique(np.asarray(cluster), return_inverse=True)
        sums, sizes = np.bincount(codes, difference), np.bincount(codes)
        return cls(np.asarray(sums, np.float64), np.asarray(sizes, np.float64))

    @property
    def mean(self) -> float:
        return float(self.difference.sum() / self.size.sum())


def design_effect(first: ArrayLike, second: ArrayLike, cluster: ArrayLike) -> float:
    """How many samples are worth one independent one: the variance of the difference between clusters, over that between
    samples. NaN where the two runs never differ."""
    each = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    pairs = Paired.of(first, second, cluster)
    between = ((pairs.difference - pairs.mean * pairs.size) ** 2).sum()
    within = ((each - each.mean()) ** 2).sum()
    return float(between / within) if within > 0 else float("nan")


def mcnemar(fixed: int, broken: int) -> float:
    """Two-sided exact p-value of McNemar's test: under no difference, a sample that changes is as likely fixed as broken.

    It takes samples as independent; where several ask about one image, `sign_flip_test` is the honest one.
    """
    changed = fixed + broken
    term = tail = 1
    for k in range(min(fixed, broken)):  # whole numbers throughout: no rounding before the last division
        term = term * (changed - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / 2**changed)


def paired_bootstrap(pairs: Paired, *, seed: int = 0, draws: int = DRAWS, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the mean difference: clusters are drawn with replacement, each with all its samples.

    NaN for a single cluster, which says nothing about others.
    """
    if len(pairs.size) < 2:
        return np.nan, np.nan
    columns = np.stack([pairs.difference, pairs.size], axis=1)
    drawn = np.concatenate([counts @ columns for counts in resamples(len(columns), seed=seed, draws=draws)])
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def resamples(clusters: int, *, seed: int, draws: int) -> Iterator[Floats]:
    """How often each cluster occurs in each resample (resample, cluster), some resamples at a time."""
    random = np.random.default_rng(seed)
    for rows in _chunks(draws, clusters, IN_CACHE):
        chosen = random.integers(0, clusters, (rows, clusters)) + np.arange(rows)[:, None] * clusters
        yield np.bincount(chosen.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(np.float64)


def sign_flip_test(pairs: Paired, *, seed: int = 0, draws: int = DRAWS) -> float:
    """Two-sided p-value of no difference: exchanging the two runs changes the sign of a cluster's difference.

    All assignments of signs are looked at where there are few; else the observed one counts among the drawn ones, so that a
    p-value is never 0 and never too small.
    """
    differences = pairs.difference[pairs.difference != 0]  # what does not differ looks alike with either sign
    if len(differences) <= EXACT_UP_TO:
        every = np.arange(2 ** len(differences))[:, None] >> np.arange(len(differences)) & 1
        return float(_as_extreme(differences, every).mean())
    random = np.random.default_rng(seed)
    extreme = sum(
        int(_as_extreme(differences, random.integers(0, 2, (rows, len(differences)), np.int8)).sum())
        for rows in _chunks(draws, len(differences))
    )
    return (1 + extreme) / (1 + draws)


def _as_extreme(differences: Floats, bits: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Which assignments of signs (assignment, cluster) make a sum at least as large as the observed one."""
    observed, rounding = abs(differences.sum()), 1e-9 * np.abs(differences).sum()
    return np.abs((1.0 - 2.0 * bits) @ differences) >= observed - rounding


def _chunks(draws: int, width: int, numbers: int = AT_ONCE) -> Iterator[int]:
    rows = max(1, numbers // max(width, 1))
    for start in range(0, draws, rows):
        yield min(rows, draws - start)
