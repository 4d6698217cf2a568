"""Is a model misled where it was unsure? The rate T→F in bins of the margin of stage 1, and their rank correlation.

The margin is the log-odds of the likeliest label against the next one, of the image alone and at temperature 1, whatever method
and decoding answered: how sure the model was before anything was said to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.conditioned import Conditioned
from mmplat.diagnostics.confidence import NAIVE, equal_bins
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.led import WRONG, Cue, Key, cues_of, first_stage, stages_of
from mmplat.diagnostics.reading import Measured
from mmplat.diagnostics.two_stages import Floats, Interval, Ratio, led_astray, rate
from mmplat.errors import IncompatibleCell
from mmplat.statistics.paired import DRAWS, resamples

BINS = 5
FEWEST = 3
"""Ranks of fewer samples say nothing."""


def measure(
    one: Conditioned, *, method: str | None = None, decoding: str | None = None, bins: int = BINS
) -> pl.DataFrame:
    key = (method or NAIVE, decoding or one.base.usual_decoding())
    margin = margins(one.base)
    if np.isnan(margin).all():
        raise IncompatibleCell("the logits of its labels were not told, so stage 1 has no margin")
    found = [row for cue in cues_of(one) for row in _rows(one.base, cue, key, margin, bins)]
    if not found:
        raise IncompatibleCell(f"nothing was decided of it by method {key[0]!r} and decoding {key[1]!r}")
    return pl.DataFrame(found, infer_schema_length=None)


def margins(base: Measured) -> Floats:
    """Log-odds between the two likeliest labels (sample,); NaN where they were not told."""
    logits = np.sort(np.where(base.evidence.main.present[:, None], base.evidence.main.label_logits, np.nan), axis=1)
    if logits.shape[1] < 2:
        return np.full(len(logits), np.nan)
    with np.errstate(invalid="ignore"):
        return np.asarray(logits[:, -1] - logits[:, -2])


def _rows(base: Measured, cue: Cue, key: Key, margin: Floats, bins: int) -> list[dict[str, Any]]:
    before, after = first_stage(stages_of(base), key), cue.stage(WRONG, key)
    if before is None or after is None:
        return []
    above, below = led_astray(before[1], after)
    counted = (below > 0) & np.isfinite(margin)
    if not counted.any():
        return []
    names = {"method": key[0], "decoding": key[1], "cue": cue.name}
    sure = np.where(counted, margin, np.nan)
    table = []
    for number, rows in enumerate(equal_bins(sure, bins), start=1):
        interval = rate((above[rows], below[rows]), base.cluster[rows])
        middle = float(np.average(sure[rows], weights=below[rows]))
        table.append(
            {
                **names,
                "bin": number,
                "margin": middle,
                **named(*interval, prefix="tf_"),
                "n_t": float(below[rows].sum()),
            }
        )
    whole = rank_correlation(sure[counted], (above[counted], below[counted]), base.cluster[counted])
    nothing = {"bin": None, "margin": None, "tf": None, "tf_low": None, "tf_high": None}
    table.append({**names, **nothing, **named(*whole, prefix="rank_correlation_"), "n_t": float(below[counted].sum())})
    return table


def rank_correlation(margin: Floats, flips: Ratio, cluster: NDArray[np.int64], *, seed: int = 0) -> Interval:
    """Spearman's correlation of the margin with being misled, each sample weighing what it was right; bootstrap over clusters.

    Ranks are those of all samples and are not made again in each resample.
    """
    above, below = flips
    x, y = ranks(margin), ranks(above / below)
    _, codes = np.unique(cluster, return_inverse=True)
    moments = np.stack([below, below * x, below * y, below * x * x, below * y * y, below * x * y], axis=1)
    sums = np.stack([np.bincount(codes, column) for column in moments.T], axis=1)
    value = float(_correlation(sums.sum(axis=0)[None])[0])
    if len(sums) < FEWEST or np.isnan(value):
        return value, np.nan, np.nan
    drawn = np.concatenate([_correlation(counts @ sums) for counts in resamples(len(sums), seed=seed, draws=DRAWS)])
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return value, float(low), float(high)


def ranks(values: Floats) -> Floats:
    """Ranks from 0, equal values sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts + 1) / 2)[place])


def _correlation(sums: Floats) -> Floats:
    """Pearson's correlation from sums of weights and moments (draw, moment); NaN where nothing varies."""
    weight, x, y, xx, yy, xy = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = x / weight, y / weight
        spread = np.sqrt(np.clip(xx / weight - x * x, 0, None) * np.clip(yy / weight - y * y, 0, None))
        return np.asarray(np.where(spread > 0, (xy / weight - x * y) / spread, np.nan))


def panels(rows: pl.DataFrame) -> list[Panel]:
    binned = rows.drop_nulls("bin")
    series = [
        Series(str(cue), [Point(r["margin"], r["tf"], r["tf_low"], r["tf_high"]) for r in own.to_dicts()])
        for (cue,), own in binned.partition_by("cue", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series, joined=True)]


DIAGNOSTIC = Diagnostic("misleading-margins", 1, measure, panels, x="margin of stage 1 (log-odds)", y="right → wrong")
