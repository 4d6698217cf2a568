"""How a plan's work is cut into batches: one per model, or several that take about `minutes_per_job` each.

A cut depends on what asking costs, and that is measured while a campaign runs; so it is made once, written into plan.json,
and read back from there. What is new in a grid is cut anew, and what was cut stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mmplat.errors import ArtifactError
from mmplat.records import PLACES, Batch, BatchSuite, Demand, ModelSpec, Needs, Shard, SuiteSpec, ViewSpec, Writing
from mmplat.writings import forwards_for

PairKey = tuple[str, str, str, str]
Rate = Callable[[ModelSpec], float | None]
"""Rows of forwards per second of a model, counted as `writings.py` foresees them; None: nobody knows."""
Count = Callable[["Work"], int | None]
"""Samples of a suite; None: not before it is prepared."""

MARGIN = 2.0
"""A job may take this many times its estimate before a cluster ends it: the next device may be a slower one."""
LOADING_MIN = 10
"""And this long for loading the model."""


@dataclass(frozen=True, slots=True)
class Work:
    """All that is to be asked of one model on one suite."""

    model: ModelSpec
    suite: SuiteSpec
    views: tuple[ViewSpec, ...]
    writings: tuple[Writing, ...] = ()

    @property
    def steps(self) -> int:
        """Rows of forwards per sample at most."""
        return forwards_for(self.views, self.writings)

    @property
    def key(self) -> PairKey:
        return (self.model.name, self.model.key, self.suite.name, self.suite.key)


WHOLE = Shard()


@dataclass(frozen=True, slots=True)
class Piece:
    """A suite or a shard of one, as one job asks it."""

    pair: PairKey
    shard: Shard = WHOLE
    minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """Which pieces go into which job."""

    minutes_per_job: float | None = None
    """None: nothing is cut, one job per model."""
    jobs: tuple[tuple[Piece, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """A batch, and what its job is expected to take."""

    key: str
    batch: Batch
    pieces: tuple[Piece, ...]

    @property
    def minutes(self) -> float | None:
        """None where the cost of a piece is not known."""
        known = [piece.minutes for piece in self.pieces if piece.minutes is not None]
        return sum(known) if len(known) == len(self.pieces) else None

    def resources(self) -> dict[str, int | str]:
        """What to ask a cluster for, in Snakemake's words; only what the grid says and what follows from the estimate."""
        needed = resources_of(self.batch.model.needs)
        return needed if self.minutes is None else {**needed, "runtime": math.ceil(MARGIN * self.minutes) + LOADING_MIN}


def resources_of(needs: Needs) -> dict[str, int | str]:
    """What somebody says that a job needs, in Snakemake's words."""
    said = {
        "gpu": needs.gpus,
        "gpu_model": needs.gpu_type,
        "mem_mb": None if needs.mem_gb is None else math.ceil(needs.mem_gb * 1024),
    }
    return {name: value for name, value in said.items() if value is not None}


class Default(Protocol):
    """A resource that the profile gives to jobs which say nothing, as Snakemake holds it."""

    @property
    def value(self) -> int | str | None: ...
    def evaluate(self, *args: Any, **kwargs: Any) -> Default: ...


def resource(
    needed: Mapping[str, int | str], name: str, defaults: Mapping[str, Default], wildcards: Any, **known: Any
) -> int | str:
    """One resource that a job needs, else the profile's default, else nothing (0 and "" say nothing to an executor).

    A rule's function must give a value, so Snakemake never comes to its own default for it.
    """
    said = needed.get(name)
    if said is None and name in defaults:
        said = defaults[name].evaluate(wildcards, **known).value
    return said if said is not None else "" if name in WORDS else 0


WORDS = {"gpu_model"}


def cut(work: Sequence[Work], earlier: Cut, minutes_per_job: float | None, count: Count, rate: Rate) -> Cut:
    """The cut of `work`: what `earlier` says where it was made for the same length of a job, and a new one for the rest.

    None as `minutes_per_job` stands for that of `earlier`; 0 undoes a cut.
    """
    wanted = earlier.minutes_per_job if minutes_per_job is None else minutes_per_job or None
    if wanted is None:
        return Cut(None, _one_job_per_model(work, count, lambda model: model.needs.samples_per_s))
    current = {one.key for one in work}
    kept = [tuple(p for p in job if p.pair in current) for job in earlier.jobs if wanted == earlier.minutes_per_job]
    done = {piece.pair for job in kept for piece in job}
    new = [one for one in work if one.key not in done]
    return Cut(wanted, (*filter(None, kept), *_jobs_of_about(wanted, new, count, rate)))


def jobs_of(work: Sequence[Work], made: Cut, demand: Demand) -> tuple[Job, ...]:
    """The batches that a cut makes of `work`."""
    by_key = {one.key: one for one in work}
    return tuple(_job([(by_key[piece.pair], piece) for piece in job], demand) for job in made.jobs)


