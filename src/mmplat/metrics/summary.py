"""All metrics of many cells on one suite: whole, by group, and the worst group, each with n and interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ConfigError
from mmplat.metrics._gap import gap_interval
from mmplat.metrics._units import units_of
from mmplat.metrics.base import Answered, Metric, Total, catalog
from mmplat.metrics.intervals import Floats, Ratio, cluster_sums, ratio_interval, sum_interval
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
    cells: Sequence[CellAnswers],
    samples: Sequence[Sample],
    subsets: Sequence[tuple[str, ...]],
    *,
    named: Sequence[str] = (),
    whole: Sequence[Sample] | None = None,
) -> list[Number]:
    """Every metric of every cell; `samples` are those that all `cells` decided, in their order.

    `named` are the metrics that the suite adds to the general ones; `whole` is the suite with what was not decided.
    """
    columns = _columns(cells, samples, samples if whole is None else whole, named)
    totals = [found for name in named if isinstance(found := catalog.get(name), Total)]
    sd = np.stack([np.sqrt((c.expected.right * (1 - c.expected.right)).sum()) / len(samples) for c in cells])
    numbers = _on(columns, totals, samples, np.arange(len(samples)), "all")
    numbers += [Number(i, "expected_accuracy_sd", "all", float(v), None, None, len(samples)) for i, v in enumerate(sd)]
    everywhere = [total for total in totals if not total.groups and total.combine == "sum"]
    directions = _directions(columns, everywhere)
    for keys in subsets:
        by_group = [
            _on(columns, everywhere, samples, rows, group)
            for group, rows in _groups(samples, keys).items()
            if group is not None
        ]
        for of_group in by_group:
            numbers += of_group
        numbers += _worst(by_group, ",".join(keys), directions)
    return numbers


@dataclass(frozen=True, slots=True)
class _Column:
    """Numerators and denominators of one metric (sample, cell)."""

    name: str
    metric: Metric
    numerator: Floats
    denominator: Floats


def _columns(
    cells: Sequence[CellAnswers], samples: Sequence[Sample], whole: Sequence[Sample], named: Sequence[str]
) -> list[_Column]:
    binary = cells[0].expected.positive is not None
    columns = []
    for name, metric in catalog.items():
        if isinstance(metric, Total) or not (metric.everywhere or name in named):
            continue
        if (metric.binary and not binary) or (metric.roles and cells[0].expected.spurious is None):
            continue
        units = units_of(samples, whole, metric.unit) if metric.unit else None
        for prefix, which in (("", "likeliest"), ("expected_", "expected")):
            pairs = [metric.ratio(getattr(cell, which)) for cell in cells]
            parts = [np.stack(part, axis=1) for part in zip(*pairs, strict=True)]
            columns.append(_Column(prefix + name, metric, *(units.multiplied(p) if units else p for p in parts)))
    return columns


def _directions(columns: list[_Column], totals: list[Total]) -> dict[str, bool]:
    """Metrics of which a worst group exists: True where the smallest is the worst."""
    known = [(c.name, c.metric.higher_is_better) for c in columns]
    known += [(prefix + t.name, t.higher_is_better) for t in totals for prefix in ("", "expected_")]
    return {name: better for name, better in known if better is not None}


def _on(
    columns: list[_Column], totals: list[Total], samples: Sequence[Sample], rows: NDArray[np.int64], subset: str
) -> list[Number]:
    """All metrics on the samples `rows`."""
    _, cluster = np.unique([samples[i].cluster for i in rows], return_inverse=True)
    count = int(cluster.max()) + 1
    sums, numbers = {}, []
    for column in columns:
        numerator, denominator = column.numerator[rows], column.denominator[rows]
        counted = column.metric.unit or column.metric.roles  # not every sample has one
        n = int(denominator[:, 0].sum()) if counted else len(rows)
        sums[column.name] = (cluster_sums(numerator, cluster, count), cluster_sums(denominator, cluster, count))
        numbers += _numbers(column.name, subset, ratio_interval(*sums[column.name], n=n), n)
    if totals:
        groups = {total.by: _clusters_by(total.by, samples, rows, cluster) for total in totals}
        for prefix, total in product(("", "expected_"), totals):
            found = _total(total, [sums[prefix + name] for name in total.of], groups[total.by], n=len(rows))
            numbers += _numbers(prefix + total.name, subset, found, len(rows))
    return numbers


Found = tuple[Floats, Floats, Floats]


def _numbers(name: str, subset: str, found: Found, n: int) -> list[Number]:
    return [
        Number(cell, name, subset, _known(value), _known(low), _known(high), n)
        for cell, (value, low, high) in enumerate(zip(*found, strict=True))
    ]


def _clusters_by(
    column: str, samples: Sequence[Sample], rows: NDArray[np.int64], cluster: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    """Which clusters belong to each value of a group column."""
    found: dict[str, NDArray[np.bool_]] = {}
    for row, at in zip(rows, cluster, strict=True):
        value = samples[row].groups.get(column)
        if value is not None:
            found.setdefault(value, np.zeros(int(cluster.max()) + 1, bool))[at] = True
    if found and np.sum(list(found.values()), axis=0).max() > 1:
        raise ConfigError(
            f"A total over {column!r} needs clusters that lie within one {column} each; this suite has others."
        )
    return found


def _total(total: Total, sums: list[Ratio], clusters: dict[str, NDArray[np.bool_]], *, n: int) -> Found:
    """A total of all cells; undefined where one of its groups is missing."""
    groups = total.groups or tuple(sorted(clusters))
    if not groups or any(group not in clusters for group in groups):
        undefined = np.full(sums[0][0].shape[1], np.nan)
        return undefined, undefined, undefined
    parts = [[(num * clusters[g][:, None], den * clusters[g][:, None]) for num, den in sums] for g in groups]
    if total.combine == "gap":
        return gap_interval([ratio for (ratio,) in parts])
    value, low, high = sum_interval(parts, n=n)
    scale = total.scale / (len(groups) if total.combine == "mean" else 1)
    return scale * value, scale * low, scale * high


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
