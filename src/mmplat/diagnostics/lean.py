"""How much of a benchmark does the language prior answer? Lean = (accuracy without image − chance) / (naive − chance).

Both accuracies are the likeliest label's, so they differ in the image alone; chance is 1 / number of labels, per sample. A subset
is flagged as answered by the prior where more than the share `above` of what is gained over chance is there without the image, and
that is above chance itself, each with 95 % confidence. Beside it stands what each method gains: debiasing cannot help, and may
harm, where the prior is the knowledge that is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.confidence import NAIVE
from mmplat.diagnostics.differences import estimate, lowest_mean, ratio
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Floats, Measured, Rows, Run
from mmplat.errors import IncompatibleCell
from mmplat.records import ViewSpec


def measure(
    pair: Measured, *, decoding: str | None = None, view: str | None = None, above: float = 0.5
) -> pl.DataFrame:
    blind = _blind_view(pair, view)
    hits = {"naive": _right(pair, None), "blind": _right(pair, blind)}
    known = ~np.isnan(hits["naive"]) & ~np.isnan(hits["blind"])
    if not known.any():
        raise IncompatibleCell("the probabilities of its labels were not asked")
    runs = pair.answers(decoding=decoding or pair.usual_decoding())
    naive = next((run for run in runs if run.method == NAIVE), None)
    if naive is None:
        raise IncompatibleCell(f"it has no method {NAIVE!r}: add it to the grid, it needs no asking")
    found = []
    for subset, rows in pair.subsets.items():
        rows = rows[known[rows]]
        if len(rows):
            lean = {"subset": subset, "view": blind.name, **_lean(pair, hits, rows, above)}
            found += [lean | _gain(pair, run, naive, rows) for run in runs if run is not naive] or [lean | NOTHING]
    return pl.DataFrame(found, infer_schema_length=None)


NOTHING = {"method": None, "decoding": None, "gain": None, "gain_low": None, "gain_high": None, "sign": None}


def _blind_view(pair: Measured, name: str | None) -> ViewSpec:
    """The view that was asked for, or the emptiest that was asked."""
    there = pair.empty_inputs
    found = next((view for view in there if name in (None, view.name)), None)
    if found is None:
        names = ", ".join(view.name for view in there) or "no view without its image (add `views: [none]` to the grid)"
        raise IncompatibleCell(f"view {name!r} was not asked; there is {names}" if name else f"it has {names}")
    return found


def _right(pair: Measured, view: ViewSpec | None) -> Floats:
    """Is the likeliest label the gold one (sample,); NaN where the view was not asked."""
    probs = pair.label_probs(view)
    told = ~np.isnan(probs).any(axis=1)
    return np.where(told, np.nan_to_num(probs).argmax(axis=1) == pair.gold, np.nan)


def _lean(pair: Measured, hits: dict[str, Any], rows: Rows, above: float) -> dict[str, Any]:
    cluster, chance = pair.cluster[rows], 1 / pair.n_labels[rows]
    naive, blind = ((hits[name][rows] - chance)[:, None] for name in ("naive", "blind"))
    exceeds = lowest_mean(blind - above * naive, cluster)[0] > 0 and lowest_mean(blind, cluster)[0] > 0
    return {
        "n": len(rows),
        "chance": float(chance.mean()),
        "blind": float(hits["blind"][rows].mean()),
        "naive": float(hits["naive"][rows].mean()),
        **named(*ratio(blind, naive, cluster), prefix="lean_"),
        "answered_by_prior": bool(exceeds),
    }


def _gain(pair: Measured, run: Run, naive: Run, rows: Rows) -> dict[str, Any]:
    """What a method gains in accuracy, on the samples that both decided."""
    both = rows[run.decided[rows] & naive.decided[rows]]
    if not len(both):
        return NOTHING | {"method": run.method, "decoding": run.decoding}
    one = np.ones((len(both), 1))
    ours, theirs = (estimate(pair.answered(r, both).right[:, None], one, pair.cluster[both]) for r in (run, naive))
    value, low, high = ours.minus(theirs)
    sign = "+" if low[0] > 0 else "−" if high[0] < 0 else "0"
    return {"method": run.method, "decoding": run.decoding, **named(value, low, high, prefix="gain_"), "sign": sign}


def panels(rows: pl.DataFrame) -> list[Panel]:
    """Gain over lean: a method that cures the prior and spares knowledge falls from left to right."""
    series = [
        Series(str(method), [Point(r["lean"], r["gain"], r["gain_low"], r["gain_high"]) for r in own.to_dicts()])
        for (method,), own in rows.drop_nulls(["method", "lean"])
        .sort("lean")
        .partition_by("method", as_dict=True, maintain_order=True)
        .items()
    ]
    return [Panel(title_of(rows), series)]


DIAGNOSTIC = Diagnostic("lean", 1, measure, panels, x="lean on the prior, per subset", y="gain over naive")
