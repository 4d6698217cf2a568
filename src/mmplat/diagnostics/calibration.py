"""Is a confidence honest? Reliability curves and expected calibration errors (ECE) of each method.

Confidence is the probability of the likeliest answer under the decoding, right is whether that answer is the gold one; saying no
label is an answer that is never right. ECE is the mean distance between the two over bins, weighted by their samples, and depends
on the bins: `width` cuts [0, 1] into equal parts, `mass` into equally many samples. Both are given.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.confidence import equal_bins
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Floats, Measured, Rows, Run
from mmplat.errors import IncompatibleCell
from mmplat.metrics.intervals import Z95, cluster_sums, ratio_interval

HONEST = "sample"  # the model's own distribution


def measure(pair: Measured, *, decoding: str | None = None, bins: int = 10) -> pl.DataFrame:
    if pair.pair.writings:
        raise IncompatibleCell("its answers were written: one draw shows no probability")
    if decoding is None and HONEST not in pair.decodings:
        raise IncompatibleCell(
            f"it was not decided under {HONEST!r}, the model's own distribution: add it to the grid's decodings (it needs no "
            f"asking), or name one of {', '.join(pair.decodings)}"
        )
    found = []
    for run in pair.answers(decoding=decoding or HONEST):
        rows = np.flatnonzero(run.decided)
        if len(rows):
            confidence, right = confident(pair, run, rows)
            for kind, groups in (("width", width_bins(confidence, bins)), ("mass", equal_bins(confidence, bins))):
                head = {"method": run.method, "decoding": run.decoding, "bins": kind}
                found += [head | one for one in _curve(confidence, right, pair.cluster[rows], groups)]
    return pl.DataFrame(found, infer_schema_length=None)


def confident(pair: Measured, run: Run, rows: Rows) -> tuple[Floats, Floats]:
    """Confidence of the likeliest answer, and whether it is right (sample,)."""
    said = run.likeliest[rows]
    confidence = np.maximum(np.nanmax(run.probs[rows], axis=1), run.other[rows])
    return confidence, (said == pair.gold[rows]).astype(np.float64)


def width_bins(confidence: Floats, bins: int) -> list[Rows]:
    """Rows of each bin of equal width in [0, 1]; empty bins are left out."""
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    return [np.flatnonzero(number == n) for n in range(bins) if (number == n).any()]


def _curve(confidence: Floats, right: Floats, cluster: NDArray[np.int64], groups: list[Rows]) -> list[dict[str, Any]]:
    """One row per bin, and one for the error over all of them (bin null)."""
    _, codes = np.unique(cluster, return_inverse=True)
    member = np.zeros((len(confidence), len(groups)))
    for column, rows in enumerate(groups):
        member[rows, column] = 1
    count, hit, sure = (
        cluster_sums(member * values[:, None], codes, int(codes.max()) + 1)
        for values in (np.ones_like(right), right, confidence)
    )
    value, low, high = ratio_interval(hit, count, n=len(confidence))
    each = [
        {
            "bin": at + 1,
            "confidence": float(confidence[rows].mean()),
            **named(value[at], low[at], high[at]),
            "ece": None,
            "ece_low": None,
            "ece_high": None,
            "n": len(rows),
        }
        for at, rows in enumerate(groups)
    ]
    whole = {
        "bin": None,
        "confidence": float(confidence.mean()),
        "value": float(right.mean()),
        "low": None,
        "high": None,
    }
    return [*each, whole | named(*ece(hit, sure, count), prefix="ece_") | {"n": len(confidence)}]


def ece(hit: Floats, sure: Floats, count: Floats) -> tuple[float, float, float]:
    """(error, low, high) from sums per cluster and bin.

    Noise alone makes every bin a little wrong, so the error is too large on average. The interval is laid around the error less
    what noise adds to it, taking each bin's gap for normal. It holds the truth in 95 % of cases, and in 90 % where that is 0.
    """
    clusters, n = len(count), count.sum()
    gaps = (hit - sure) / n
    gap = gaps.sum(axis=0)
    sd = np.sqrt(((gaps - gap / clusters) ** 2).sum(axis=0) * clusters / max(clusters - 1, 1))
    found, noise = float(np.abs(gap).sum()), float(np.sqrt((sd**2).sum()))
    centre = found - float(sum(map(_noise_adds, gap, sd)))
    return found, max(centre - Z95 * noise, 0.0), max(centre + Z95 * noise, 0.0)


def _noise_adds(gap: float, sd: float) -> float:
    """By how much the mean of |gap + normal noise| exceeds |gap|."""
    if sd == 0:
        return 0.0
    z = abs(gap) / sd
    return sd * math.sqrt(2 / math.pi) * math.exp(-z * z / 2) + abs(gap) * (math.erf(z / math.sqrt(2)) - 1)


def panels(rows: pl.DataFrame) -> list[Panel]:
    curves = rows.filter((pl.col("bins") == "mass") & pl.col("bin").is_not_null())
    series = [
        Series(str(method), [Point(r["confidence"], r["value"], r["low"], r["high"]) for r in own.to_dicts()])
        for (method,), own in curves.partition_by("method", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series, diagonal=True, joined=True)]


DIAGNOSTIC = Diagnostic("calibration", 2, measure, panels, x="confidence (bins of equal mass)", y="accuracy")
