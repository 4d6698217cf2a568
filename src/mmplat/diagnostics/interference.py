"""Modality interference: does a change of what a question does not need change the answer? ("Modality Interference", 2505.19616)

One suite is asked as it is and under conditions that change the other modality only. One of these is the clean reference: the
suite itself where the image decides; random pixels, and not the missing picture, where the text does. Everything is paired, on the
samples that were answered under every condition by every method, so rows can be compared with each other.

The headline is the worst named condition, never a mean over conditions. Its interval admits that it was selected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.conditions import catalog as conditions
from mmplat.diagnostics._worst import worst_over_first
from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.conditioned import Conditioned, conditioned, of_suites
from mmplat.diagnostics.confidence import NAIVE
from mmplat.diagnostics.differences import Estimate, Interval, estimate
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Floats, Measured, Rows, Run
from mmplat.diagnostics.shift import jensen_shannon, kl, total_variation
from mmplat.diagnostics.transitions import NO_LABEL, Transitions
from mmplat.errors import ConfigError, IncompatibleCell
from mmplat.metrics.intervals import cluster_sums, ratio_interval
from mmplat.possible import has_images
from mmplat.suites import catalog as suites

AS_IT_IS = "as-it-is"
"""What the suite under no condition is called among its conditions."""
REFERENCES = {"image": AS_IT_IS, "text": "random-pixels"}
"""The clean reference, by what a suite needs."""
INTERFERING = ("text", "image")
"""What an interfering condition changes. An instruction (a cue) says something about the answer: that is another question."""
WHOLE = "sample"
"""The decoding whose distribution is compared: temperature 1, nothing cut off. A greedy answer has no distribution."""
WORST = "worst:"
KINDS = ("right_to_wrong", "wrong_to_right", "wrong_to_other")
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Said:
    """What one method said under one condition, of the samples that all share."""

    answers: Rows
    right: Mask
    """By the right answers as they were prepared under this condition."""
    whole: Floats | None
    """Its distribution over labels and over saying none (sample, answer), where `WHOLE` was decided."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Everything that is compared: what was said by (condition, method), of equal samples."""

    reference: str
    decoding: str
    said: Mapping[tuple[str, str], Said]
    gold: Rows
    cluster: Rows
    left_out: int
    """Samples of the reference that some method was not asked under some condition."""

    def methods(self, condition: str) -> list[str]:
        return [method for where, method in self.said if where == condition]

    def transitions(self, condition: str, method: str) -> Transitions:
        before, after = (self.said[where, method].answers for where in (self.reference, condition))
        return Transitions(before, after, self.gold)


def grouped(pairs: Sequence[Measured], suites: Sequence[str] = ()) -> list[Conditioned]:
    """Each suite with its conditions, one model at a time; only these suites, by their names without a condition."""
    found = conditioned(pairs)
    if not found:
        raise ConfigError(
            "No suite of this campaign was asked both as it is and under a condition. Give a suite of the grid `conditions` "
            "(docs/interference.md)."
        )
    return of_suites(found, suites)


def measure(one: Conditioned, *, reference: str | None = None, decoding: str | None = None) -> pl.DataFrame:
    arms = interfering(one)
    clean = _reference(one, arms, reference)
    shared = _shared(arms, clean, decoding or one.base.usual_decoding())
    found = []
    for condition in (name for name in arms if name != clean):
        found += [_row(shared, condition, method) for method in shared.methods(condition)]
    return pl.DataFrame(found + _worst(shared, arms, found), infer_schema_length=None)


def interfering(one: Conditioned) -> dict[str, Measured]:
    """The suite as it is and under the conditions that change what it does not need, by their names."""
    under = {
        name: pair
        for name, pair in one.under.items()
        if pair.pair.suite.condition and conditions.get(pair.pair.suite.condition.kind).changes in INTERFERING
    }
    if not under:
        raise IncompatibleCell("it was asked under no condition that changes its text or its picture")
    return {AS_IT_IS: one.base, **under}


def _reference(one: Conditioned, arms: Mapping[str, Measured], wanted: str | None) -> str:
    """The clean reference: the one that is wanted, or that of what the suite needs."""
    usual = REFERENCES.get(suites.get(one.pair.suite.kind).needs, AS_IT_IS)
    name = wanted or usual
    if name not in arms:
        raise IncompatibleCell(
            f"its clean reference, {name!r}, was not asked. Add the condition to the grid, or give --reference: {', '.join(arms)}"
        )
    return name


