"""All metrics of many cells on one suite: whole, by group, and the worst group, each with n and interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmplat.metrics.base import Answered, Metric, catalog
from mmplat.metrics.intervals import Floats, cluster_sums, ratio_interval
from mmplat.records import Sample


@dataclass(frozen=True, slots=True)
class Number:
    """One metric of one cell on one subset; None: undefined there."""

    cell: int
    metric: str
    subset: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class CellAnswers:
    """One cell's answers: the exact distribution, and the likeliest answer as a one-hot."""

    expected: Answered
    likeliest: Answered


def summarise(
    cells: Sequence[CellAnswers], samples: Sequence[Sample], subsets: Sequence[tuple[str, ...]]
) -> list[Number]:
    """Every metric of every cell; `samples` are those that all `cells` decided, in their order."""
    columns = _columns(cells)
    sd = np.stack([np.sqrt((c.expected.right * (1 - c.expected.right)).sum()) / len(samples) for c in cells])
    numbers = _on(columns, samples, np.arange(len(samples)), "all")
    numbers += [Number(i, "expected_accuracy_sd", "all", float(v), None, None, len(samples)) for i, v in enumerate(sd)]
    for keys in subsets:
        by_group = [
            _on(columns, samples, rows, group) for group, rows in _groups(samples, keys).items() if group is not None
        ]
        for of_group in by_group:
            numbers += of_group
        numbers += _worst(by_group, ",".join(keys), _directions(columns))
    return numbers


@dataclass(frozen=True, slots=True)
class _Column:
    """Numerators and denominators of one metric (sample, cell)."""

    name: str
    metric: Metric
    numerator: Floats
    denominator: Floats


def _columns(cells: Sequence[CellAnswers]) -> list[_Column]:
    binary = cells[0].expected.positive is not None
    columns = []
    for name, metric in catalog.items():
        if metric.binary and not binary:
            continue
        for prefix, which in (("", "likeliest"), ("expected_", "expected")):
            pairs = [metric.ratio(getattr(cell, which)) for cell in cells]
            numerator = np.stack([p[0] for p in pairs], axis=1)
            columns.append(_Column(prefix + name, metric, numerator, np.stack([p[1] for p in pairs], axis=1)))
    return columns


def _directions(columns: list[_Column]) -> dict[str, bool]:
    """Metrics of which a worst group exists: True where the smallest is the worst."""
    return {c.name: c.metric.higher_is_better for c in columns if c.metric.higher_is_better is not None}


def _on(columns: list[_Column], samples: Sequence[Sample], rows: NDArray[np.int64], subset: str) -> list[Number]:
    """All metrics on the samples `rows`."""
    _, cluster = np.unique([samples[i].cluster for i in rows], return_inverse=True)
    count = int(cluster.max()) + 1
    numbers = []
    for column in columns:
        value, low, high = ratio_interval(
            cluster_sums(column.numerator[rows], cluster, count),
            cluster_sums(column.denominator[rows], cluster, count),
            n=len(rows),
        )
        numbers += [
            Number(cell, column.name, subset, _known(value[cell]), _known(low[cell]), _known(high[cell]), len(rows))
            for cell in range(len(value))
        ]
    return numbers


def _groups(samples: Sequence[Sample], keys: tuple[str, ...]) -> dict[str | None, NDArray[np.int64]]:
    """Rows by `key=value,key=value`; samples that lack a key belong to no group."""
    found: dict[str | None, list[int]] = {}
    for row, sample in enumerate(samples):
        whole = all(key in sample.groups for key in keys)
        name = ",".join(f"{key}={sample.groups[key]}" for key in keys) if whole else None
        found.setdefault(name, []).append(row)
    return {name: np.array(rows) for name, rows in sorted(found.items(), key=lambda item: item[0] or "")}


def _worst(groups: list[list[Number]], name: str, directions: dict[str, bool]) -> list[Number]:
    """The worst group per metric. The smallest of noisy numbers is biased low; so its interval reaches from the smallest
    lower bound to the smallest upper bound of all groups, which is wider than the worst group's own."""
    worst = []
    for same in zip(*groups, strict=True):
        defined = [n for n in same if n.value is not None and n.low is not None and n.high is not None]
        if same[0].metric not in directions or not defined:
            continue
        pick = min if directions[same[0].metric] else max
        value = pick(defined, key=lambda n: n.value or 0.0)
        low, high = pick(n.low or 0.0 for n in defined), pick(n.high or 0.0 for n in defined)
        worst.append(Number(value.cell, value.metric, f"worst:{name}", value.value, low, high, value.n))
    return worst


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
