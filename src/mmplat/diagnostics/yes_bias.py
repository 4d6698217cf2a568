"""Does a method say yes too often? The yes-ratio of predictions against that of the gold answers, per method.

Some harnesses count the gold answers and call it the yes-ratio: then it is .5 on every balanced benchmark, whatever a model says.
Here both stand side by side. `yes_where_yes` and `yes_where_no` tell a bias (both move together) from better sight (they part).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.differences import estimate
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Measured, Rows, Run
from mmplat.errors import IncompatibleCell
from mmplat.metrics.intervals import cluster_sums, ratio_interval


def measure(pair: Measured, *, decoding: str | None = None) -> pl.DataFrame:
    if pair.positive is None:
        raise IncompatibleCell("it is no yes/no question")
    runs = pair.answers(decoding=decoding or pair.usual_decoding())
    return pl.DataFrame(
        [
            {
                "subset": subset,
                "method": run.method,
                "decoding": run.decoding,
                **_row(pair, run, rows[run.decided[rows]]),
            }
            for subset, rows in pair.subsets.items()
            for run in runs
            if run.decided[rows].any()
        ]
    )


def _row(pair: Measured, run: Run, rows: Rows) -> dict[str, Any]:
    answers = pair.answered(run, rows)
    one, yes, gold = np.ones((len(rows), 1)), answers.said_positive[:, None], answers.is_positive[:, None]
    _, cluster = np.unique(pair.cluster[rows], return_inverse=True)
    sums = [cluster_sums(values, cluster, int(cluster.max()) + 1) for values in (yes, one)]
    said, truly = estimate(yes, one, cluster), estimate(gold, one, cluster)
    with np.errstate(invalid="ignore", divide="ignore"):
        right, wrong = (yes * gold).sum() / gold.sum(), (yes * (1 - gold)).sum() / (1 - gold).sum()
    return {
        **named(*ratio_interval(*sums, n=len(rows)), prefix="yes_ratio_"),
        "gold_ratio": float(gold.mean()),
        **named(*said.minus(truly), prefix="bias_"),
        "yes_where_yes": None if np.isnan(right) else float(right),
        "yes_where_no": None if np.isnan(wrong) else float(wrong),
        "unparsed": float(answers.other.mean()),
        "n": len(rows),
    }


def panels(rows: pl.DataFrame) -> list[Panel]:
    series = [
        Series(str(method), [Point(r["subset"], r["bias"], r["bias_low"], r["bias_high"]) for r in own.to_dicts()])
        for (method,), own in rows.partition_by("method", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series)]


DIAGNOSTIC = Diagnostic("yes-bias", 1, measure, panels, x="subset", y="yes-ratio − gold's")