def _shared(arms: Mapping[str, Measured], reference: str, decoding: str) -> Shared:
    """What was said of the samples that every method answered under every condition."""
    runs = {name: {run.method: run for run in arm.answers(decoding=decoding)} for name, arm in arms.items()}
    whole = {name: _whole(arm) for name, arm in arms.items()}
    places = {name: _decided(arm, runs[name].values()) for name, arm in arms.items()}
    clean = arms[reference]
    ids = [s.sample_id for s in clean.samples if all(s.sample_id in place for place in places.values())]
    if not ids:
        raise IncompatibleCell("no sample was answered by every method under every condition")
    rows = {name: np.array([place[one] for one in ids]) for name, place in places.items()}
    said = {
        (name, method): _said(arms[name], run, whole[name].get(method), rows[name])
        for name, of_arm in runs.items()
        for method, run in of_arm.items()
        if method in runs[reference]
    }
    at = rows[reference]
    return Shared(reference, decoding, said, clean.gold[at], clean.cluster[at], len(clean.samples) - len(ids))


def _whole(arm: Measured) -> dict[str, Run]:
    return {run.method: run for run in arm.answers(decoding=WHOLE)} if WHOLE in arm.decodings else {}


def _decided(arm: Measured, runs: Any) -> dict[str, int]:
    """Row of each sample that all runs decided."""
    every = np.logical_and.reduce([run.decided for run in runs])
    return {sample.sample_id: row for row, sample in enumerate(arm.samples) if every[row]}


def _said(arm: Measured, run: Run, whole: Run | None, rows: Rows) -> Said:
    answers = run.likeliest[rows]
    outcomes = None if whole is None else np.column_stack([np.nan_to_num(whole.probs[rows]), whole.other[rows]])
    return Said(answers, answers == arm.gold[rows], outcomes)


def _row(shared: Shared, condition: str, method: str) -> dict[str, Any]:
    """Everything that is measured of one method under one condition."""
    changes = shared.transitions(condition, method)
    before, after = (shared.said[where, method].right for where in (shared.reference, condition))
    intervals = {
        "clean": share(before, shared.cluster),
        "perturbed": share(after, shared.cluster),
        "drop": _mean(before, shared.cluster).minus(_mean(after, shared.cluster)),
        "delta_cp": share(changes.changed, shared.cluster),
        **{kind: share(getattr(changes, kind), shared.cluster) for kind in KINDS},
        **_shift(shared, condition, method),
        **_over_naive(shared, condition, method),
    }
    names = {"decoding": shared.decoding, "condition": condition, "reference": shared.reference}
    found: dict[str, Any] = {"method": method, **names}
    for name, numbers in intervals.items():
        found |= named(*numbers, prefix=f"{name}_")
    refuse_impossible(found)
    parsed = {"unparsed_clean": changes.before == NO_LABEL, "unparsed_perturbed": changes.after == NO_LABEL}
    counted = {name: float(mask.mean()) for name, mask in {**parsed, "half_parsed": changes.half_parsed}.items()}
    return found | counted | {"n": len(shared.gold), "left_out": shared.left_out}


def refuse_impossible(row: Mapping[str, Any]) -> None:
    """Accuracy cannot fall, or rise, by more than the share of answers that changed."""
    if abs(row["drop"]) > row["delta_cp"] + 1e-9:
        raise RuntimeError(
            f"{row['method']} under {row['condition']} against {row['reference']}: accuracy moved by {row['drop']:.6f}, and only "
            f"{row['delta_cp']:.6f} of the answers changed. That cannot be: it is a defect of mmplat, please report it."
        )


def share(mask: Mask, cluster: Rows) -> Interval:
    """A share of the samples, with Wilson's interval for dependent samples."""
    _, codes = np.unique(cluster, return_inverse=True)
    columns = (mask[:, None].astype(np.float64), np.ones((len(mask), 1)))
    above, below = (cluster_sums(column, codes, int(codes.max()) + 1) for column in columns)
    return ratio_interval(above, below, n=len(mask))


