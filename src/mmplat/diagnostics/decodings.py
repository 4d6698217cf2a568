"""Which decoding is best for a model on a suite, and how far do default settings fall short of it?

Chosen on one half of the samples and reported on the other: the best of many noisy numbers is too good on the data that chose it.
Halves hold whole clusters, and are drawn by a seed. `optimism` is how much better the chosen decoding looks on the half that
chose it, as the mean over many such splits (`chosen_again`: in which share of them the same one wins), so that the two halves'
own difference cancels.

Over all suites of a model, the score of a decoding is the plain mean of the metric over suites, each suite counting once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.diagnostics.base import Diagnostic, named, simple_metrics, title_of
from mmplat.diagnostics.differences import Estimate, Interval, estimate
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Floats, Measured, Rows
from mmplat.errors import ConfigError, IncompatibleCell
from mmplat.metrics import Metric
from mmplat.metrics.intervals import cluster_sums, ratio_interval, wilson, worth

DEFAULTS = ("sample", "greedy")
"""What is used when nobody chose: the papers' default, and most servers' for closed questions."""
SPLITS = 200
LEAST_CLUSTERS = 4
OVERALL = "overall"
EXPECTED = "expected_"


@dataclass(frozen=True, slots=True)
class Scores:
    """One suite's metric of every decoding: on the half that chooses and the half that reports, for many splits."""

    chooses: Floats  # (split, decoding)
    reports: Floats
    reported: Estimate
    """On the second half of the first split, with its errors per cluster."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a campaign."""

    method: str = "naive"
    metric: str = "expected_accuracy"
    seed: int = 0

    @property
    def of(self) -> Metric:
        found = simple_metrics([self.metric.removeprefix(EXPECTED)], binary=True)
        if not found or found[0].higher_is_better is None:
            raise ConfigError(
                f"Metric {self.metric!r} has no best: give one of single samples in which more is better, or less."
            )
        return found[0]

    @property
    def sign(self) -> int:
        return 1 if self.of.higher_is_better else -1


def best(pairs: Sequence[Measured], question: Question) -> pl.DataFrame:
    """One row per model and suite, and one per model over all its suites where it has several. Open questions have none."""
    pairs = [pair for pair in pairs if pair.closed and not pair.runs.is_empty()]
    if not pairs:
        raise ConfigError(
            "None of these suites has labels to answer with and a cell that did not fail, so no decoding can be compared."
        )
    if question.of.binary and any(pair.positive is None for pair in pairs):
        raise ConfigError(f"Metric {question.metric!r} is for yes/no questions; choose suites of those with --suite.")
    found: list[dict[str, Any]] = []
    for model in dict.fromkeys(pair.pair.model.name for pair in pairs):
        own = [pair for pair in pairs if pair.pair.model.name == model]
        decodings = _shared_decodings(own, question.method)
        scores = [_scores(pair, question, decodings) for pair in own]
        suites = [pair.pair.suite.name for pair in own]
        head = {"model": model, "method": question.method, "metric": question.metric}
        found += [
            head | {"suite": name} | _row(decodings, [one], question) for name, one in zip(suites, scores, strict=True)
        ]
        if len(own) > 1:
            found.append(head | {"suite": OVERALL} | _row(decodings, scores, question))
    table = pl.DataFrame(found, infer_schema_length=None)
    return table.select("model", "suite", pl.all().exclude("model", "suite"))


def _shared_decodings(pairs: Sequence[Measured], method: str) -> list[str]:
    """Those that a method was decided under on every suite."""
    each = [[run.decoding for run in pair.answers(method=method)] for pair in pairs]
    found = [name for name in each[0] if all(name in names for names in each)]
    if not found:
        raise ConfigError(
            f"Method {method!r} of {pairs[0].pair.model.name} was decided under no decoding on all of its suites: choose some of "
            "them with --suite."
        )
    return found


def _scores(pair: Measured, question: Question, decodings: list[str]) -> Scores:
    runs = {run.decoding: run for run in pair.answers(method=question.method)}
    decided = np.logical_and.reduce([runs[name].decided for name in decodings])
    rows = np.flatnonzero(decided)
    expected = question.metric.startswith(EXPECTED)
    parts = [question.of.ratio(pair.answered(runs[name], rows, expected=expected)) for name in decodings]
    numerator, denominator = (np.stack(part, axis=1) for part in zip(*parts, strict=True))
    _, cluster = np.unique(pair.cluster[rows], return_inverse=True)
    halves = first_halves(int(cluster.max()) + 1, question.seed)
    sums = [cluster_sums(part, cluster, halves.shape[1]) for part in (numerator, denominator)]
    with np.errstate(invalid="ignore", divide="ignore"):  # no yes in a half: its precision is not defined
        chooses, reports = (side @ sums[0] / (side @ sums[1]) for side in (halves, 1 - halves))
    second = ~halves[0].astype(bool)[cluster]
    reported = estimate(numerator[second], denominator[second], cluster[second])
    return Scores(chooses, reports, reported)


def splittable(pairs: Sequence[Measured]) -> tuple[list[Measured], dict[str, str]]:
    """Those with clusters enough for two halves, and of the others (by title) why not; none at all is an error."""
    small = {pair.title: _too_few(n) for pair in pairs if (n := len(np.unique(pair.cluster))) < LEAST_CLUSTERS}
    if len(small) == len(pairs):
        reasons = "; ".join(f"{title}: {reason}" for title, reason in small.items())
        raise ConfigError(f"There is nothing to choose a decoding on. {reasons}.")
    return [pair for pair in pairs if pair.title not in small], small


def _too_few(clusters: int) -> str:
    return f"it has {clusters} clusters of samples (questions about one image are one), and two halves take {LEAST_CLUSTERS}"


