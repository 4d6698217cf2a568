"""Does a model find what makes an object what it is likelier than what only goes along with it? `cgla_reconstructed`.

MM-SpuBench's conditional generation likelihood advantage is known to us by name; its equation is not. `cgla_reconstructed` is our
reconstruction and stands in one function. It is computed from evidence alone, on suites whose labels are phrases with roles: how
likely is each phrase as the answer, given the image, and given none?
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.differences import estimate
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.reading import Floats, Measured, Rows
from mmplat.errors import IncompatibleCell
from mmplat.evidence.files import padded, read_rows
from mmplat.metrics.intervals import Z95, cluster_sums, ratio_interval
from mmplat.records import ViewSpec
from mmplat.spurious import CORE, SPURIOUS, labels_with
from mmplat.suites import catalog as suites

BLIND = "none"


@dataclass(frozen=True, slots=True)
class Phrases:
    """How likely phrases are as the answer (sample, phrase); NaN where a sample has fewer, or was not asked."""

    log_probs: Floats
    """Summed over the tokens of a phrase."""
    tokens: Floats


def cgla_reconstructed(
    said: Phrases,
    core: NDArray[np.bool_],
    spurious: NDArray[np.bool_],
    *,
    per_token: bool = True,
    blind: Phrases | None = None,
) -> Floats:
    """Mean score of the core phrases minus mean score of the spurious ones (sample,); NaN where a sample lacks either.

    A phrase's score is its log-probability given the image; with `blind`, less that without the image, so that frequent phrases
    have no advantage (pointwise mutual information); with `per_token`, divided by its tokens, so that short ones have none.
    """
    scores = said.log_probs if blind is None else said.log_probs - blind.log_probs
    if per_token:
        scores = scores / said.tokens
    return _mean_of(scores, core) - _mean_of(scores, spurious)


def _mean_of(scores: Floats, which: NDArray[np.bool_]) -> Floats:
    """NaN where none is meant, or one that is meant is not known."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(which, scores, 0).sum(axis=1) / which.sum(axis=1))


def measure(pair: Measured) -> pl.DataFrame:
    core, spurious = (labels_with(role, pair.samples, int(pair.n_labels.max())) for role in (CORE, SPURIOUS))
    if not suites.get(pair.pair.suite.kind).phrases or core is None or spurious is None:
        raise IncompatibleCell("its labels are no phrases for core and spurious attributes")
    views = {view.kind: view for view in pair.pair.views}
    said = phrases(pair, [pair.pair.views[0], *([views[BLIND]] if BLIND in views else [])])
    found = []
    for per_token, blind in product((True, False), [None, *said[1:]]):
        values = cgla_reconstructed(said[0], core, spurious, per_token=per_token, blind=blind)
        form = {"score": "per token" if per_token else "summed", "less_blind": blind is not None}
        for subset, rows in pair.subsets.items():
            rows = rows[~np.isnan(values[rows])]
            if len(rows):
                found.append({"subset": subset} | form | _row(values[rows], pair.cluster[rows]))
    if not found:
        raise IncompatibleCell("no sample with a core and a spurious phrase was asked")
    return pl.DataFrame(found, infer_schema_length=None)


def phrases(pair: Measured, views: list[ViewSpec]) -> list[Phrases]:
    """What is stored of each view. A phrase of one token was read from the model's whole row, one of several was continued."""
    keys = pl.DataFrame({"sample_key": [sample.sample_key for sample in pair.samples]})
    stored = read_rows(pair.evidence_folder, views, keys["sample_key"].to_list())
    return [
        _of_view(keys.join(stored.filter(view_key=view.key), on="sample_key", how="left", maintain_order="left"), pair)
        for view in views
    ]


def _of_view(rows: pl.DataFrame, pair: Measured) -> Phrases:
    width = int(pair.n_labels.max())
    logits, tokens = (
        padded(rows[name], np.nan, np.float64, width=width)[:, :width] for name in ("label_logits", "label_tokens")
    )
    continued = rows["label_tokens"].is_not_null().to_numpy()[:, None]
    whole_row = rows["lse"].to_numpy()[:, None]
    return Phrases(np.where(continued, logits, logits - whole_row), np.where(continued, tokens, 1.0))


def _row(values: Floats, cluster: Rows) -> dict[str, Any]:
    """The mean with a normal interval, and how many are above 0; samples of one cluster depend on each other."""
    _, codes = np.unique(cluster, return_inverse=True)
    one = np.ones((len(values), 1))
    mean = estimate(values[:, None], one, codes)
    half = Z95 * np.sqrt((mean.errors**2).sum(axis=0)) if codes.max() else np.array([np.nan])
    sums = [cluster_sums(part, codes, int(codes.max()) + 1) for part in ((values > 0).astype(float)[:, None], one)]
    above = ratio_interval(*sums, n=len(values))
    return {
        **named(mean.value, mean.value - half, mean.value + half),
        **named(*above, prefix="above_zero_"),
        "n": len(values),
    }


def panels(rows: pl.DataFrame) -> list[Panel]:
    """Per token, by type: as it is, and less what phrases are worth without the image."""
    shown = rows.filter(pl.col("score") == "per token")
    series = [
        Series(
            "less the score without the image" if less_blind else "given the image",
            [Point(r["subset"].removeprefix("type="), r["value"], r["low"], r["high"]) for r in own.to_dicts()],
        )
        for (less_blind,), own in shown.partition_by("less_blind", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series)]


DIAGNOSTIC = Diagnostic("cgla", 1, measure, panels, x="type", y="cgla_reconstructed, per token")
