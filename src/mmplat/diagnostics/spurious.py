"""Where does a model fall for spurious cues, and how much of that is something else? By type of cue, with the controls it needs.

Accuracy of every type, their mean (each counting once), the worst and the gap are the metrics that were decided. Beside them:
accuracy without the image, how often each letter is answered against how often it is right, and, where orders of the options were
asked (method `option-rotation`), what stays right in every order. A type is a type of cue and no group of images, so its worst is
not the worst group of distributionally robust optimisation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from mmplat.diagnostics import by_type
from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.differences import estimate
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Floats, Measured, Rows, Run
from mmplat.errors import IncompatibleCell
from mmplat.methods.rotation import by_order
from mmplat.metrics import summarise
from mmplat.metrics.circular import circular
from mmplat.metrics.intervals import cluster_sums, ratio_interval
from mmplat.metrics.summary import CellAnswers
from mmplat.records import ViewSpec
from mmplat.suites import catalog as suites

TYPE = "type"
TOTALS = {"macro_accuracy": "macro", "type_gap": "gap"}
"""What the suite's totals are called as subsets of accuracy."""
NAIVE, ROTATED = "naive", "rotated-options"
Found = Iterator[dict[str, Any]]


def measure(pair: Measured, *, decoding: str | None = None) -> pl.DataFrame:
    if not any(TYPE in sample.groups for sample in pair.samples):
        raise IncompatibleCell("its questions have no type of spurious cue")
    if suites.get(pair.pair.suite.kind).phrases:
        raise IncompatibleCell("of its phrases none is chosen: `mmplat diagnose cgla` is about them")
    rows: list[dict[str, Any]] = []
    for run in pair.answers(decoding=decoding or pair.usual_decoding()):
        decided = np.flatnonzero(run.decided)
        if len(decided):
            head = {"method": run.method, "decoding": run.decoding}
            rows += [head | one for one in (*_by_type(pair, run, decided, {}), *_letters(pair, run, decided))]
    asked: dict[str, Any] = {"method": NAIVE, "decoding": None}  # from evidence: the likeliest label, by no decoding
    rows += [asked | one for one in (*_blind(pair), *_orders(pair))]
    columns = ("measure", "subset", "method", "decoding", "value", "low", "high", "n")
    return pl.DataFrame(rows, infer_schema_length=None).select(columns)


def _by_type(pair: Measured, run: Run, rows: Rows, called: Mapping[str, str]) -> Found:
    """Accuracy, selections and answers that are none: of all, of each type, and over types. The metrics' own numbers."""
    cell = CellAnswers(pair.answered(run, rows, expected=True), pair.answered(run, rows))
    samples = [pair.samples[row] for row in rows]
    metrics = (*TOTALS, "spurious_selection")
    for number in summarise([cell], samples, ((TYPE,),), named=metrics, whole=pair.samples):
        measured = "accuracy" if number.metric in TOTALS else number.metric
        if measured in ("accuracy", "spurious_selection", "unparsed") and number.value is not None:
            yield {
                "measure": called.get(measured, measured),
                "subset": TOTALS.get(number.metric, number.subset.replace(f"worst:{TYPE}", "worst")),
                **{name: getattr(number, name) for name in ("value", "low", "high", "n")},
            }


def _blind(pair: Measured) -> Found:
    """Accuracy of the likeliest label without the image: what the words of question and options give away."""
    for view in pair.empty_inputs[:1]:
        probs = pair.label_probs(view)
        other = np.where(np.isnan(probs).all(axis=1), np.nan, 0.0)
        run = Run(NAIVE, "", probs, other)
        rows = np.flatnonzero(run.decided)
        if len(rows):
            found = _by_type(pair, run, rows, {"accuracy": f"accuracy, view {view.name}"})
            yield from (one for one in found if one["measure"].startswith("accuracy"))


def _letters(pair: Measured, run: Run, rows: Rows) -> Found:
    """How often each label is answered, how often it is right, and the paired difference: its position bias."""
    labels = pair.samples[rows[0]].labels
    if any(pair.samples[row].labels != labels for row in rows):
        return  # phrases: a place among them means nothing
    one, cluster = np.ones((len(rows), 1)), pair.cluster[rows]
    for at, label in enumerate(labels):
        said, right = ((of[rows] == at).astype(float)[:, None] for of in (run.likeliest, pair.gold))
        subset = {"subset": f"label={label}", "n": len(rows)}
        yield {"measure": "answered", **subset, **_share(said[:, 0], cluster)}
        yield {"measure": "right", **subset, **_share(right[:, 0], cluster)}
        bias = estimate(said, one, cluster).minus(estimate(right, one, cluster))
        yield {"measure": "position_bias", **subset, **named(*bias)}


def _orders(pair: Measured) -> Found:
    """Circular accuracy (right in every order of the options) and consistency (the same option in every order)."""
    views = _rotations(pair)
    if not views:
        return
    evidence = pair.evidence
    said = by_order(evidence, views)
    known = np.flatnonzero(~np.isnan(said).any(axis=(0, 2)) & evidence.main.present)
    if not len(known):
        return
    found = circular(said[:, known], pair.gold[known])
    place = np.full(len(pair.samples), -1)
    place[known] = np.arange(len(known))
    for name, values in (("circular_accuracy", found.right), ("consistency", found.same)):
        for subset, rows in pair.subsets.items():
            own = rows[place[rows] >= 0]
            if len(own) and (subset == "all" or subset.startswith(f"{TYPE}=")):
                share = _share(values[place[own]].astype(float), pair.cluster[own])
                yield {"measure": name, "subset": subset, **share, "n": len(own)}


def _rotations(pair: Measured) -> list[ViewSpec]:
    """Every order beside the first, where all of them were asked."""
    there = {int(view.params["by"]): view for view in pair.pair.views if view.kind == ROTATED and view.main is None}
    wanted = range(1, int(pair.n_labels.max()))
    return [there[by] for by in wanted] if all(by in there for by in wanted) else []


def _share(values: Floats, cluster: Rows) -> dict[str, float | None]:
    _, codes = np.unique(cluster, return_inverse=True)
    sums = [cluster_sums(part[:, None], codes, int(codes.max()) + 1) for part in (values, np.ones_like(values))]
    return named(*ratio_interval(*sums, n=len(values)))


def panels(rows: pl.DataFrame) -> list[Panel]:
    """Accuracy by type of each method, and without the image."""
    shown = rows.filter(pl.col("measure").str.starts_with("accuracy") & pl.col("subset").str.starts_with(f"{TYPE}="))
    series = []
    for (method, measured), own in shown.partition_by("method", "measure", as_dict=True, maintain_order=True).items():
        points = [Point(r["subset"].removeprefix(f"{TYPE}="), r["value"], r["low"], r["high"]) for r in own.to_dicts()]
        series.append(Series(str(method) if measured == "accuracy" else str(measured), points))
    return [Panel(title_of(rows), series)]


DIAGNOSTIC = Diagnostic(
    "spurious",
    1,
    measure,
    panels,
    x="type",
    y="accuracy",
    figures={"radar": by_type.radar, "heatmap": by_type.heatmap, "ranking": by_type.ranking},
)