def _job(parts: Sequence[tuple[Work, Piece]], demand: Demand) -> Job:
    suites = tuple(
        BatchSuite(suite=work.suite, views=work.views, writings=work.writings, shard=piece.shard)
        for work, piece in parts
    )
    batch = Batch(model=parts[0][0].model, suites=suites, demand=demand)
    return Job(batch.key, batch, tuple(piece for _, piece in parts))


def _one_job_per_model(work: Iterable[Work], count: Count, rate: Rate) -> tuple[tuple[Piece, ...], ...]:
    of_model: dict[str, list[Piece]] = {}
    for one in work:
        of_model.setdefault(one.model.name, []).append(Piece(one.key, minutes=_minutes(one, count, rate)))
    return tuple(tuple(pieces) for pieces in of_model.values())


def _jobs_of_about(wanted: float, work: Sequence[Work], count: Count, rate: Rate) -> list[tuple[Piece, ...]]:
    """Each shard begins a job, and each whole suite goes into the first job of its model that has room.

    So a model is loaded as seldom as the length allows. Suites of unknown cost share one job per model, as they would uncut.
    """
    pieces = [(one.model.name, _pieces(one, wanted, _minutes(one, count, rate))) for one in work]
    jobs: dict[str, list[list[Piece]]] = {model: [] for model, _ in pieces}
    for model, shards in pieces:
        jobs[model] += [[shard] for shard in shards if len(shards) > 1]
    for model, whole in pieces:
        if len(whole) == 1:
            room = next((job for job in jobs[model] if _fits(whole[0], job, wanted)), None)
            if room is None:
                jobs[model].append(whole)
            else:
                room.append(whole[0])
    return [tuple(job) for of_model in jobs.values() for job in of_model]


def _pieces(work: Work, wanted: float, minutes: float | None) -> list[Piece]:
    """A suite whole, or in as many equal shards as keep each within the wanted length."""
    of = 1 if minutes is None else min(max(1, math.ceil(minutes / wanted)), PLACES)
    each = None if minutes is None else minutes / of
    return [Piece(work.key, Shard(index=index, of=of), each) for index in range(of)]


def _fits(piece: Piece, job: list[Piece], wanted: float) -> bool:
    known = [one.minutes for one in (*job, piece) if one.minutes is not None]
    if not known:
        return True
    return len(known) == len(job) + 1 and sum(known) <= wanted


def _minutes(work: Work, count: Count, rate: Rate) -> float | None:
    samples, per_s = count(work), rate(work.model)
    if samples is None or not per_s:
        return None
    return round(samples * work.steps / per_s / 60, 3)


def rate_from(measured: Mapping[str, Mapping[str, float]]) -> Rate:
    """Forwards per second of a model as measured (model key → hardware → rate), else as its grid estimates.

    Of several devices the slowest counts, so that a job is no longer than wanted on any of them; what a model that needs a
    GPU did elsewhere does not.
    """

    def rate(model: ModelSpec) -> float | None:
        rates = [per_s for hardware, per_s in measured.get(model.key, {}).items() if _suits(hardware, model)]
        return min(rates, default=model.needs.samples_per_s)

    return rate


def _suits(hardware: str, model: ModelSpec) -> bool:
    kind, wanted = hardware.lower(), (model.needs.gpu_type or "").lower()
    return wanted in kind and not (model.needs.gpus and kind in ("cpu", "none"))


def describe_jobs(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """Jobs as plan.json shows them; `cut_of` reads them back."""
    return [
        {
            "key": job.key,
            "model": job.batch.model.name,
            "model_key": job.batch.model.key,
            "minutes": job.minutes,
            "suites": [
                {
                    "suite": part.suite.name,
                    "suite_key": part.suite.key,
                    "shard": part.shard.model_dump(),
                    "views": [view.name for view in part.views],
                    "minutes": piece.minutes,
                }
                for part, piece in zip(job.batch.suites, job.pieces, strict=True)
            ],
        }
        for job in jobs
    ]


def cut_of(said: Mapping[str, Any], *, source: str) -> Cut:
    """The cut that a plan.json holds; none where it was written before plans were cut."""
    if said.get("minutes_per_job") is None:
        return Cut()
    try:
        jobs = tuple(tuple(_piece(batch, part) for part in batch["suites"]) for batch in said["batches"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{source} does not say how its work is cut into jobs ({error!r}). Delete it and run `mmplat plan --write` with "
            "the same grid: evidence stays, and nothing is asked twice."
        ) from error
    return Cut(float(said["minutes_per_job"]), jobs)


def _piece(batch: Mapping[str, Any], part: Mapping[str, Any]) -> Piece:
    pair = (batch["model"], batch["model_key"], part["suite"], part["suite_key"])
    return Piece(pair, Shard.model_validate(part["shard"]), part["minutes"])
