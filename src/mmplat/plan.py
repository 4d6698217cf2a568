"""The factored plan: which views of which samples must be asked, in which batches, and which cells that decides.

It never lists the product of the axes: a pair (model × suite) carries its methods, and the decodings are shared by all. It is
torch-free and deterministic, since Snakemake computes it each time it reads the Snakefile; what it was once cut into is read
back from plan.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from mmplat import jobfiles
from mmplat.artifacts import Results, read_json, safe_name, write_json
from mmplat.batching import Cut, Job, Rate, Work, cut, cut_of, describe_jobs, jobs_of, rate_from
from mmplat.costs import measured_rates
from mmplat.errors import ConfigError, UnknownName
from mmplat.evidence.coverage import demand_of
from mmplat.grid import Grid, parse_grid
from mmplat.ids import canonical_json
from mmplat.judges import JudgeSpec
from mmplat.locks import in_use
from mmplat.methods import Method
from mmplat.methods import bind as bind_method
from mmplat.metrics import catalog as metrics
from mmplat.models import families
from mmplat.possible import why_not
from mmplat.recipes import TrainingJob
from mmplat.records import IMPORTED, Batch, Cell, Demand, ModelSpec, SuiteSpec, ViewSpec, Writing
from mmplat.rubrics import catalog as rubrics
from mmplat.suites import catalog as suites
from mmplat.views import bind as bind_view
from mmplat.writings import forwards_of, prefaces_of, writing_of

MADE_BY = "mmplat plan --grid GRID --write"


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
    writings: tuple[Writing, ...] = ()
    """Answers to be written, each once, where the suite is answered in words."""
    judge: JudgeSpec | None = None
    """Who scores what is written."""

    @property
    def passes(self) -> int:
        """Forward passes per sample when every view is asked once, and every answer in words is written to its longest."""
        return self.work.steps

    @property
    def passes_alone(self) -> int:
        """Forward passes per sample when every method runs the model by itself, under one decoding."""
        return sum(self._alone(seeded.method) for seeded in self.methods)

    def _alone(self, method: Method) -> int:
        asks = method.passes if self.suite.answers == "labels" else method.forwards(self.suite.longest)
        return asks + forwards_of(prefaces_of(method.views))

    @property
    def judgments(self) -> int | None:
        """What a judge is asked at most: every answer in every order; equal answers are asked once."""
        if self.judge is None or self.n is None:
            return None
        return self.n * len(self.writings) * len(rubrics.get(self.judge.rubric).orders)

    @property
    def work(self) -> Work:
        rows = () if suites.get(self.suite.kind).open_ended else self.views  # no labels, no rows to read
        return Work(self.model, self.suite, rows, self.writings)


@dataclass(frozen=True)
class Plan:
    """planned + skipped = the whole grid."""

    grid: Grid
    pairs: tuple[Pair, ...]
    skipped: tuple[Skip, ...]
    demand: Demand
    cut: Cut

    @property
    def planned(self) -> int:
        return sum(len(pair.methods) for pair in self.pairs) * len(self.grid.decodings)

    @property
    def forwards(self) -> int | None:
        """Forward passes when every view is asked once, and every answer in words is written to its longest."""
        return _total((pair.n, pair.passes) for pair in self.pairs)

    @property
    def forwards_cell_by_cell(self) -> int | None:
        """Forward passes when every cell runs its model by itself, as other harnesses do."""
        total = _total((pair.n, pair.passes_alone) for pair in self.pairs)
        return None if total is None else total * len(self.grid.decodings)

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """Every batch with what it is expected to take."""
        return jobs_of([pair.work for pair in self.pairs], self.cut, self.demand)

    @property
    def batches(self) -> tuple[Batch, ...]:
        return tuple(job.batch for job in self.jobs)

    def job(self, key: str) -> Job:
        return self._jobs_by_key[key]

    def training(self, key: str) -> TrainingJob:
        return {job.key: job for job in self.grid.trainings.values()}[key]

    def jobs_of(self, pair: Pair) -> tuple[Job, ...]:
        """The jobs that together ask a pair: one, or one per shard."""
        return self._jobs_by_pair[pair.model.name, pair.suite.name]

    @cached_property
    def _jobs_by_key(self) -> dict[str, Job]:
        return {job.key: job for job in self.jobs}

    @cached_property
    def _jobs_by_pair(self) -> dict[tuple[str, str], tuple[Job, ...]]:
        found: dict[tuple[str, str], tuple[Job, ...]] = {}
        for job in self.jobs:
            for part in job.batch.suites:
                name = (job.batch.model.name, part.suite.name)
                found[name] = (*found.get(name, ()), job)
        return found

    def cells(self, pair: Pair) -> Iterator[Cell]:
        for seeded in pair.methods:
            for decoding in self.grid.decodings:
                yield Cell(pair.model.name, pair.suite.name, decoding.name, seeded.method.spec.name, seeded.seed)

    def pair(self, model: str, suite: str) -> Pair:
        """The pair of that name; file-system safe spellings are understood too."""
        found = self._pairs_by_name.get((model, suite))
        if found is None:
            known = [f"{p.model.name} × {p.suite.name}" for p in self.pairs]
            raise UnknownName("pair", f"{model} × {suite}", known, where=f" in campaign {self.grid.campaign!r}")
        return found

    @cached_property
    def _pairs_by_name(self) -> dict[tuple[str, str], Pair]:
        safe = {(safe_name(p.model.name), safe_name(p.suite.name)): p for p in self.pairs}
        return safe | {(p.model.name, p.suite.name): p for p in self.pairs}


def plan_for(grid: Grid, results: Results, minutes_per_job: float | None = None) -> Plan:
    """The plan of a grid in a results folder: cut as plan.json says, what is new by what asking costs.

    `minutes_per_job` belongs to a machine, so it comes from a profile or an option; None keeps what plan.json says, 0 undoes
    it.
    """
    _refuse_no_length(minutes_per_job)
    plan, path = make_plan(grid), results.plan(grid.campaign)
    earlier = _cut_in(path) if path.exists() else Cut()
    work, samples = [pair.work for pair in plan.pairs], {pair.work.key: pair.n for pair in plan.pairs}

    def count(one: Work) -> int | None:
        from mmplat.preparing import known_count  # polars is slow to import, and every job reads the plan

        return samples[one.key] or known_count(results.suite(one.suite.name, one.suite.key))

    @cache
    def measured() -> Rate:
        return rate_from(measured_rates(results))

    made = cut(work, earlier, minutes_per_job, count, lambda model: measured()(model))
    return replace(plan, cut=made)


def make_plan(grid: Grid) -> Plan:
    """Factors a grid, uncut. Every pair of a method and a model or suite that cannot be is skipped with its reason."""
    seeded = [Seeded(bind_method(m.name, m.params, seed=s), s) for m in grid.methods for s in grid.seeds]
    main = bind_view("image")
    pairs, skipped = [], []
    for model in grid.models:
        unavailable = families.get(model.family).unavailable  # of the views that the grid asks for besides
        for suite in grid.suites:
            reasons = [why_not(one.method, one.seed, suite, model, grid) for one in seeded]
            skipped += [
                Skip(model.name, suite.name, one.method.spec.name, one.seed, len(grid.decodings), reason)
                for one, reason in zip(seeded, reasons, strict=True)
                if reason
            ]
            planned = tuple(one for one, reason in zip(seeded, reasons, strict=True) if not reason)
            if planned:
                extra = [v for v in grid.views if not unavailable(v.kind)]
                needed = [main, *(v for one in planned for v in one.method.views), *extra]
                views = tuple({v.key: v for v in needed}.values())
                written = (
                    writing_of(one.method, one.seed, decoding, suite) for one in planned for decoding in grid.decodings
                )
                writings = tuple({w.key: w for w in written if w is not None}.values())
                count, judge = suites.get(suite.kind).count(suite), grid.judges.get(suite.name)
                pairs.append(Pair(model, suite, planned, views, count, writings, judge))
    _refuse_clashes(grid)
    betas = [one.method.beta for one in seeded if one.method.beta is not None]
    samples = {pair.work.key: pair.n for pair in pairs}
    uncut = cut([pair.work for pair in pairs], Cut(), None, lambda one: samples[one.key], rate_from({}))
    return Plan(grid, tuple(pairs), tuple(skipped), demand_of(list(grid.decodings), betas), uncut)


def _refuse_no_length(minutes_per_job: Any) -> None:
    """It may come from a profile, where anything can stand."""
    if minutes_per_job is None:
        return
    if not isinstance(minutes_per_job, (int, float)) or not 0 <= minutes_per_job < float("inf"):
        raise ConfigError(
            f"minutes_per_job = {minutes_per_job!r} is no length of a job. Give minutes (20, say), or 0 for one job per model."
        )


def write_plan(plan: Plan, results: Results) -> Path:
    """Writes what the jobs read, where it is not there or says something else."""
    refuse_guest(results, plan.grid.campaign)
    path = results.plan(plan.grid.campaign)
    _refuse_shared_folder(plan.grid.campaign, path)
    with in_use(results):
        for job in plan.jobs:
            jobfiles.write(results.batch(job.key), job.batch)
        for suite in plan.grid.suites:
            jobfiles.write(results.suite_spec(suite.key), suite)
        for training in plan.grid.trainings.values():
            write_training(training, results)
        description = describe(plan)
        if not path.exists() or canonical_json(read_json(path, made_by=MADE_BY)) != canonical_json(description):
            write_json(path, description)
    return path


def refuse_guest(results: Results, campaign: str) -> None:
    """Nobody's model or endpoint is asked on the word of a campaign that came as an archive."""
    if results.has_guest(campaign):
        raise ConfigError(
            f"Campaign {campaign!r} came as an archive ({results.guest(campaign).archive}): it is decided, published, shown and "
            f"verified from what came with it, and nothing is asked for it. Give your grid another `campaign`, or delete "
            f"{results.guest(campaign).root}."
        )


