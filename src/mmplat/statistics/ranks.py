"""Ranks with their uncertainty: the best of noisy numbers is rarely known to be the best, so a rank is a range.

Drawing clusters again and ranking each time would be too sure of itself where runs are nearly equal. Instead a run's rank lies
between 1 + those surely better and all − those surely worse, where "surely" holds for all its differences at once (Mogstad,
Romano, Shaikh and Wilhelm 2024): the critical value is a quantile of the largest studentised difference over paired resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmplat.statistics.paired import IN_CACHE, Floats, resamples

DRAWS = 1_000


def rank_ranges(
    sums: Floats,
    sizes: Floats,
    *,
    of: Sequence[int] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
    level: float = 0.95,
) -> list[tuple[int, int]]:
    """(best, worst) rank of each run of `sums` (cluster, run), each range holding by itself at `level`.

    `sums` adds up the scores of a cluster's samples, larger being better; `sizes` counts the samples, the same for all runs.
    `of` names the runs whose ranges are wanted, among all: the work grows with their number times that of all.
    """
    clusters, runs = sums.shape
    wanted = range(runs) if of is None else of
    if clusters < 2:
        return [(1, runs) for _ in wanted]
    means = sums.sum(axis=0) / sizes.sum()
    errors = (sums - means * sizes[:, None]) / sizes.sum()
    drawn = np.concatenate([counts @ errors for counts in resamples(clusters, seed=seed, draws=draws)])
    return [_range(run, means, errors, drawn, level) for run in wanted]


def _range(run: int, means: Floats, errors: Floats, drawn: Floats, level: float) -> tuple[int, int]:
    """One run against all others: `errors` is what each cluster adds to the error of the means, `drawn` the errors of the
    means in each resample."""
    lead = means[run] - means
    apart = errors[:, [run]] - errors
    spread = np.sqrt((apart**2).sum(axis=0) * len(errors) / (len(errors) - 1))
    other = spread > 1e-12  # runs that answer alike tie for sure
    if not other.any():
        return 1, len(means)
    sure = _critical(run, drawn, np.divide(1.0, spread, out=np.zeros_like(spread), where=other), level) * spread
    better, worse = (lead < -sure) & other, (lead > sure) & other
    return 1 + int(better.sum()), len(means) - int(worse.sum())


def _critical(run: int, drawn: Floats, weights: Floats, level: float) -> float:
    """The quantile over resamples of the largest difference between this run and another, each times its weight."""
    largest = np.empty(len(drawn))
    rows = max(1, IN_CACHE // drawn.shape[1])
    for start in range(0, len(drawn), rows):
        part = drawn[start : start + rows]
        apart = np.abs(part[:, [run]] - part)
        largest[start : start + rows] = (apart * weights).max(axis=1)
    return float(np.quantile(largest, level))
