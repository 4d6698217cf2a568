"""The factored plan: which views of which samples must be asked, in which batches, and which cells that decides.

It never lists the product of the axes: a pair (model × suite) carries its methods, and the decodings are shared by all. It is
torch-free and deterministic, since Snakemake computes it each time it reads the Snakefile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mmplat.artifacts import Results, read_json, safe_name, write_json, write_json_once
from mmplat.errors import ConfigError, UnknownName
from mmplat.evidence.coverage import demand_of
from mmplat.grid import Grid, parse_grid
from mmplat.ids import canonical_json
from mmplat.methods import Method
from mmplat.methods import bind as bind_method
from mmplat.metrics import catalog as metrics
from mmplat.models import families
from mmplat.records import Batch, BatchSuite, Cell, Demand, ModelSpec, SuiteSpec, ViewSpec
from mmplat.suites import catalog as suites
from mmplat.views import bind as bind_view


@dataclass(frozen=True, slots=True)
class Seeded:
    """A method under one seed of the grid."""

    method: Method
    seed: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Cells of one pair that cannot be or would say nothing new, with the reason."""

    model: str
    suite: str
    method: str
    seed: int
    cells: int
    reason: str


@dataclass(frozen=True, slots=True)
class Pair:
    """All planned cells of one model on one suite: its methods × the grid's decodings."""

    model: ModelSpec
    suite: SuiteSpec
    methods: tuple[Seeded, ...]
    views: tuple[ViewSpec, ...]
    """What must be asked, the main view first."""
    n: int | None
    """Samples, where the suite knows before it is prepared."""


@dataclass(frozen=True)
class Plan:
    """planned + skipped = the whole grid."""

    grid: Grid
    pairs: tuple[Pair, ...]
    skipped: tuple[Skip, ...]
    demand: Demand

    @property
    def planned(self) -> int:
        return sum(len(pair.methods) for pair in self.pairs) * len(self.grid.decodings)

    @property
    def forwards(self) -> int | None:
        """Forward passes when every view is asked once."""
        return _total((pair.n, len(pair.views)) for pair in self.pairs)

    @property
    def forwards_cell_by_cell(self) -> int | None:
        """Forward passes (first tokens) when every cell runs its model by itself, as other harnesses do."""
        per_pair = ((pair.n, sum(s.method.passes for s in pair.methods)) for pair in self.pairs)
        total = _total(per_pair)
        return None if total is None else total * len(self.grid.decodings)

    @cached_property
    def batches(self) -> tuple[Batch, ...]:
        """One batch per model: it is loaded once, for all of its suites."""
        of_model: dict[str, list[Pair]] = {}
        for pair in self.pairs:
            of_model.setdefault(pair.model.name, []).append(pair)
        return tuple(
            Batch(
                model=pairs[0].model,
                suites=tuple(BatchSuite(suite=p.suite, views=p.views) for p in pairs),
                demand=self.demand,
            )
            for pairs in of_model.values()
        )

    def cells(self, pair: Pair) -> Iterator[Cell]:
        for seeded in pair.methods:
            for decoding in self.grid.decodings:
                yield Cell(pair.model.name, pair.suite.name, decoding.name, seeded.method.spec.name, seeded.seed)

    def pair(self, model: str, suite: str) -> Pair:
        """The pair of that name; file-system safe spellings are understood too."""
        for pair in self.pairs:
            names = (pair.model.name, pair.suite.name)
            if (model, suite) in (names, tuple(safe_name(n) for n in names)):
                return pair
        known = [f"{p.model.name} × {p.suite.name}" for p in self.pairs]
        raise UnknownName("pair", f"{model} × {suite}", known, where=f" in campaign {self.grid.campaign!r}")

    def batch_of(self, pair: Pair) -> Batch:
        return next(b for b in self.batches if b.model.name == pair.model.name)


def make_plan(grid: Grid) -> Plan:
    """Factors a grid. Every pair of a method and a model or suite that cannot be is skipped with its reason."""
    seeded = [Seeded(bind_method(m.name, m.params, seed=s), s) for m in grid.methods for s in grid.seeds]
    main = bind_view("image")
    pairs, skipped = [], []
    for model in grid.models:
        unavailable = families.get(model.family).unavailable
        for suite in grid.suites:
            reasons = [_incompatible(one, suite, unavailable, grid.seeds[0]) for one in seeded]
            skipped += [
                Skip(model.name, suite.name, one.method.spec.name, one.seed, len(grid.decodings), reason)
                for one, reason in zip(seeded, reasons, strict=True)
                if reason
            ]
            planned = tuple(one for one, reason in zip(seeded, reasons, strict=True) if not reason)
            if planned:
                extra = [v for v in grid.views if not unavailable(v.kind)]
                needed = [main, *(v for one in planned for v in one.method.references), *extra]
                views = tuple({v.key: v for v in needed}.values())
                pairs.append(Pair(model, suite, planned, views, suites.get(suite.kind).count(suite)))
    _refuse_clashes(grid)
    betas = [one.method.beta for one in seeded if one.method.beta is not None]
    return Plan(grid, tuple(pairs), tuple(skipped), demand_of(list(grid.decodings), betas))


