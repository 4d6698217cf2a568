"""Do measures of spurious bias measure it? Against models whose training made each type of cue as strong as it is said to be.

The card of such a model names the strength ρ of every type: how often the cue went along with the class in training. Only a made
world has such models (docs/spurious-strength.md). Each measure is set against ρ, over all types of all models at once: a type that
is easy or hard to see is easy or hard at every ρ, since each type has another ρ in each model.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.artifacts import read_json
from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.cgla import cgla_reconstructed, phrases
from mmplat.diagnostics.differences import Interval, estimate
from mmplat.diagnostics.figures import Panel, Point, Series, draw
from mmplat.diagnostics.misleading_margins import ranks
from mmplat.diagnostics.reading import Floats, Measured, Rows, Run
from mmplat.errors import IncompatibleCell
from mmplat.metrics.intervals import ratio_interval
from mmplat.models.identity import checkpoint_folder
from mmplat.spurious import CORE, SPURIOUS, labels_with
from mmplat.suites import catalog as suites

RHO = "rho"
AGAINST, WITH = "anti", "aligned"
DRAWS = 2000
MEASURES = {
    "accuracy": "accuracy against the cue",
    "gap": "gap: with − against it",
    "spurious_selection": "answers that follow it",
    "cgla_reconstructed": "cgla_reconstructed",
}


def measure(pair: Measured, *, method: str = "naive", decoding: str | None = None) -> pl.DataFrame:
    strengths = _strengths(pair.pair.model.path)
    phrased = suites.get(pair.pair.suite.kind).phrases
    found = _likelihoods(pair) if phrased else _choices(pair, method, decoding or pair.usual_decoding())
    rows = [{RHO: strengths[kind], "type": kind} | row for kind, row in found if kind in strengths]
    if not rows:
        raise IncompatibleCell("it has no items of the types whose strength is known")
    return pl.DataFrame(rows, infer_schema_length=None).sort("measure", RHO)


@cache
def _strengths(path: str | None) -> dict[str, float]:
    """ρ by type, as the model's card says it."""
    folder = checkpoint_folder(path)
    card = folder / "card.json" if folder else None
    said = read_json(card, made_by="mmplat world train") if card and card.exists() else {}
    if RHO not in said:
        raise IncompatibleCell("the model's card does not say how strong each cue was in its training")
    return {kind: float(value) for kind, value in said[RHO].items()}


