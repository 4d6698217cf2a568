"""Recorded against recomputed, as sentences: which numbers of a run do not agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.records import MetricRecord, RunRecord

CLOSE = 1e-9
"""Relative difference of two numbers that count as one: sums in another order, on another machine."""
FIELDS = ("status", "n", "n_failed", "n_near_ties", "forward_passes", "model_key", "suite_key", "evidence_key")
TEXTS = ("answer", "gold", "text")
NUMBERS = ("p_correct", "p_other")


def record_differences(recorded: RunRecord, fresh: RunRecord) -> Iterator[str]:
    for name in FIELDS:
        if getattr(recorded, name) != getattr(fresh, name):
            yield f"{name} is recorded as {getattr(recorded, name)}, the evidence gives {getattr(fresh, name)}"
    if recorded.evidence_digest not in (None, fresh.evidence_digest):
        yield "it was decided from other parts of evidence than those that decided.json names"


def metric_differences(recorded: Sequence[MetricRecord], fresh: pl.DataFrame | None) -> Iterator[str]:
    """One sentence per metric that is missing on one side, or whose value, interval or n is another one."""
    rows = [] if fresh is None else fresh.to_dicts()
    now = {(row["metric"], row["subset"]): MetricRecord.model_validate(row) for row in rows}
    before = {(metric.metric, metric.subset): metric for metric in recorded}
    for key in sorted(before.keys() | now.keys()):
        name = f"{key[0]} ({key[1]})"
        if key not in now or key not in before:
            yield f"{name} is {'recorded, but not given by the evidence' if key in before else 'not recorded'}"
        elif not _same_metric(before[key], now[key]):
            yield f"{name} is recorded as {_said(before[key])}, the evidence gives {_said(now[key])}"


def prediction_differences(recorded: pl.DataFrame | None, fresh: pl.DataFrame) -> Iterator[str]:
    """One sentence per column: how many samples, and the first of them."""
    if recorded is None:
        yield "predictions.parquet lacks this run"
        return
    if recorded["sample_id"].to_list() != fresh["sample_id"].to_list():
        yield f"predictions.parquet holds {recorded.height} samples, the evidence gives {fresh.height}, or in another order"
        return
    for name in (name for name in (*TEXTS, *NUMBERS, "probs") if name in recorded.columns):
        differs = _column_differs(recorded[name], fresh[name])
        if differs.any():
            at = int(np.flatnonzero(differs)[0])
            yield (
                f"{name} of {int(differs.sum())} predictions is another one; sample {fresh['sample_id'][at]!r}: recorded "
                f"{_shown(recorded[name], at)}, the evidence gives {_shown(fresh[name], at)}"
            )


def _column_differs(before: pl.Series, now: pl.Series) -> NDArray[np.bool_]:
    if before.name in TEXTS:
        return before.ne_missing(now).to_numpy()
    if before.name in NUMBERS:
        return ~_close(before, now)
    uneven = before.list.len().ne_missing(now.list.len()).to_numpy()
    if uneven.any():
        return uneven
    rows = np.repeat(np.arange(len(now)), now.list.len().fill_null(0).to_numpy())
    differs = np.zeros(len(now), bool)
    flat = [series.drop_nulls().explode(empty_as_null=False) for series in (before, now)]
    differs[rows[~_close(*flat)]] = True
    return differs


def _close(before: pl.Series, now: pl.Series) -> NDArray[np.bool_]:
    old, new = (series.cast(pl.Float64).fill_null(np.nan).to_numpy() for series in (before, now))
    return np.isclose(old, new, rtol=CLOSE, atol=1e-12, equal_nan=True)


def _same_metric(before: MetricRecord, now: MetricRecord) -> bool:
    pairs = ((before.value, now.value), (before.low, now.low), (before.high, now.high))
    return before.n == now.n and all(_same_number(old, new) for old, new in pairs)


def _same_number(before: float | None, now: float | None) -> bool:
    undefined = [number is None or math.isnan(number) for number in (before, now)]
    if any(undefined):
        return all(undefined)
    return math.isclose(before or 0.0, now or 0.0, rel_tol=CLOSE, abs_tol=1e-12)


def _said(metric: MetricRecord) -> str:
    return f"{metric.value} [{metric.low}, {metric.high}] of {metric.n}"


def _shown(column: pl.Series, at: int) -> str:
    value = column[at]
    return str(value.to_list() if isinstance(value, pl.Series) else value)
