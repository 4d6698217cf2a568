"""Measures of answers in words that no label sums up: each suite grades an answer, and the grades are ratios of sums."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from mmplat.metrics.intervals import Z95, Floats, cluster_sums, ratio_interval
from mmplat.metrics.summary import Number
from mmplat.records import Sample

Grades = Mapping[str, tuple[float, float]]
"""What one answer adds to each measure, above and below the line: 2 of 5 mentions are of nothing that is there."""


def summarise_graded(
    cell: int,
    grades: Sequence[Grades],
    samples: Sequence[Sample],
    subsets: Sequence[tuple[str, ...]],
    *,
    shares: Collection[str] | None = None,
) -> list[Number]:
    """Every measure of one cell: whole, and by group. Intervals respect clusters; an empty denominator is undefined.

    `shares` names the measures that lie in [0, 1]; None: those whose values say so.
    """
    numbers = _on(cell, grades, samples, list(range(len(samples))), "all", shares)
    for keys in subsets:
        groups: dict[str, list[int]] = {}
        for row, sample in enumerate(samples):
            if all(key in sample.groups for key in keys):
                groups.setdefault(",".join(f"{key}={sample.groups[key]}" for key in keys), []).append(row)
        for name, rows in sorted(groups.items()):
            numbers += _on(cell, grades, samples, rows, name, shares)
    return numbers


def _on(
    cell: int,
    grades: Sequence[Grades],
    samples: Sequence[Sample],
    rows: list[int],
    subset: str,
    shares: Collection[str] | None,
) -> list[Number]:
    _, cluster = np.unique([samples[row].cluster for row in rows], return_inverse=True)
    count = int(cluster.max()) + 1
    numbers = []
    for name in grades[rows[0]]:
        parts = np.array([grades[row][name] for row in rows], np.float64)
        above, below = (cluster_sums(parts[:, at : at + 1], cluster, count) for at in (0, 1))
        share = bool((parts[:, 0] <= parts[:, 1]).all()) if shares is None else name in shares
        interval = ratio_interval(above, below, n=len(rows)) if share else _mean_interval(above, below)
        value, low, high = (None if np.isnan(one[0]) else float(one[0]) for one in interval)
        numbers.append(Number(cell, name, subset, value, low, high, len(rows)))
    return numbers


def _mean_interval(above: Floats, below: Floats) -> tuple[Floats, Floats, Floats]:
    """(value, low, high) of a ratio that is no share (words per answer): linearised over clusters, normal at 95 %.

    One cluster alone says nothing of how much clusters differ: it has no interval.
    """
    clusters, total = len(above), below.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = above.sum(axis=0) / total
        spread = ((above - value * below) ** 2).sum(axis=0)
        error = Z95 * np.sqrt(spread * clusters / max(clusters - 1, 1)) / total if clusters > 1 else np.nan
    return value, value - error, value + error
