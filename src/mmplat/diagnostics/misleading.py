"""How often does a cue turn a right answer wrong (T→F), and how often does one turn a wrong answer right (F→T)?

T and F are each cell's own: what this model said by this method and decoding on the suite as it is. Beside the rates stand what
they mean little without: accuracy without a cue, under cues that are true and under cues that are false, the answers that were
no label, and two controls: how many answers change when the same question is asked again (`control_tf`, `control_ft`), and how
many right ones turn wrong although the cue names the right answer (`disturbed`): there the words disturb, whatever they say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mmplat.diagnostics.base import Diagnostic, named, title_of
from mmplat.diagnostics.conditioned import Conditioned
from mmplat.diagnostics.figures import Panel, Point, Series, draw
from mmplat.diagnostics.led import GOLD, WRONG, Cue, again, cues_of, first_stage, stages_of
from mmplat.diagnostics.two_stages import (
    NOTHING,
    Interval,
    Ratio,
    Stage,
    led_astray,
    led_right,
    mean_rate,
    rate,
    share,
)
from mmplat.errors import IncompatibleCell

Mask = NDArray[np.bool_]
ALL = "all"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell said in both stages."""

    before: Stage
    again: Stage | None
    """Asked once more without a cue."""
    wrong: Stage | None
    gold: Stage | None


@dataclass(frozen=True, slots=True)
class Subset:
    """Samples that are reported together; a wording met different samples in each direction."""

    name: str
    wrong: Mask
    gold: Mask


def measure(one: Conditioned, *, decoding: str | None = None, method: str | None = None) -> pl.DataFrame:
    first, second, cluster = stages_of(one.base), again(one.base), one.base.cluster
    found = []
    for cue in cues_of(one):
        subsets = list(subsets_of(one, cue))
        for key in cue.keys:
            before = first_stage(first, key)
            if before is None or decoding not in (None, key[1]) or method not in (None, key[0]):
                continue
            stage_1, stage = before
            cell = Cell(stage, second.get((stage_1, key[1])), cue.stage(WRONG, key), cue.stage(GOLD, key))
            names = {"method": key[0], "stage_1": stage_1, "decoding": key[1], "cue": cue.name}
            for subset in subsets:
                found.append({**names, "subset": subset.name, **rates(cell, subset, cluster), "cue_unfair": cue.unfair})
    if not found:
        raise IncompatibleCell(f"nothing was decided of it by method {method!r} and decoding {decoding!r}")
    return pl.DataFrame(found, infer_schema_length=None)


def subsets_of(one: Conditioned, cue: Cue) -> Iterator[Subset]:
    """All samples, the suite's own groups, and the families and wordings of the cue where it has several."""
    n = len(one.base.samples)
    for name, rows in one.base.subsets.items():
        mask = np.isin(np.arange(n), rows)
        yield Subset(name, mask, mask)
    if cue.together or len(cue.wrong) > 1:
        return
    nothing = np.full(n, "", object)
    for what in ("templates", "wordings"):
        wrong, gold = (getattr(led[0], what) if led else nothing for led in (cue.wrong, cue.gold))
        met = sorted({*wrong, *gold} - {""})
        for one in met if len(met) > 1 else []:
            yield Subset(f"{what[:-1]}={one}", wrong == one, gold == one)


