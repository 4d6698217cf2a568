"""Where does a method gain: among the answers that were unsure, or among those that were sure? Bins by the naive confidence.

The naive confidence is the largest probability of the labels among themselves at temperature 1, whatever the decoding. Bins hold
equally many samples; equal confidences are never cut apart, so a model that is nearly always sure has fewer bins.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from mmplat.diagnostics.base import Diagnostic, interval, named, simple_metrics, title_of
from mmplat.diagnostics.differences import of_metric
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Floats, Measured, Rows, Run
from mmplat.errors import IncompatibleCell
from mmplat.metrics import Metric

METRICS = ("accuracy", "f1", "yes_ratio")
NAIVE = "naive"


def measure(pair: Measured, *, decoding: str | None = None, bins: int = 5) -> pl.DataFrame:
    confidence = pair.label_probs().max(axis=1)
    if np.isnan(confidence).all():
        raise IncompatibleCell("the probabilities of its labels were not asked")
    runs = {run.method: run for run in pair.answers(decoding=decoding or pair.usual_decoding())}
    naive = runs.get(NAIVE)
    if naive is None:
        raise IncompatibleCell(f"it has no method {NAIVE!r}: add it to the grid, it needs no asking")
    metrics = simple_metrics(METRICS, binary=pair.positive is not None)
    found = [
        {
            "bin": number,
            "confidence": float(confidence[rows].mean()),
            "method": run.method,
            "decoding": run.decoding,
            **one,
        }
        for number, rows in enumerate(equal_bins(confidence, bins), start=1)
        for run in runs.values()
        for one in _rows(pair, run, naive, rows, metrics)
    ]
    return pl.DataFrame(found, infer_schema_length=None)


def equal_bins(confidence: Floats, bins: int) -> list[Rows]:
    """Rows of each bin, from the least confident; samples without a confidence are in none."""
    inner = np.nanquantile(confidence, np.linspace(0, 1, bins + 1)[1:-1], method="higher")
    number = np.where(np.isnan(confidence), -1, np.searchsorted(np.unique(inner), confidence, side="right"))
    return [np.flatnonzero(number == n) for n in range(bins) if (number == n).any()]


def _rows(pair: Measured, run: Run, naive: Run, rows: Rows, metrics: list[Metric]) -> Iterator[dict[str, Any]]:
    both = rows[run.decided[rows] & naive.decided[rows]]
    if not len(both):
        return
    cluster = pair.cluster[both]
    ours, theirs = pair.answered(run, both), pair.answered(naive, both)
    for metric in metrics:
        one, other = (of_metric(answers, metric, cluster) for answers in (ours, theirs))
        own = interval(ours, metric, cluster)
        gain = named(*one.minus(other), prefix="gain_") if run is not naive else NO_GAIN
        yield {"metric": metric.name, **own, **gain, "n": len(both)}


NO_GAIN = {"gain": None, "gain_low": None, "gain_high": None}


def panels(rows: pl.DataFrame) -> list[Panel]:
    accuracy = rows.filter(pl.col("metric") == METRICS[0])
    series = [
        Series(str(method), [Point(r["confidence"], r["value"], r["low"], r["high"]) for r in own.to_dicts()])
        for (method,), own in accuracy.partition_by("method", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series, joined=True)]


DIAGNOSTIC = Diagnostic("confidence", 2, measure, panels, x="mean naive confidence of the bin", y="accuracy")