def _refuse_shared_folder(campaign: str, path: Path) -> None:
    """What a folder cannot carry in a name becomes _ there, so two campaigns may want the same one."""
    there = read_json(path, made_by=MADE_BY) if path.exists() else {}
    if there.get("origin") == IMPORTED:
        raise ConfigError(
            f"Campaign {campaign!r} holds {len(there['imports'])} imported runs ({path}); the plan of a grid would take them out "
            "of the store. Give the grid another `campaign`."
        )
    other = there.get("campaign", campaign)
    if other != campaign:
        raise ConfigError(
            f"Campaign {campaign!r} would lie in {path.parent}, which is that of campaign {other!r}. Give it another name; "
            "letters, digits and . _ + - are kept as they are."
        )


def write_training(job: TrainingJob, results: Results) -> Path:
    """What to train, and on what; `mmplat train` reads it."""
    for suite in job.suites:
        jobfiles.write(results.suite_spec(suite.key), suite)
    jobfiles.write(results.training(job.key), job)
    return results.training(job.key)


def read_plan(path: Path) -> Plan:
    """The plan as a job needs it: made anew from the grid text that plan.json carries, and cut as it says."""
    said = read_json(path, made_by=MADE_BY)
    if "imports" in said:
        raise ConfigError(
            f"{path} is of results that were imported: nothing of it can be asked or decided here. Give the plan of a grid."
        )
    contents = {suite["name"]: (suite.get("condition") or suite).get("content") for suite in said["grid"]["suites"]}
    known = {name: content for name, content in contents.items() if content}
    trainings = {name: TrainingJob.model_validate(job) for name, job in said.get("trainings", {}).items()}
    plan = make_plan(parse_grid(said["grid_text"], source=said["source"], contents=known, trainings=trainings))
    earlier = cut_of(said, source=str(path))
    return replace(plan, cut=earlier) if earlier.jobs else plan


