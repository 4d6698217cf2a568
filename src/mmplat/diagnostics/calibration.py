"""Is a confidence honest? Reliability curves and expected calibration errors (ECE) of each method.

Confidence is the probability of the likeliest answer under the decoding, right is whether that answer is the gold one; saying no
label is an answer that is never right. ECE is the mean distance between the two over bins, weighted by their samples, and depends
on the bins: `width` cuts [0, 1] into equal parts, `mass` into equally many samples. Both are given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.confidence import equal_bins
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Floats, Measured, Rows, Run
from mmplat.errors import IncompatibleCell
from mmplat.metrics.intervals import cluster_sums, ratio_interval

HONEST = "sample"  # the model's own distribution
RESAMPLES = 1000


def measure(pair: Measured, *, decoding: str | None = None, bins: int = 10, seed: int = 0) -> pl.DataFrame:
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
                found += [head | one for one in _curve(confidence, right, pair.cluster[rows], groups, seed)]
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


def _curve(
    confidence: Floats, right: Floats, cluster: NDArray[np.int64], groups: list[Rows], seed: int
) -> list[dict[str, Any]]:
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
    return [*each, whole | named(*ece(hit, sure, count, seed), prefix="ece_") | {"n": len(confidence)}]


def ece(hit: Floats, sure: Floats, count: Floats, seed: int) -> tuple[float, float, float]:
    """(error, low, high) from sums per cluster and bin: a bootstrap of clusters, its bias reflected.

    Noise alone makes every bin a little wrong, and resampling adds noise once more. So what resampling adds is taken off.
    """
    rng = np.random.default_rng(seed)
    clusters = len(count)
    weights = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES)
    drawn = np.abs(weights @ hit - weights @ sure).sum(axis=1) / (weights @ count).sum(axis=1)
    found = float(np.abs(hit.sum(axis=0) - sure.sum(axis=0)).sum() / count.sum())
    upper, lower = np.quantile(drawn, [0.975, 0.025])
    return found, max(2 * found - float(upper), 0.0), max(2 * found - float(lower), 0.0)


def panels(rows: pl.DataFrame) -> list[Panel]:
    curves = rows.filter((pl.col("bins") == "mass") & pl.col("bin").is_not_null())
    series = [
        Series(str(method), [Point(r["confidence"], r["value"], r["low"], r["high"]) for r in own.to_dicts()])
        for (method,), own in curves.partition_by("method", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series, diagonal=True, joined=True)]


DIAGNOSTIC = Diagnostic("calibration", 1, measure, panels, x="confidence (bins of equal mass)", y="accuracy")