def _mean(values: NDArray[Any], cluster: Rows) -> Estimate:
    column = values[:, None].astype(np.float64)
    return estimate(column, np.ones_like(column), cluster)


NOTHING: Interval = (np.array([np.nan]),) * 3


def _shift(shared: Shared, condition: str, method: str) -> dict[str, Interval]:
    """How far the distributions moved, as means over samples; undefined where they were not decided."""
    clean, moved = (shared.said[where, method].whole for where in (shared.reference, condition))
    measures = {"tv": total_variation, "kl": kl, "js": jensen_shannon}
    if clean is None or moved is None:
        return dict.fromkeys(measures, NOTHING)
    return {name: _mean(distance(clean, moved), shared.cluster).interval for name, distance in measures.items()}


def _over_naive(shared: Shared, condition: str, method: str) -> dict[str, Interval]:
    """By how much the method's accuracy under the condition, and its share of changed answers, exceed those of naive."""
    if method == NAIVE or NAIVE not in shared.methods(condition):
        return {"over_naive": NOTHING, "delta_cp_over_naive": NOTHING}
    ours, theirs = (shared.transitions(condition, name) for name in (method, NAIVE))
    right, changed = ([_mean(mask(t), shared.cluster) for t in (ours, theirs)] for mask in (_right, _changed))
    return {"over_naive": right[0].minus(right[1]), "delta_cp_over_naive": changed[0].minus(changed[1])}


def _right(one: Transitions) -> Mask:
    return np.asarray(one.after == one.gold)


def _changed(one: Transitions) -> Mask:
    return one.changed


def _worst(shared: Shared, arms: Mapping[str, Measured], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The condition of the lowest accuracy, per method, as a row of its own.

    A condition that takes the pictures away counts in no worst: a model without a picture is asked something else.
    """
    shows = has_images(arms[shared.reference].pair.suite)
    counted = [name for name, arm in arms.items() if name != shared.reference and has_images(arm.pair.suite) == shows]
    methods = [m for m in shared.methods(shared.reference) if all((name, m) in shared.said for name in counted)]
    if not counted:
        return []
    against = _worst_over_naive(shared, counted, methods)
    found = []
    for method in methods:
        own = [row for row in rows if row["method"] == method and row["condition"] in counted]
        worst = min(own, key=lambda row: row["perturbed"])
        admitting = {f"perturbed_{end}": min(row[f"perturbed_{end}"] for row in own) for end in ("low", "high")}
        found.append({**worst, **admitting, **against.get(method, {}), "condition": f"{WORST}{worst['condition']}"})
    return found


def _worst_over_naive(
    shared: Shared, counted: Sequence[str], methods: Sequence[str]
) -> dict[str, dict[str, float | None]]:
    """Each method's worst condition against naive's own worst one: the worst is found anew in every resample."""
    if NAIVE not in methods:
        return {}
    ordered = [NAIVE, *(method for method in methods if method != NAIVE)]
    each = [[shared.transitions(condition, method) for condition in counted] for method in ordered]
    right, changed = (np.array([[mask(t) for t in of_method] for of_method in each]) for mask in (_right, _changed))
    found = worst_over_first(right, changed, shared.cluster)
    return {
        method: named(*accuracy, prefix="over_naive_") | named(*flips, prefix="delta_cp_over_naive_")
        for method, accuracy, flips in zip(ordered[1:], *found, strict=True)
    }


def panels(rows: pl.DataFrame) -> list[Panel]:
    """Accuracy under the reference and under each condition, a colour per method."""
    each = rows.filter(~pl.col("condition").str.starts_with(WORST))
    series = [
        Series(
            str(method),
            [
                _clean(own),
                *(
                    Point(r["condition"], r["perturbed"], r["perturbed_low"], r["perturbed_high"])
                    for r in own.to_dicts()
                ),
            ],
        )
        for (method,), own in each.partition_by("method", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series)]


def _clean(rows: pl.DataFrame) -> Point:
    first = rows.row(0, named=True)
    return Point(f"clean: {first['reference']}", first["clean"], first["clean_low"], first["clean_high"])


DIAGNOSTIC = Diagnostic("interference", 1, measure, panels, x="condition", y="accuracy")
