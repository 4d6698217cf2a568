"""A run, recomputed from its evidence and compared with what was recorded: its metrics in the store, its predictions on disk.

Nothing is written and no model is asked. Numbers must agree but for the last bits of another machine's arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import polars as pl

from mmplat.artifacts import Results, read_json
from mmplat.audit.comparing import metric_differences, prediction_differences, record_differences
from mmplat.deciding import Decisions, decisions
from mmplat.errors import ArtifactError, MmplatError
from mmplat.evidence.judged import judged_folder
from mmplat.plan import read_plan
from mmplat.preparing import load_metadata, load_picture, load_samples, samples_id
from mmplat.records import IMPORTED, RunRecord, identifying
from mmplat.store import Recorded

Status = Literal["verified", "imported", "differs", "superseded", "gone", "unreadable"]
"""verified: recomputed, and equal. imported: its answers were given elsewhere, so there is nothing to recompute. differs: its
evidence gives other numbers, so that or the record was altered. superseded: today's grid or versions decide another run in its
cell. gone: its evidence or its samples are not there. unreadable: they are, and cannot be read."""
FINE: tuple[Status, ...] = ("verified", "imported")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one run."""

    run: RunRecord
    status: Status
    reasons: tuple[str, ...] = ()

    @property
    def fine(self) -> bool:
        return self.status in FINE


def verify(results: Results, runs: Sequence[Recorded], *, pictures: bool = False) -> Iterator[Verdict]:
    """One verdict per run; the runs of one model on one suite are recomputed together.

    With `pictures`, every image of a suite is read too and compared with the content that its name promises.
    """

    def pair(one: Recorded) -> tuple[str, str, str]:
        return one.run.campaign, one.run.model, one.run.suite

    for _, group in groupby(sorted(runs, key=pair), key=pair):
        yield from _pair(results, list(group), pictures)


def _pair(results: Results, runs: list[Recorded], pictures: bool) -> Iterator[Verdict]:
    measured = [one for one in runs if one.run.origin != IMPORTED]
    yield from (Verdict(one.run, "imported") for one in runs if one.run.origin == IMPORTED)
    if not measured:
        return
    first = measured[0].run
    results = results.of(first.campaign)
    status: Status = "gone"
    try:
        bound = _bound(results, first)
        _refuse_gone(results, first, bound)
        status = "unreadable"
        _refuse_altered(results.suite(first.suite, first.suite_key), pictures)
        plan = read_plan(results.plan(first.campaign))
        made = decisions(plan, plan.pair(first.model, first.suite), results, bound=bound)
        stored = _stored_predictions(results, first)
    except MmplatError as error:
        yield from (Verdict(one.run, status, (str(error),)) for one in measured)
        return
    yield from _compared(measured, made, stored)


def _bound(results: Results, run: RunRecord) -> dict[str, str] | None:
    """The parts of evidence that a pair was decided from, with their SHA-256; None: an earlier version decided it."""
    path = results.decided(run.campaign, run.model, run.suite) / "decided.json"
    found = read_json(path, made_by="mmplat decide").get("evidence")
    return None if found is None else dict(found)


def _refuse_gone(results: Results, run: RunRecord, bound: Mapping[str, str] | None) -> None:
    evidence = results.evidence(run.model, run.suite, run.model_key)
    if not any(evidence.glob("*.parquet")):
        raise ArtifactError(f"its evidence is gone: {evidence} holds no part")
    for name in bound or ():
        if not any((folder / name).exists() for folder in (evidence, judged_folder(evidence))):
            raise ArtifactError(f"its evidence is gone: {evidence / name} was decided from, and is not there")
    for path in (results.suite(run.suite, run.suite_key) / "suite.json", results.plan(run.campaign)):
        if not path.exists():
            raise ArtifactError(f"{path} is gone")


def _refuse_altered(suite: Path, pictures: bool) -> None:
    samples = load_samples(suite)
    if samples_id(samples) != load_metadata(suite)["content_id"]:
        raise ArtifactError(f"the samples in {suite} are not those that were prepared")
    for name in sorted({name for sample in samples for name in sample.images}):
        if pictures:
            load_picture(suite, name)
        elif not (suite / "images" / name).exists():
            raise ArtifactError(f"image {suite / 'images' / name} is gone")


def _stored_predictions(results: Results, run: RunRecord) -> pl.DataFrame:
    path = results.decided(run.campaign, run.model, run.suite) / "predictions.parquet"
    try:
        return pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}); `mmplat decide` makes it again") from error


def _compared(runs: list[Recorded], made: Decisions, stored: pl.DataFrame) -> Iterator[Verdict]:
    fresh = {run.run_id: run for run in made.runs}
    cells = {(run.method, run.decoding, run.seed): run for run in made.runs}
    metrics = pl.DataFrame(made.metrics()).partition_by("run_id", as_dict=True)
    predictions = pl.DataFrame(made.predictions()).partition_by("run_id", as_dict=True)
    before = stored.partition_by("run_id", as_dict=True)
    for one in runs:
        key = (one.run.run_id,)
        if one.run.run_id not in fresh:
            now = cells.get((one.run.method, one.run.decoding, one.run.seed))
            yield Verdict(one.run, "superseded", tuple(_why_superseded(one.run, now)))
            continue
        reasons = [
            *record_differences(one.run, fresh[one.run.run_id]),
            *metric_differences(one.metrics, metrics.get(key)),
            *prediction_differences(before.get(key), predictions[key]),
        ]
        yield Verdict(one.run, "differs" if reasons else "verified", tuple(reasons))


def _why_superseded(run: RunRecord, now: RunRecord | None) -> Iterator[str]:
    """What the id of a run is made of, and which part of it is another one today."""
    if now is None:
        yield "its cell is no longer in the campaign's grid"
        return
    if run.evidence_key != now.evidence_key:
        yield "the cell is decided from other evidence now: another model revision, other samples or other views"
    if run.settings != now.settings:
        yield f"settings were {run.settings}, are {now.settings}"
    for name in sorted({*identifying(now.versions), *identifying(run.versions)}):
        if run.versions.get(name) != now.versions.get(name):
            yield f"version of {name} was {run.versions.get(name)}, is {now.versions.get(name)}"