def _choices(pair: Measured, method: str, decoding: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What answers show, on items whose cue speaks against the class."""
    spurious = labels_with(SPURIOUS, pair.samples, int(pair.n_labels.max()))
    if spurious is None or any("mode" not in sample.groups for sample in pair.samples):
        raise IncompatibleCell("its options do not say which one speaks for the cue")
    (run,) = pair.answers(method=method, decoding=decoding)
    for kind, rows in _by_type(pair, run.decided):
        modes = np.array([pair.samples[row].groups["mode"] for row in rows])
        against, with_cue = rows[modes == AGAINST], rows[modes == WITH]
        right, follows = _right(pair, run), _follows(run, spurious)
        if len(against) and len(with_cue):
            yield kind, _row("accuracy", *_share(right[against]), len(against))
            yield kind, _row("spurious_selection", *_share(follows[against]), len(against))
            yield kind, _difference("gap", right[with_cue], right[against])


def _likelihoods(pair: Measured) -> Iterator[tuple[str, dict[str, Any]]]:
    """What probabilities of phrases show."""
    core, spurious = (labels_with(role, pair.samples, int(pair.n_labels.max())) for role in (CORE, SPURIOUS))
    if core is None or spurious is None:
        raise IncompatibleCell("its phrases do not say what they speak for")
    values = cgla_reconstructed(phrases(pair, [pair.pair.views[0]])[0], core, spurious)
    for kind, rows in _by_type(pair, ~np.isnan(values)):
        yield kind, _mean("cgla_reconstructed", values[rows])


def _by_type(pair: Measured, usable: NDArray[np.bool_]) -> Iterator[tuple[str, Rows]]:
    kinds = np.array([sample.groups.get("type", "") for sample in pair.samples])
    for kind in np.unique(kinds[usable]):
        yield str(kind), np.flatnonzero((kinds == kind) & usable)


def _right(pair: Measured, run: Run) -> Floats:
    return np.asarray(run.likeliest == pair.gold, np.float64)


def _follows(run: Run, spurious: NDArray[np.bool_]) -> Floats:
    said = run.likeliest
    return np.asarray((said >= 0) & spurious[np.arange(len(said)), said], np.float64)


def _mean(name: str, values: Floats) -> dict[str, Any]:
    """Items of one type show different scenes: they are independent."""
    mean = estimate(values[:, None], np.ones((len(values), 1)), np.arange(len(values)))
    return _row(name, *mean.interval, len(values))


def _share(values: Floats) -> Interval:
    column = values[:, None]
    return ratio_interval(column, np.ones_like(column), n=len(values))


def _difference(name: str, one: Floats, other: Floats) -> dict[str, Any]:
    """Of two shares, by Newcombe's interval: their own, put together."""
    (p, p_low, p_high), (q, q_low, q_high) = _share(one), _share(other)
    low, high = p - q - np.hypot(p - p_low, q_high - q), p - q + np.hypot(p_high - p, q - q_low)
    return _row(name, p - q, low, high, len(one) + len(other))


def _row(name: str, value: Any, low: Any, high: Any, n: int) -> dict[str, Any]:
    return {"measure": name} | named(value, low, high) | {"n": n}


def tracking(table: pl.DataFrame) -> pl.DataFrame:
    """Spearman's rank correlation of each measure with ρ over all points, with a bootstrap interval over types."""
    return pl.DataFrame(
        [
            {"measure": name, **_correlation(rows), "points": len(rows), "models": rows["model"].n_unique()}
            for (name,), rows in table.partition_by("measure", as_dict=True, maintain_order=True).items()
        ]
    )


def _correlation(rows: pl.DataFrame) -> dict[str, float | None]:
    """A type is drawn with all of its points: they share how visible it is."""
    by_type = [own.select(RHO, "value").to_numpy() for own in rows.partition_by("type")]
    rng = np.random.default_rng(0)
    draws = [
        _spearman(np.concatenate([by_type[i] for i in rng.integers(len(by_type), size=len(by_type))]))
        for _ in range(DRAWS)
    ]
    known = np.array(draws)[~np.isnan(draws)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return named(_spearman(np.concatenate(by_type)), low, high)


def _spearman(points: Floats) -> float:
    if (points.max(axis=0) == points.min(axis=0)).any():
        return np.nan
    return float(np.corrcoef(ranks(points[:, 0]), ranks(points[:, 1]))[0, 1])


def panels(rows: pl.DataFrame) -> list[Panel]:
    """Each measure against ρ, for one model."""
    return [
        Panel(f"{title_of(rows)}: {name}", [Series(rows["model"][0], _points(own))])
        for (name,), own in rows.partition_by("measure", as_dict=True, maintain_order=True).items()
    ]


def against_strength(table: pl.DataFrame) -> str:
    """Each measure against ρ, all models in one panel, with the rank correlation over it."""
    found = {row["measure"]: row for row in tracking(table).to_dicts()}
    return draw([_panel(name, own, found[name]) for name, own in _measures(table)], x="ρ, strength of the cue", y="")


def _measures(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    for name in MEASURES:
        if name in table["measure"]:
            yield name, table.filter(measure=name)


def _panel(name: str, rows: pl.DataFrame, found: dict[str, Any]) -> Panel:
    numbers = [found[part] for part in ("value", "low", "high")]
    said = "undefined" if None in numbers else "{:.2f} [{:.2f}, {:.2f}]".format(*numbers)
    title = f"{MEASURES[name]}, r = {said}"
    models = rows.partition_by("model", as_dict=True, maintain_order=True).items()
    return Panel(title, [Series(model, _points(own)) for (model,), own in models])


def _points(rows: pl.DataFrame) -> list[Point]:
    return [Point(r[RHO], r["value"], r["low"], r["high"]) for r in rows.sort(RHO).to_dicts()]


DIAGNOSTIC = Diagnostic(
    "strength", 2, measure, panels, x="ρ, strength of the cue", figures={"by-rho": against_strength}
)