def _cut_in(path: Path) -> Cut:
    return cut_of(read_json(path, made_by=MADE_BY), source=str(path))


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
        **({"trainings": _trainings(plan.grid)} if plan.grid.trainings else {}),
        "minutes_per_job": plan.cut.minutes_per_job,
        "batches": describe_jobs(plan.jobs),
        "versions": _versions(plan),
        "pairs": [_described(pair) for pair in plan.pairs],
        "forwards": plan.forwards,
        "forwards_cell_by_cell": plan.forwards_cell_by_cell,
    }


def _trainings(grid: Grid) -> dict[str, Any]:
    return {name: job.model_dump(mode="json") for name, job in grid.trainings.items()}


def _described(pair: Pair) -> dict[str, Any]:
    said: dict[str, Any] = {"model": pair.model.name, "suite": pair.suite.name}
    if pair.judge is None:
        return said
    return said | {"judge": {**pair.judge.model.params, "rubric": pair.judge.rubric}, "judgments": pair.judgments}


def _versions(plan: Plan) -> dict[str, int]:
    """Versions of everything that decides: with one of them plan.json changes, and what was decided is decided again."""
    methods = {
        f"method:{one.method.spec.family}": one.method.spec.version for pair in plan.pairs for one in pair.methods
    }
    judged = {f"rubric:{judge.rubric}": judge.version for judge in plan.grid.judges.values()}
    return {**methods, **judged, **{f"metric:{name}": metric.version for name, metric in metrics.items()}}


def _resolved(grid: Grid) -> dict[str, Any]:
    return {
        "models": [m.model_dump(mode="json") for m in grid.models],
        "suites": [s.model_dump(mode="json") for s in grid.suites],
        "decodings": [{"name": d.name, **d.settings} for d in grid.decodings],
        "methods": [bind_method(m.name, m.params).spec.model_dump(mode="json") for m in grid.methods],
        "seeds": list(grid.seeds),
    }


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