def write_plan(plan: Plan, results: Results) -> Path:
    """Writes what the jobs read. Files named by content are never rewritten, plan.json only when it says something new."""
    for batch in plan.batches:
        write_json_once(results.batch(batch.key), batch.model_dump(mode="json"))
    for suite in plan.grid.suites:
        write_json_once(results.suite_spec(suite.key), suite.model_dump(mode="json"))
    path = results.plan(plan.grid.campaign)
    said = describe(plan)
    if not path.exists() or canonical_json(json.loads(path.read_text(encoding="utf-8"))) != canonical_json(said):
        write_json(path, said)
    return path


def read_plan(path: Path) -> Plan:
    """The plan as a job needs it: made anew from the grid text that plan.json carries."""
    said = read_json(path, made_by="mmplat plan --grid GRID --write")
    return make_plan(parse_grid(said["grid_text"], source=said["source"]))


def describe(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: counts, batches, and every skipped group of cells with its reason."""
    return {
        "campaign": plan.grid.campaign,
        "source": plan.grid.source,
        "grid_text": plan.grid.text,
        "grid": _resolved(plan.grid),
        "cells": plan.grid.cells,
        "planned": plan.planned,
        "skipped": [
            {
                "reason": s.reason,
                "cells": s.cells,
                "model": s.model,
                "suite": s.suite,
                "method": s.method,
                "seed": s.seed,
            }
            for s in plan.skipped
        ],
        "batches": [
            {
                "key": batch.key,
                "model": batch.model.name,
                "suites": [{"suite": s.suite.name, "views": [v.name for v in s.views]} for s in batch.suites],
            }
            for batch in plan.batches
        ],
        "versions": _versions(plan),
        "pairs": [{"model": pair.model.name, "suite": pair.suite.name} for pair in plan.pairs],
        "forwards": plan.forwards,
        "forwards_cell_by_cell": plan.forwards_cell_by_cell,
    }


def _versions(plan: Plan) -> dict[str, int]:
    """Versions of everything that decides: with one of them plan.json changes, and what was decided is decided again."""
    methods = {
        f"method:{one.method.spec.family}": one.method.spec.version for pair in plan.pairs for one in pair.methods
    }
    return {**methods, **{f"metric:{name}": metric.version for name, metric in metrics.items()}}


def _resolved(grid: Grid) -> dict[str, Any]:
    return {
        "models": [m.model_dump(mode="json") for m in grid.models],
        "suites": [s.model_dump(mode="json") for s in grid.suites],
        "decodings": [{"name": d.name, **d.settings} for d in grid.decodings],
        "methods": [bind_method(m.name, m.params).spec.model_dump(mode="json") for m in grid.methods],
        "seeds": list(grid.seeds),
    }


def _incompatible(one: Seeded, suite: SuiteSpec, unavailable: Any, first_seed: int) -> str | None:
    """Why a method cannot run on this pair, or would repeat what another cell says."""
    if one.seed != first_seed and not one.method.stochastic:
        return f"no random view, so seed {one.seed} would repeat seed {first_seed}"
    if one.method.references and not suites.get(suite.kind).images:
        return "the suite has no images, so every reference view equals the sample itself"
    for view in one.method.references:
        reason = unavailable(view.kind)
        if reason:
            return f"view {view.name!r} is not available: {reason}"
    return None


def _refuse_clashes(grid: Grid) -> None:
    """Two names that one folder would carry are refused before anything is written."""
    for axis, names in (("models", [m.name for m in grid.models]), ("suites", [s.name for s in grid.suites])):
        safe: dict[str, str] = {}
        for name in names:
            other = safe.setdefault(safe_name(name), name)
            if other != name:
                raise ConfigError(
                    f"{axis}: {other!r} and {name!r} would share the folder {safe_name(name)!r}. Rename one."
                )


def _total(products: Iterator[tuple[int | None, int]]) -> int | None:
    total = 0
    for n, times in products:
        if n is None:
            return None
        total += n * times
    return total