def rates(cell: Cell, subset: Subset, cluster: NDArray[np.int64]) -> dict[str, Any]:
    """Every measure of one cell on one subset, each with its interval."""
    astray, right = _flips(cell, subset)
    own = _flips(Cell(cell.before, None, cell.again, cell.again), subset)
    both = [ratio for ratio in (astray, right) if ratio is not None]
    wrong, gold = (_in(stage, mask) for stage, mask in ((cell.wrong, subset.wrong), (cell.gold, subset.gold)))
    clean = _in(cell.before, subset.wrong | subset.gold)
    assert clean is not None
    measures: dict[str, Interval] = {
        "tf": _rate(astray, cluster),
        "ft": _rate(right, cluster),
        "mean": mean_rate(both, cluster) if len(both) == 2 else NOTHING,
        "control_tf": _rate(own[0], cluster),
        "control_ft": _rate(own[1], cluster),
        "disturbed": _rate(None if gold is None else led_astray(cell.before, gold), cluster),
        "clean": rate(share(clean.right), cluster),
        "true_cue": _rate(None if gold is None else share(gold.right), cluster),
        "false_cue": _rate(None if wrong is None else share(wrong.right), cluster),
        "invalid": rate(share(clean.invalid), cluster),
        "invalid_cued": _rate(None if wrong is None else share(wrong.invalid), cluster),
    }
    found: dict[str, Any] = {}
    for name, interval in measures.items():
        found |= named(*interval, prefix=f"{name}_")
    counts = {"n_t": astray, "n_f": right}
    return found | {n: _below(ratio) for n, ratio in counts.items()} | {"n": int(clean.known.sum())}


def _flips(cell: Cell, subset: Subset) -> tuple[Ratio | None, Ratio | None]:
    """T→F and F→T, where each was asked."""
    wrong, gold = _in(cell.wrong, subset.wrong), _in(cell.gold, subset.gold)
    return (
        None if wrong is None else led_astray(cell.before, wrong),
        None if gold is None else led_right(cell.before, gold),
    )


def _in(stage: Stage | None, mask: Mask) -> Stage | None:
    """The samples of a subset; all others are unknown."""
    if stage is None:
        return None
    return Stage(*(np.where(mask, values, np.nan) for values in (stage.right, stage.wrong, stage.invalid)))


def _rate(ratio: Ratio | None, cluster: NDArray[np.int64]) -> Interval:
    return NOTHING if ratio is None else rate(ratio, cluster)


def _below(ratio: Ratio | None) -> float | None:
    """How many samples a rate is of: whole under greedy decoding, an expectation else."""
    return None if ratio is None else float(ratio[1].sum())


MEASURES: Mapping[str, str] = {
    "tf": "right → wrong, misled",
    "ft": "wrong → right, led to the gold",
    "disturbed": "right → wrong, although the cue is true",
    "control_tf": "right → wrong, asked again without a cue",
}
"""What the figure shows."""


def panels(rows: pl.DataFrame) -> list[Panel]:
    """One panel per kind of cue: methods side by side, under the first decoding that is there."""
    whole = rows.filter(pl.col("subset") == ALL, pl.col("decoding") == rows["decoding"][0])
    found = []
    for (cue,), own in whole.partition_by("cue", as_dict=True, maintain_order=True).items():
        series = [
            Series(said, [Point(r["method"], r[m], r[f"{m}_low"], r[f"{m}_high"]) for r in own.to_dicts()])
            for m, said in MEASURES.items()
        ]
        found.append(Panel(f"{title_of(rows)}: {cue}", series))
    return found


TRUST: Mapping[str, str] = {
    "tf": "misled: right → wrong under a false cue",
    "true_cue": "right under a true cue",
    "clean": "right without a cue",
}
"""What a model that is tuned against cues trades: who is never misled may turn true cues round as well."""


def trade_off(table: pl.DataFrame) -> str:
    """Models side by side, by their first method and decoding: misled under false cues, and right under true ones."""
    first = {axis: table[axis][0] for axis in ("method", "decoding")}
    whole = table.filter(subset=ALL, **first).partition_by("suite", "cue", as_dict=True, maintain_order=True)
    found = []
    for (suite, cue), own in whole.items():
        series = [
            Series(said, [Point(r["model"], r[m], r[f"{m}_low"], r[f"{m}_high"]) for r in own.to_dicts()])
            for m, said in TRUST.items()
        ]
        found.append(Panel(f"{suite}: {cue}", series))
    return draw(found, x="model", y="share of answers")


DIAGNOSTIC = Diagnostic(
    "misleading",
    1,
    measure,
    panels,
    x="method",
    y="share of answers that change",
    figures={"trade-off": trade_off},
)
