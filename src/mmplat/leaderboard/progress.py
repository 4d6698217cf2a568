"""What runs now, what it costs and what went wrong, as tables: read from plans, heartbeats and schedules, without the store.

Nothing here is cached by the store's version: a heartbeat changes every few seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import polars as pl

from mmplat.artifacts import Results, read_json, safe_name
from mmplat.campaign import BatchState, BatchStatus, Progress, progress_of
from mmplat.errors import ArtifactError, MmplatError
from mmplat.plan import read_plan
from mmplat.schedule import Firing, firings, log_of, scheduled

OVERVIEW: dict[str, Any] = {
    "campaign": pl.String, "state": pl.String, "batches": pl.Int64, **dict.fromkeys(get_args(BatchStatus), pl.Int64),
    "pairs": pl.Int64, "decided": pl.Int64, "rows_done": pl.Int64, "rows_total": pl.Int64, "rows_per_s": pl.Float64,
    "expected_end": pl.Datetime("us", "UTC"), "failures": pl.Int64, "note": pl.String,
}  # fmt: skip
BATCHES: dict[str, Any] = {
    "batch": pl.String, "status": pl.String, "model": pl.String, "suites": pl.String, "rows_done": pl.Int64,
    "rows_total": pl.Int64, "rows_per_s": pl.Float64, "seconds_left": pl.Float64, "host": pl.String,
    "updated": pl.Datetime("us", "UTC"), "memory_mb": pl.Int64, "gpu_memory_mb": pl.Int64, "error": pl.String,
    "log": pl.String,
}  # fmt: skip
FIRINGS: dict[str, Any] = {
    "schedule": pl.String, "cron": pl.String, "grid": pl.String, "due": pl.String, "outcome": pl.String,
    "rows_asked": pl.Int64, "reason": pl.String, "log": pl.String,
}  # fmt: skip
COSTS: dict[str, Any] = {"model": pl.String, "hardware": pl.String, "forwards": pl.Int64, "seconds": pl.Float64}
TAIL_BYTES = 20_000


def campaigns(results: Results) -> list[str]:
    """Campaigns that have a plan, the one that was planned last first."""
    plans = sorted(results.plans, key=lambda path: -path.stat().st_mtime)
    return [str(read_json(plan, made_by="mmplat plan")["campaign"]) for plan in plans]


def overview(results: Results) -> pl.DataFrame:
    """One row per campaign that has a plan: how far it is; `note` says why where that cannot be told."""
    rows = [_told(results, plan) for plan in results.plans]
    return pl.DataFrame(rows, schema=OVERVIEW)


def _told(results: Results, plan: Path) -> dict[str, Any]:
    try:
        return _row(_state(results, plan))
    except MmplatError as error:  # imported, of another version, or being written: the others are still worth telling
        return dict.fromkeys(OVERVIEW) | {"campaign": plan.parent.name, "state": "unknown", "note": str(error)}


def _state(results: Results, plan: Path) -> Progress:
    """How far the campaign of a plan is, by its files."""
    try:
        return progress_of(read_plan(plan), results)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{plan} is no plan that this version of mmplat wrote ({type(error).__name__}: {error}). Plan its grid again: "
            "mmplat plan --grid GRID --write."
        ) from None


def _row(state: Progress) -> dict[str, Any]:
    counts = Counter(batch.status for batch in state.batches)
    return {
        "campaign": state.campaign, "state": _in_a_word(state), "batches": len(state.batches),
        **{name: counts[name] for name in get_args(BatchStatus)}, "pairs": state.pairs, "decided": state.decided,
        "rows_done": state.rows_done, "rows_total": state.rows_total, "rows_per_s": state.rows_per_s,
        "expected_end": state.expected_end, "failures": len(state.failures) + len(state.unjudged),
        "note": None if state.fine else state.verdict,
    }  # fmt: skip


def _in_a_word(state: Progress) -> str:
    """The worst news first."""
    if state.fine:
        return "complete"
    worst: tuple[BatchStatus, ...] = ("failed", "lost", "running")
    return next((status for status in worst if state.with_status(status)), "unfinished")


def batches(results: Results, campaign: str) -> pl.DataFrame:
    """One row per batch of a campaign: who asks it where, how fast, and what it said last."""
    state = _state(results, results.plan(campaign))
    return pl.DataFrame([_batch(batch) for batch in state.batches], schema=BATCHES)


def _batch(batch: BatchState) -> dict[str, Any]:
    beat = batch.heartbeat
    said = {
        "host": f"{beat.host}:{beat.pid}" + (f" (SLURM {beat.slurm_job})" if beat.slurm_job else ""),
        "rows_per_s": beat.rows_per_s, "updated": beat.updated, "memory_mb": beat.peak_memory_mb,
        "gpu_memory_mb": beat.peak_gpu_memory_mb, "error": beat.error, "log": beat.log,
    } if beat else {}  # fmt: skip
    return dict.fromkeys(BATCHES) | said | {
        "batch": batch.key, "status": batch.status, "model": batch.model, "suites": "; ".join(batch.suites),
        "rows_done": batch.rows_done, "rows_total": batch.rows_total, "seconds_left": batch.seconds_left,
    }  # fmt: skip


def failures(results: Results, campaign: str) -> list[str]:
    """One line per sample that could not be asked, and per sample that could not be judged."""
    state = _state(results, results.plan(campaign))
    return [*state.failures, *state.unjudged]


def costs(results: Results, campaign: str) -> pl.DataFrame:
    """model, hardware, forwards, seconds: what asking a campaign took, as its jobs said."""
    state = _state(results, results.plan(campaign))
    spent = [
        (batch.model, cost.hardware, cost.steps, cost.seconds)
        for batch in state.batches
        if batch.heartbeat
        for cost in batch.heartbeat.costs
    ]
    table = pl.DataFrame(spent, schema=COSTS, orient="row")
    return table.group_by("model", "hardware", maintain_order=True).agg(pl.col("forwards", "seconds").sum())


def log_tail(results: Results, batch: str, said: str | None, lines: int = 40) -> str | None:
    """The end of a batch's log: where its job `said` that it is, else where Snakemake puts it when it works beside the results
    or here; None where it is in no such place."""
    name = f"{Path(batch).name}.log"
    # The name is compared: a heartbeat that somebody forged must not show another file of this machine.
    places = [Path(said)] if said is not None and Path(said).name == name else []
    places += [folder / "logs" / "ask" / name for folder in (results.root.resolve().parent, Path.cwd())]
    return next((tail(path, lines) for path in places if path.is_file()), None)


def tail(path: Path, lines: int = 40) -> str:
    with path.open("rb") as stream:
        stream.seek(max(path.stat().st_size - TAIL_BYTES, 0))
        return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])


def schedules(results: Results) -> pl.DataFrame:
    """One row per firing of each schedule, the latest first; a schedule that has not fired yet has one row without `due`.

    What fires when is known of this user's own schedules alone; what came of them is read for all.
    """
    try:
        own = {entry.name: {"cron": entry.cron, "grid": str(entry.grid)} for entry in scheduled(results)}
    except MmplatError:  # whoever runs them is told; here what came of them is worth showing all the same
        own = {}
    fired = {path.parent.name for path in results.schedule.glob("*/????-??-??T??-??.json")}
    names = {*own, *(fired - {safe_name(name) for name in own})}
    rows = [row for name in sorted(names) for row in _fired(results, name, own.get(name, {}))]
    return pl.DataFrame(rows, schema=FIRINGS)


def _fired(results: Results, name: str, known: dict[str, str]) -> Iterable[dict[str, Any]]:
    about = dict.fromkeys(FIRINGS) | {"schedule": name} | known
    try:
        found: list[Firing] = firings(results, name)
    except ArtifactError as error:
        yield about | {"reason": str(error)}
        return
    for firing in reversed(found):
        log = log_of(results, firing)
        said = firing.model_dump(mode="json", include={"due", "outcome", "rows_asked", "reason"})
        yield about | said | {"log": log and str(log)}
    if not found:
        yield about


def disk(results: Results) -> pl.DataFrame:
    """part, files, bytes: what the results folder holds, the largest first."""
    parts = [(entry.name, *_size(entry)) for entry in results.root.iterdir() if not entry.name.startswith(".")]
    return pl.DataFrame(parts, schema={"part": pl.String, "files": pl.Int64, "bytes": pl.Int64}, orient="row").sort(
        "bytes", descending=True
    )


def _size(entry: Path) -> tuple[int, int]:
    files = [entry] if entry.is_file() else [path for path in entry.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files if path.exists())
