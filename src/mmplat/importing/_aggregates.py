"""lm-eval's and lmms-eval's results files: metrics without the answers behind them. Each task becomes a run of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from mmplat.artifacts import Results
from mmplat.errors import ConfigError
from mmplat.ids import content_id, file_id
from mmplat.importing._recording import METRICS, ORIGIN, PREDICTIONS_SCHEMA, imported_run, runs_frame, write_run
from mmplat.importing._rows import json_of
from mmplat.metrics.intervals import Z95
from mmplat.records import Cell

NAMES = {"acc": "accuracy", "exact_match": "accuracy", "pope_accuracy": "accuracy", "pope_f1_score": "f1",
         "pope_precision": "precision", "pope_recall": "recall"}  # fmt: skip
"""Their names of what we measure too."""
LEFT_OUT = {"alias", "name", "sample_len", "sample_count", "pope_yes_ratio"}
"""No metrics; and lmms-eval's yes-ratio, which counts the right answers and not those given."""
SHARES = {"accuracy", "expected_accuracy", "f1", "precision", "recall"}
"""Metrics that lie between 0 and 1."""
MEANS = {"accuracy", "expected_accuracy"}
"""Metrics whose standard error is that of a mean; lmms-eval prints the error of the accuracy beside every other one too."""


def record_results(results: Results, campaign: str, path: Path, cell: Cell) -> list[Path]:
    """Writes a run per task of a results file; `cell` says everything but the suite."""
    found = json_of(path)
    tasks = found.get("results") if isinstance(found, dict) else None
    if not isinstance(tasks, dict) or not tasks:
        raise ConfigError(f"{path} is no results file: it has no `results` with an entry per task.")
    read = {task: (_count(path, task, found), list(_metrics(path, task, tasks[task]))) for task in sorted(tasks)}
    return [_record(results, campaign, path, replace(cell, suite=task), found, *read[task]) for task in read]


def _record(
    results: Results,
    campaign: str,
    path: Path,
    cell: Cell,
    found: Mapping[str, Any],
    n: int,
    metrics: list[dict[str, Any]],
) -> Path:
    content = content_id([ORIGIN, cell.suite, n])
    suite = {
        "name": cell.suite, "key": content, "kind": cell.suite, "version": 1, "n": n, "content_id": content,
        "params": {"origin": ORIGIN},
    }  # fmt: skip
    coordinates = {"campaign": campaign, **{name: getattr(cell, name) for name in Cell.__slots__}}
    settings = {"format": "lm-eval results", "files": {"results": file_id(path)}}
    versions = {"suite": str(found.get("versions", {}).get(cell.suite, "unknown"))}
    run = imported_run(coordinates, settings, versions, content, n=n, status="done")
    rows = [{"run_id": run.run_id, "subset": "all", "n": n, **metric} for metric in metrics]
    tables = {
        "predictions": pl.DataFrame(schema=PREDICTIONS_SCHEMA),
        "metrics": pl.DataFrame(rows, schema=METRICS),
        "runs": runs_frame(run),
    }
    return write_run(results, run, suite, tables)


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
