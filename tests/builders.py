"""Builders that tests share: a grid run in-process from text to decisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmplat.artifacts import Results
from mmplat.plan import Plan, make_plan, write_plan
from mmplat.preparing import load_picture
from mmplat.records import Sample

HOSTILE = "<script>window.hacked = 1</script> $x^2$ **b** <img src=x onerror='window.hacked = 2'> :red[is it?]"
"""A question as an attacker, or a mathematician, may write it: pages must show it literally."""

GRID = """
campaign: test
models: [fake]
suites: [world-objects]
decodings: [greedy, sample]
methods: [naive, posthoc-none, vdd-none]
limit: 60
"""


@dataclass(frozen=True)
class Ran:
    """A grid that was run, and its files."""

    plan: Plan
    results: Results

    def table(self, name: str) -> pl.DataFrame:
        """predictions, runs or metrics of all pairs."""
        folder = self.results.campaign(self.plan.grid.campaign) / "decided"
        return pl.concat(pl.read_parquet(path, glob=False) for path in sorted(folder.rglob(f"{name}.parquet")))

    def value(self, *, metric: str = "expected_accuracy", subset: str = "all", **cell: object) -> float:
        runs = self.table("runs").filter(**cell)
        assert runs.height == 1, runs
        found = self.table("metrics").filter(run_id=runs["run_id"][0], metric=metric, subset=subset)
        return float(found["value"][0])


def ask_all(plan: Plan, results: Results) -> list[object]:
    """plan → prepare → ask, as the verbs do."""
    from mmplat.asking import ask
    from mmplat.preparing import prepare

    write_plan(plan, results)
    for suite in plan.grid.suites:
        prepare(suite, results)
    return [ask(batch, results) for batch in plan.batches]


def run_grid(text: str, results: Results) -> Ran:
    """plan → prepare → ask → decide."""
    from mmplat.deciding import decide
    from mmplat.grid import parse_grid

    plan = make_plan(parse_grid(text))
    ask_all(plan, results)
    for pair in plan.pairs:
        decide(plan, pair, results)
    return Ran(plan, results)


@dataclass(frozen=True)
class Prepared:
    """A prepared suite with its samples."""

    folder: Path
    samples: list[Sample]

    def pictures(self, sample: Sample) -> tuple[Any, ...]:
        return tuple(load_picture(self.folder, name) for name in sample.images)