def first_halves(clusters: int, seed: int) -> NDArray[np.float64]:
    """Which clusters choose (split, cluster), 1 or 0; the first split is the one that is reported."""
    if clusters < LEAST_CLUSTERS:
        raise IncompatibleCell(_too_few(clusters))
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(clusters), (SPLITS, 1)), axis=1)
    return (order < clusters // 2).astype(np.float64)


def _row(decodings: list[str], scores: Sequence[Scores], question: Question) -> dict[str, Any]:
    chooses, reports = (np.mean([getattr(one, side) for one in scores], axis=0) for side in ("chooses", "reports"))
    chosen, lost = _extremes(question.sign * chooses)
    each = np.arange(len(chosen))
    optimism = question.sign * (chooses[each, chosen] - reports[each, chosen])
    pick = int(chosen[0])
    row = {
        "decodings": len(decodings),
        "best": decodings[pick],
        **_value([one.reported for one in scores], pick),
        "n": sum(one.reported.n for one in scores),
        "on_same_data": float(chooses[0, pick]),
        "optimism": float(np.nanmean(optimism)),
        "chosen_again": float((chosen == pick).mean()),
    }
    against = {name: decodings.index(name) for name in DEFAULTS if name in decodings} | {"worst": int(lost[0])}
    for name in (*DEFAULTS, "worst"):
        at = against.get(name)
        gain: Any = NOTHING if at is None else _gain(scores, pick, at, question.sign)
        row |= named(gain[0], gain[1], gain[2], prefix=f"over_{name}_")
    return row | {"worst": decodings[int(lost[0])]}


def _extremes(scores: Floats) -> tuple[Rows, Rows]:
    """The best and the worst decoding of each split, the first of equal ones; one that is not defined there is neither."""
    unknown = np.isnan(scores)
    if unknown.all(axis=1).any():
        raise IncompatibleCell("the metric is not defined on half of its samples, whatever the decoding")
    best, worst = np.where(unknown, -np.inf, scores), np.where(unknown, np.inf, scores)
    return best.argmax(axis=1), worst.argmin(axis=1)


NOTHING = (np.nan, np.nan, np.nan)


def _value(estimates: Sequence[Estimate], at: int) -> dict[str, float | None]:
    """The mean over suites of one decoding; suites are independent samples. Wilson's interval, as for one suite."""
    value = np.mean([one.value[at] for one in estimates])
    variance = sum((one.errors[:, at] ** 2).sum() for one in estimates) / len(estimates) ** 2
    clusters = sum(int(one.clusters[at]) for one in estimates)
    n = sum(one.n for one in estimates)
    return named(value, *wilson(np.asarray(value), worth(np.asarray(value), np.asarray(variance), clusters, n)))


def _gain(scores: Sequence[Scores], one: int, other: int, sign: int) -> Interval:
    """How much better one decoding is than another on the second halves, paired; the mean over suites."""
    each = [_column(s.reported, one).minus(_column(s.reported, other)) for s in scores]
    value = sign * np.mean([value for value, _, _ in each], axis=0)
    half = np.sqrt(np.sum([((high - low) / 2) ** 2 for _, low, high in each], axis=0)) / len(each)
    return value, value - half, value + half


def _column(estimates: Estimate, at: int) -> Estimate:
    return Estimate(
        estimates.value[[at]], estimates.errors[:, [at]], estimates.n, estimates.below[[at]], estimates.clusters[[at]]
    )


def sweep(pair: Measured, *, method: str = "naive", metric: str = "expected_accuracy", seed: int = 0) -> pl.DataFrame:
    """The metric of every decoding on all samples, for the figure: what is chosen is not read off here."""
    question = Question(method, metric, seed)
    runs = pair.answers(method=method)
    rows = np.flatnonzero(np.logical_and.reduce([run.decided for run in runs]))
    expected = metric.startswith(EXPECTED)
    parts = [question.of.ratio(pair.answered(run, rows, expected=expected)) for run in runs]
    numerator, denominator = (np.stack(part, axis=1) for part in zip(*parts, strict=True))
    _, cluster = np.unique(pair.cluster[rows], return_inverse=True)
    sums = [cluster_sums(part, cluster, int(cluster.max()) + 1) for part in (numerator, denominator)]
    numbers = dict(zip(("value", "low", "high"), ratio_interval(*sums, n=len(rows)), strict=True))
    settings = [pair.settings(run.decoding) for run in runs]
    swept = {name: [one.get(name) for one in settings] for name in ("greedy", "temperature", "top_k", "top_p")}
    return pl.DataFrame(
        {"decoding": [run.decoding for run in runs], **swept, **numbers, "n": len(rows)}, schema_overrides=SWEPT
    )


SWEPT = {"greedy": pl.Boolean, "temperature": pl.Float64, "top_k": pl.Int64, "top_p": pl.Float64}


def panels(rows: pl.DataFrame) -> list[Panel]:
    """What moves with temperature alone, and with top-p alone; top-k is no share and stands in the table."""
    warm = pl.col("temperature").is_not_null() & pl.col("top_k").is_null()
    lines = {
        "temperature": rows.filter(warm & pl.col("top_p").is_null()).with_columns(x="temperature"),
        "top-p": rows.filter(warm & (pl.col("temperature") == 1)).drop_nulls("top_p").with_columns(x="top_p"),
    }
    series = [
        Series(name, [Point(r["x"], r["value"], r["low"], r["high"]) for r in line.sort("x").to_dicts()])
        for name, line in lines.items()
        if not line.is_empty()
    ]
    return [Panel(title_of(rows), series, joined=True)]


DIAGNOSTIC = Diagnostic("decodings", 2, sweep, panels, x="temperature, or top-p", y="metric")
