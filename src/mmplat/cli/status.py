"""mmplat status: how far a campaign is, what runs, and what failed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.options import DEFAULT_GRID, GridOption, PlanArgument, ResultsOption

if TYPE_CHECKING:
    from mmplat.campaign import BatchState, Progress

SHOWN = 20
"""Batches and failures of each kind that are listed; the rest is counted."""


def status(
    plan: PlanArgument = None,
    grid: GridOption = DEFAULT_GRID,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 unless all is done and nothing failed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    results: ResultsOption = None,
) -> None:
    """Show what runs, what waits, which batches are asked and pairs decided, and every recorded failure."""
    from mmplat import artifacts
    from mmplat.campaign import progress_of
    from mmplat.errors import CampaignFailed
    from mmplat.grid import load_grid
    from mmplat.plan import plan_for, read_plan

    place = artifacts.results(results)
    made = plan_for(load_grid(grid), place) if plan is None else read_plan(plan)
    state = progress_of(made, place)
    typer.echo(json.dumps(state.as_json(), indent=1) if as_json else "\n".join(_lines(state)))
    if strict and not state.fine:
        raise CampaignFailed(state.verdict)


def _lines(state: Progress) -> Iterator[str]:
    """The state for people."""
    asked = f"{state.count('done')} of {len(state.batches)} asked"
    yield f"campaign {state.campaign}"
    if state.trainings:
        left = "".join(f"; not yet: {one}" for one in state.untrained[:SHOWN])
        yield f"models   {len(state.trainings) - len(state.untrained)} of {len(state.trainings)} trained{left}"
    yield f"batches  {', '.join([asked, *_other_counts(state)])}"
    yield f"pairs    {state.decided} of {state.pairs} decided"
    yield f"rows     {_rows(state)}"
    yield from _batches(state.with_status("running"), state, _running)
    yield from _batches(state.with_status("lost"), state, _lost)
    yield from _batches(state.with_status("failed"), state, _failed)
    yield from _batches(state.with_status("stopped"), state, _stopped)
    yield f"samples  {len(state.failures)} could not be asked"
    yield from (f"         {line}" for line in state.failures[:SHOWN])
    if state.unjudged:
        yield f"judged   {len(state.unjudged)} samples could not be"
        yield from (f"         {line}" for line in state.unjudged[:SHOWN])


def _other_counts(state: Progress) -> list[str]:
    counts = Counter(batch.status for batch in state.batches if batch.status != "done")
    return [f"{count} {status}" for status, count in counts.most_common()]


def _batches(batches: list[BatchState], state: Progress, line: Callable[[BatchState, Progress], str]) -> Iterator[str]:
    for batch in batches[:SHOWN]:
        yield f"{batch.status:8} {batch.key[:12]}  {batch.model} ← {'; '.join(batch.suites)}  {line(batch, state)}"
    if len(batches) > SHOWN:
        yield f"         … and {len(batches) - SHOWN} more {batches[0].status}"


def _rows(state: Progress) -> str:
    done, total, end = state.rows_done, state.rows_total, state.expected_end
    said = (
        f"{done:,} of {total:,} ({done / max(total, 1):.0%})" if total is not None else f"{done:,} of an unknown number"
    )
    if not state.with_status("running"):
        return said
    when = "unknown" if end is None else f"{end.astimezone():%Y-%m-%d %H:%M}"
    return f"{said}, {state.rows_per_s:,.1f} rows/s, expected end {when}"


def _running(batch: BatchState, state: Progress) -> str:
    beat = batch.heartbeat
    if beat is None:
        return ""
    memory = [
        f"{mb / 1024:.1f} GB{of}" for mb, of in ((beat.peak_memory_mb, ""), (beat.peak_gpu_memory_mb, " GPU")) if mb
    ]
    asked = "loading the model" if beat.suite is None else f"{batch.rows_done:,} of {batch.rows_total:,} rows"
    rate = [f"{beat.rows_per_s:,.1f} rows/s"] if beat.rows_per_s else []
    return ", ".join([asked, *rate, *memory, _where(batch), f"{_age(batch, state)} ago"])


def _lost(batch: BatchState, state: Progress) -> str:
    return f"no word for {_age(batch, state)} from {_where(batch)}: killed? The same snakemake command goes on with it"


def _failed(batch: BatchState, state: Progress) -> str:
    return f"{batch.heartbeat.error if batch.heartbeat else ''} ({_where(batch)}; log logs/ask/{batch.key}.log)"


def _stopped(batch: BatchState, state: Progress) -> str:
    return f"told to end {_age(batch, state)} ago on {_where(batch)}; the same snakemake command goes on with it"


def _where(batch: BatchState) -> str:
    beat = batch.heartbeat
    if beat is None:
        return ""
    return f"{beat.host}:{beat.pid}" + (f" (SLURM job {beat.slurm_job})" if beat.slurm_job else "")


def _age(batch: BatchState, state: Progress) -> str:
    seconds = 0.0 if batch.heartbeat is None else max((state.now - batch.heartbeat.updated).total_seconds(), 0.0)
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
