"""Where does a model look while it answers? Attention by layer, token of the answer and segment of what it has read.

This diagnostic runs the model, on a sample of a suite's items: attention is no part of the evidence, which would grow a
thousandfold with it. `mass` is the share of a segment, `per_token` the share of one of its tokens; both are means over items.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from mmplat.artifacts import Results
from mmplat.asking.attention import SEGMENTS, Looks, looks_of
from mmplat.diagnostics.base import Diagnostic, title_of
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Measured
from mmplat.errors import IncompatibleCell
from mmplat.jobfiles import Consent, refuse_without
from mmplat.methods.base import WATCHED
from mmplat.models import Ask, families
from mmplat.models.identity import located
from mmplat.preparing import load_picture
from mmplat.records import ModelSpec, Sample
from mmplat.views import bind as bind_view

AT_ONCE = 16
"""Items watched together: their attention mask is held in full."""
"""A view inside the network: where a family cannot make it, nothing there can be watched either."""


def measure(
    pair: Measured, *, results: Results, items: int = 32, longest: int = 4, consent: Consent = Consent()
) -> pl.DataFrame:
    """`consent` is that of whoever starts this: the model is one of a plan.json."""
    reason = families.get(pair.pair.model.family).unavailable(WATCHED)
    if reason:
        raise IncompatibleCell(reason)
    if pair.guest:
        raise IncompatibleCell("its campaign came as an archive, and no model is loaded on the word of one")
    refuse_without(consent, pair.pair.model, f"A plan in {results.root}")
    model = _loaded(located(pair.pair.model, results).model_dump_json())
    if not hasattr(model, "watch"):
        raise IncompatibleCell("its family shows nothing of its layers")
    folder = results.suite(pair.pair.suite.name, pair.pair.suite.key)
    asks = [_ask(sample, folder) for sample in _some(pair.samples, items)]
    asks = [ask for ask in asks if model.refuses(ask) is None]
    if not asks:
        raise IncompatibleCell("none of the items that were drawn can be put to it")
    size = model.batch_limit or AT_ONCE
    return tabled([looks_of(model, asks[at : at + size], longest) for at in range(0, len(asks), size)])


@lru_cache(maxsize=1)
def _loaded(spec: str) -> Any:
    """Suites of one model follow each other: it is loaded once."""
    found = ModelSpec.model_validate_json(spec)
    return families.get(found.family).load(found)


def _some(samples: list[Sample], items: int) -> list[Sample]:
    """Items drawn by a fixed seed, in the suite's order."""
    drawn = np.sort(np.random.default_rng(0).permutation(len(samples))[:items])
    return [samples[index] for index in drawn]


def _ask(sample: Sample, folder: Any) -> Ask:
    return Ask(sample, bind_view("image"), tuple(load_picture(folder, name) for name in sample.images))


def tabled(found: list[Looks]) -> pl.DataFrame:
    """One row per (token, layer, segment): how much it drew, over the items whose answer went so far."""
    longest = max(one.mass.shape[1] for one in found)
    mass = np.concatenate([_longer(one.mass, longest) for one in found])
    count = np.concatenate([_longer(one.count.astype(float), longest) for one in found])[:, :, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        per_token = np.where(count > 0, mass / count, np.nan)
    tokens, layers, segments = (axis.ravel() for axis in np.indices(mass.shape[1:]))
    return pl.DataFrame(
        {
            "token": tokens + 1,
            "layer": layers + 1,
            "segment": [SEGMENTS[index] for index in segments],
            "mass": _over_items(np.nanmean, mass),
            "sd": _over_items(np.nanstd, mass),
            "per_token": _over_items(np.nanmean, per_token),
            "tokens": _over_items(np.nanmean, np.where(np.isnan(mass), np.nan, count)),
            "n": (~np.isnan(mass)).sum(axis=0).ravel(),
        }
    ).with_columns(pl.col("per_token").fill_nan(None))


def _longer(array: Any, longest: int) -> Any:
    """With NaN for tokens that these items did not come to (item, token, …)."""
    missing = longest - array.shape[1]
    return np.pad(array, [(0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)], constant_values=np.nan)


def _over_items(mean: Any, values: Any) -> Any:
    """NaN-aware mean or deviation over the first axis; NaN where no item has a value."""
    empty = np.isnan(values).all(axis=0)
    return np.where(empty, np.nan, mean(np.where(empty, 0.0, values), axis=0)).ravel()


def panels(rows: pl.DataFrame) -> list[Panel]:
    """By layer, at the first token of the answer: shares of whole segments, and of one token of each."""
    first = rows.filter(pl.col("token") == 1)
    return [
        Panel(f"{title_of(rows)}: {named}", [_series(first, str(s), column) for s in SEGMENTS], joined=True)
        for column, named in (("mass", "whole segments"), ("per_token", "one token of each"))
    ]


def _series(rows: pl.DataFrame, segment: str, column: str) -> Series:
    own = rows.filter((pl.col("segment") == segment) & pl.col(column).is_not_null())
    return Series(segment, [Point(float(r["layer"]), r[column]) for r in own.to_dicts()])


DIAGNOSTIC = Diagnostic("attention", 1, measure, panels, x="layer", y="share of attention, first token")
