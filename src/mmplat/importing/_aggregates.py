"""lm-eval's and lmms-eval's results files: metrics without the answers behind them. Each task becomes a run of its own."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmplat.artifacts import Results, safe_name
from mmplat.errors import ConfigError
from mmplat.ids import content_id, file_id
from mmplat.importing._merging import CHOICES, Held, held
from mmplat.importing._recording import (
    METRICS,
    PREDICTIONS_SCHEMA,
    imported_run,
    refuse_strangers,
    runs_frame,
    write_run,
)
from mmplat.importing._rows import json_of
from mmplat.importing._sources import SourceFile, settings_of
from mmplat.locks import only_writer
from mmplat.metrics.intervals import Z95
from mmplat.records import IMPORTED, Cell, RunRecord

NAMES = {"acc": "accuracy", "exact_match": "accuracy", "pope_accuracy": "accuracy", "pope_f1_score": "f1",
         "pope_precision": "precision", "pope_recall": "recall"}  # fmt: skip
"""Their names of what we measure too."""
LEFT_OUT = {"alias", "name", "sample_len", "sample_count", "pope_yes_ratio"}
"""No metrics; and lmms-eval's yes-ratio, which counts the right answers and not those given."""
SHARES = {"accuracy", "expected_accuracy", "f1", "precision", "recall"}
"""Metrics that lie between 0 and 1."""
MEANS = {"accuracy", "expected_accuracy"}
"""Metrics whose standard error is that of a mean; lmms-eval prints the error of the accuracy beside every other one too."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of one task of a results file."""

    folder: Path
    task: str
    unchanged: bool
    """The cell held the same numbers already."""
    replaced: Held | None
    """The run whose place it took."""


def record_results(results: Results, campaign: str, path: Path, cell: Cell, *, replace: bool = False) -> list[Recorded]:
    """Writes a run per task of a results file, or none; `cell` says everything but the suite."""
    found = json_of(path)
    tasks = found.get("results") if isinstance(found, dict) else None
    if not isinstance(tasks, dict) or not tasks:
        raise ConfigError(f"{path} is no results file: it has no `results` with an entry per task.")
    runs = [_task(campaign, path, dataclasses.replace(cell, suite=task), found) for task in sorted(tasks)]
    _refuse_one_folder(path, runs)
    with only_writer(results.campaign(campaign), what=f"Campaign {campaign!r}"):
        outcomes = [_outcome(results, campaign, path, run, replace=replace) for run in runs]
        for run, outcome in zip(runs, outcomes, strict=True):
            if not outcome.unchanged:
                write_run(results, run.record, run.suite, run.tables)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Task:
    """One task as the run that it becomes."""

    cell: Cell
    record: RunRecord
    suite: dict[str, Any]
    tables: dict[str, pl.DataFrame]


def _outcome(results: Results, campaign: str, path: Path, task: _Task, *, replace: bool) -> Recorded:
    """What becomes of the run that the task's cell holds already."""
    refuse_strangers(results, campaign, task.cell)
    before, suite = held(results, campaign, task.cell), task.cell.suite
    folder = results.decided(campaign, task.cell.model, suite)
    if before is None:
        return Recorded(folder, suite, unchanged=False, replaced=None)
    if _numbers(folder / "metrics.parquet", before.run_id).equals(task.tables["metrics"].drop("run_id")):
        return Recorded(folder, suite, unchanged=before.whole, replaced=None)
    if not replace:
        raise ConfigError(f"{path}, task {suite!r}: the cell holds {before}, with other numbers. {CHOICES}")
    return Recorded(folder, suite, unchanged=False, replaced=before)


def _numbers(path: Path, run_id: str) -> pl.DataFrame:
    return pl.read_parquet(path.read_bytes()).filter(run_id=run_id).select(list(METRICS)[1:])


def _refuse_one_folder(path: Path, tasks: list[_Task]) -> None:
    """Two tasks whose names a folder cannot tell apart would be written over each other."""
    names: dict[str, str] = {}
    for task in tasks:
        other = names.setdefault(safe_name(task.cell.suite), task.cell.suite)
        if other != task.cell.suite:
            raise ConfigError(
                f"{path}: tasks {other!r} and {task.cell.suite!r} would share the folder {safe_name(other)!r}. Rename one."
            )


def _task(campaign: str, path: Path, cell: Cell, found: Mapping[str, Any]) -> _Task:
    n = _count(path, cell.suite, found)
    metrics = list(_metrics(path, cell.suite, found["results"][cell.suite]))
    content = content_id([IMPORTED, cell.suite, n])
    suite = {
        "name": cell.suite, "key": content, "kind": cell.suite, "version": 1, "n": n, "content_id": content,
        "params": {"origin": IMPORTED},
    }  # fmt: skip
    coordinates = {"campaign": campaign, **{name: getattr(cell, name) for name in Cell.__slots__}}
    settings = settings_of({"format": "lm-eval results"}, [SourceFile("results", path.name, file_id(path))])
    versions = {"suite": str(found.get("versions", {}).get(cell.suite, "unknown"))}
    run = imported_run(
        coordinates, settings, versions, content, made_of={"n": n, "metrics": json.dumps(metrics)}, n=n, status="done"
    )
    rows = [{"run_id": run.run_id, "subset": "all", "n": n, **metric} for metric in metrics]
    tables = {
        "predictions": pl.DataFrame(schema=PREDICTIONS_SCHEMA),
        "metrics": pl.DataFrame(rows, schema=METRICS),
        "runs": runs_frame(run),
    }
    return _Task(cell, run, suite, tables)


def _count(path: Path, task: str, found: Mapping[str, Any]) -> int:
    said = found.get("n-samples", {}).get(task)
    n = said.get("effective", said.get("original")) if isinstance(said, dict) else said
    if type(n) is not int or n < 1:
        raise ConfigError(
            f"{path}, task {task!r}: the file does not say on how many samples (`n-samples`), and a number without n says "
            "nothing. Import the sample log instead: mmplat import predictions --from lm-eval."
        )
    return n


def _metrics(path: Path, task: str, entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """`acc,none` with `acc_stderr,none` beside it; what another filter left has a name of its own."""
    for key, value in entry.items():
        name, _, rule = key.partition(",")
        if name in LEFT_OUT or name.endswith("_stderr") or type(value) not in (int, float):
            continue
        error = entry.get(f"{name}_stderr,{rule}" if rule else f"{name}_stderr")
        renamed = NAMES.get(name, name)
        metric = renamed + (f",{rule}" if rule not in ("", "none") else "")
        _refuse_odd(f"{path}, task {task!r}: {key}", value, share=renamed in SHARES)
        low, high = None, None
        if metric in MEANS and isinstance(error, (int, float)) and not isinstance(error, bool):
            if not 0 <= error <= 1:
                raise ConfigError(
                    f'{path}, task {task!r}: the standard error of {key} is {error}. Allowed: from 0 to 1, or "N/A" where '
                    "there is none."
                )
            low, high = max(0.0, value - Z95 * error), min(1.0, value + Z95 * error)
        yield {"metric": metric, "value": float(value), "low": low, "high": high}


def _refuse_odd(what: str, value: float, *, share: bool) -> None:
    """NaN ranks above everything or below it, by the reader; 75 per cent would be an accuracy of 75."""
    if not math.isfinite(value):
        raise ConfigError(
            f"{what} is {value}, which is no number. Was a task without samples run? Leave it out of the file."
        )
    if share and not 0 <= value <= 1:
        raise ConfigError(f"{what} is {value}. It is a share, from 0 to 1: divide percentages by 100.")
