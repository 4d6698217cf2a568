"""Is one method, or one model, misled less than another? Paired on the samples.

`difference` is between the two rates T→F, each on its own T. A method that gets more right has a harder T, so beside it stands
`difference_both`: among the samples that both got right without the cue, who is misled more; `p` is of its sign-flip test over
clusters, adjusted (Holm) for all rows of one model and suite. Methods are compared with naive, models with the first of the
campaign on the same suite.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.conditioned import Conditioned, matched
from mmplat.diagnostics.confidence import NAIVE
from mmplat.diagnostics.differences import estimate
from mmplat.diagnostics.figures import Panel, Point, Series
from mmplat.diagnostics.led import WRONG, Cue, Key, cues_of, first_stage, stages_of
from mmplat.diagnostics.two_stages import Ratio, led_astray
from mmplat.errors import IncompatibleCell
from mmplat.statistics.families import holm
from mmplat.statistics.paired import Paired, paired_bootstrap, sign_flip_test


@dataclass(frozen=True)
class Rival:
    """A model on a suite, and the first model of the campaign on the same one."""

    one: Conditioned
    first: Conditioned

    @property
    def pair(self) -> Any:
        return self.one.pair

    @property
    def closed(self) -> bool:
        return self.one.closed

    @property
    def title(self) -> str:
        return self.one.title


def rivals(found: Sequence[Conditioned]) -> list[Rival]:
    """Every model but the first of each suite."""
    first: dict[str, Conditioned] = {}
    for one in found:
        first.setdefault(one.pair.suite.key, one)
    return [Rival(one, first[one.pair.suite.key]) for one in found if one is not first[one.pair.suite.key]]


def methods(one: Conditioned, *, method: str | None = None, decoding: str | None = None) -> pl.DataFrame:
    rows = [
        {"cue": cue.name, "method": key[0], "against": NAIVE, "decoding": key[1], **compared}
        for cue in cues_of(one)
        for key in _keys(cue, method, decoding or one.base.usual_decoding())
        if key[0] != NAIVE
        for compared in _compared(flips(one, cue, key), flips(one, cue, (NAIVE, key[1])), one.base.cluster)
    ]
    return _table(rows, f"it has no method beside {NAIVE!r} under that decoding")


def models(rival: Rival, *, method: str | None = None, decoding: str | None = None) -> pl.DataFrame:
    ours, theirs = rival.one, rival.first
    rows_of = matched(ours.base, theirs.base)
    by_name = {cue.name: cue for cue in cues_of(theirs)}
    rows = [
        {"cue": cue.name, "method": key[0], "against": theirs.pair.model.name, "decoding": key[1], **compared}
        for cue in cues_of(ours)
        if cue.name in by_name
        for key in _keys(cue, method or NAIVE, decoding or ours.base.usual_decoding())
        for compared in _compared(
            _at(flips(ours, cue, key), rows_of[0]),
            _at(flips(theirs, by_name[cue.name], key), rows_of[1]),
            ours.base.cluster[rows_of[0]],
        )
    ]
    return _table(rows, "both models were not asked under the same cue by the same method and decoding")


def _keys(cue: Cue, method: str | None, decoding: str) -> Iterator[Key]:
    return (key for key in cue.keys if method in (None, key[0]) and key[1] == decoding)


def flips(one: Conditioned, cue: Cue, key: Key) -> Ratio | None:
    before, after = first_stage(stages_of(one.base), key), cue.stage(WRONG, key)
    return None if before is None or after is None else led_astray(before[1], after)


def _at(flips: Ratio | None, rows: NDArray[np.int64]) -> Ratio | None:
    return None if flips is None else (flips[0][rows], flips[1][rows])


def _compared(ours: Ratio | None, theirs: Ratio | None, cluster: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """One row, or none where one of the two was not run or has no right answers."""
    if ours is None or theirs is None or not ours[1].any() or not theirs[1].any():
        return
    one, other = (estimate(above[:, None], below[:, None], cluster) for above, below in (ours, theirs))
    found = named(*one.minus(other), prefix="difference_")
    both = (ours[1] > 0.5) & (theirs[1] > 0.5)
    nothing = {"difference_both": None, "difference_both_low": None, "difference_both_high": None, "p": None}
    yield {**found, **(_on_both(ours, theirs, cluster, both) if both.any() else nothing), "n_both": int(both.sum())}


def _on_both(ours: Ratio, theirs: Ratio, cluster: NDArray[np.int64], both: NDArray[np.bool_]) -> dict[str, Any]:
    first, second = (above[both] / below[both] for above, below in (theirs, ours))
    pairs = Paired.of(first, second, cluster[both])
    interval = named(pairs.mean, *paired_bootstrap(pairs), prefix="difference_both_")
    return {**interval, "p": sign_flip_test(pairs)}


def _table(rows: list[dict[str, Any]], nothing: str) -> pl.DataFrame:
    if not rows:
        raise IncompatibleCell(nothing)
    tested = [row for row in rows if row["p"] is not None]
    for row, adjusted in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["p"] = adjusted
    return pl.DataFrame(rows, infer_schema_length=None)


def panels(rows: pl.DataFrame) -> list[Panel]:
    series = [
        Series(
            str(cue),
            [Point(_of(r), r["difference"], r["difference_low"], r["difference_high"]) for r in own.to_dicts()],
        )
        for (cue,), own in rows.partition_by("cue", as_dict=True, maintain_order=True).items()
    ]
    return [Panel(title_of(rows), series)]


def _of(row: dict[str, Any]) -> str:
    return str(row["method"])


METHODS = Diagnostic("misleading-methods", 2, methods, panels, x="method", y="right → wrong, minus naive")
MODELS = Diagnostic("misleading-models", 2, models, panels, x="method", y="right → wrong, minus the first model")
