"""Imported results → the files of a campaign, as deciding would leave them; `mmplat publish` puts them into the store.

A campaign of imports has a plan without batches: nothing of it can be asked again. What a second import of a cell makes of the
run that is there is decided in _merging.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmplat.artifacts import Results, atomic, read_json, safe_name, write_json
from mmplat.deciding.tables import PREDICTIONS, runs_table
from mmplat.errors import ConfigError
from mmplat.ids import content_id, file_id
from mmplat.importing._merging import Merged, held, merged
from mmplat.importing._scoring import Imported, Scored, numbers_of
from mmplat.importing._sources import Source, settings_of
from mmplat.locks import only_writer
from mmplat.metrics import catalog as metrics
from mmplat.metrics.summary import Number
from mmplat.preparing import samples_table
from mmplat.provenance import git_state, packages
from mmplat.records import IMPORTED, Cell, MetricRecord, RunRecord, Sample
from mmplat.suites import Suite

ELSEWHERE = "unknown"
"""Device and dtype of what was asked elsewhere."""
METRICS: dict[str, Any] = {
    "run_id": pl.String, "metric": pl.String, "subset": pl.String, "value": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "n": pl.Int64,
}  # fmt: skip

PREDICTIONS_SCHEMA: dict[str, Any] = {
    "run_id": pl.String, "sample_id": pl.String, "answer": pl.String, "gold": pl.String, "correct": pl.Boolean,
    "p_correct": pl.Float64, "p_other": pl.Float64, "labels": pl.List(pl.String), "probs": pl.List(pl.Float64),
    "margin": pl.Float32, "near_tie": pl.Boolean, "text": pl.String, "error": pl.String,
}  # fmt: skip


def record(
    results: Results, campaign: str, cell: Cell, imported: Imported, source: Source, *, replace: bool = False
) -> Written:
    """Writes what `foreseen` says."""
    with only_writer(results.campaign(campaign), what=f"Campaign {campaign!r}"):
        written = foreseen(results, campaign, cell, imported, source, replace=replace)
        if written.merged.unchanged is None:
            rows = written.merged.rows
            suite = _write_suite(results, cell.suite, imported.suite, [row.sample for row in rows])
            run = _run(campaign, cell, imported.suite, source, written.merged, suite["key"])
            tables = {"predictions": _predictions(run, rows), "metrics": _metrics(run, written.numbers)}
            write_run(results, run, suite, {**tables, "runs": runs_frame(run)})
    return written


def foreseen(
    results: Results, campaign: str, cell: Cell, imported: Imported, source: Source, *, replace: bool = False
) -> Written:
    """What an import makes of the run of its cell; one that cannot be is refused, and nothing is written."""
    before = held(results, campaign, cell)
    refuse_strangers(results, campaign, cell)
    found = merged(results, before, imported, source, replace=replace)
    numbers = imported.numbers if found.rows is imported.rows else numbers_of(imported.suite, found.rows)
    return Written(results.decided(campaign, cell.model, cell.suite), found, numbers)


@dataclass(frozen=True, slots=True)
class Written:
    """A run as an import leaves it."""

    folder: Path
    merged: Merged
    numbers: list[Number]


def write_run(results: Results, run: RunRecord, suite: dict[str, Any], tables: dict[str, pl.DataFrame]) -> Path:
    """Adds a run to its campaign of imports; the run of the same cell goes, and not before this one is whole.

    The caller holds the campaign, and has found out that the run of the cell may go.
    """
    folder = results.decided(run.campaign, run.model, run.suite)
    plan = _plan(results, run)
    others = _other_cells(folder / "runs.parquet", run)
    (folder / "decided.json").unlink(missing_ok=True)  # it vouches for the files beside it, which change now
    left = {name: _merged(folder / f"{name}.parquet", table, others) for name, table in tables.items()}
    # runs.parquet says which run counts: killed at any moment, it names one whose answers and metrics are there.
    for name in ("predictions", "metrics"):
        _write(folder / f"{name}.parquet", _beside(folder / f"{name}.parquet", left[name]))
    runs = left["runs"]
    _write(folder / "runs.parquet", runs)
    for name in ("predictions", "metrics"):
        _write(folder / f"{name}.parquet", left[name])
    model = {"name": run.model, "key": run.model_key, "identity": {"origin": IMPORTED}}
    marker = {"campaign": run.campaign, "model": model, "suite": suite, "runs": runs.height, "seconds": 0.0}
    marker["files"] = {f"{name}.parquet": file_id(folder / f"{name}.parquet", length=64) for name in left}
    write_json(results.plan(run.campaign), plan)
    write_json(folder / "decided.json", {**marker, "failed": runs.filter(pl.col("status") != "done").height})
    return folder


def refuse_strangers(results: Results, campaign: str, cell: Cell) -> None:
    """A campaign of a grid takes no imports; and names that a folder cannot tell apart would be taken for each other."""
    path = results.plan(campaign)
    if not path.exists():
        return
    found = read_json(path, made_by="mmplat import")
    if found.get("origin") != IMPORTED:
        raise ConfigError(
            f"Campaign {campaign!r} is of a grid that mmplat ran ({path}). Imported results have campaigns of their own: "
            "choose another --campaign."
        )
    axes = {"campaign": [(found["campaign"], campaign)]}
    axes |= {axis: [(one[axis], getattr(cell, axis)) for one in found["imports"]] for axis in ("model", "suite")}
    for axis, names in axes.items():
        for other, name in names:
            if other != name and safe_name(other) == safe_name(name):
                raise ConfigError(
                    f"{axis} {name!r} would share the folder {safe_name(name)!r} with {other!r}, which is imported already. "
                    "Give it another name."
                )


def _write_suite(results: Results, name: str, of: Suite, samples: list[Sample]) -> dict[str, Any]:
    """The questions as a prepared suite without images, under a key of their own: nothing that mmplat asked has it."""
    ordered = sorted(samples, key=lambda sample: sample.sample_id)  # the same key in whatever order files came
    content = content_id([[s.sample_id, s.sample_key, s.gold, s.cluster, s.groups] for s in ordered])
    suite = {
        "name": name, "key": content_id({IMPORTED: content, "suite": name}), "kind": of.name, "version": of.version,
        "n": len(samples), "content_id": content, "params": {"origin": IMPORTED},
    }  # fmt: skip
    folder = results.suite(name, str(suite["key"]))
    if not (folder / "suite.json").exists():
        _write(folder / "samples.parquet", samples_table(samples))
        digest = file_id(folder / "samples.parquet", length=64)
        write_json(folder / "suite.json", {**suite, "samples": digest})
    return suite


def _run(campaign: str, cell: Cell, suite: Suite, source: Source, found: Merged, suite_key: str) -> RunRecord:
    coordinates = {"campaign": campaign, **{name: getattr(cell, name) for name in Cell.__slots__}}
    missing = [row.why for row in found.rows if not row.answered]
    versions = {"suite": str(suite.version)} | {f"metric:{name}": str(one.version) for name, one in metrics.items()}
    answers = sorted([row.sample.sample_id, row.text, row.label] for row in found.rows if row.answered)
    return imported_run(
        coordinates, settings_of(source.rules, found.files), versions, suite_key,
        made_of={**source.rules, "answers": content_id(answers)},
        n=found.n, n_failed=len(missing), status="incomplete" if missing else "done",
        error=f"{len(missing)} questions have no answer; the first: {missing[0]}" if missing else None,
    )  # fmt: skip


def imported_run(
    coordinates: dict[str, Any],
    settings: dict[str, Any],
    versions: dict[str, str],
    suite_key: str,
    *,
    made_of: dict[str, Any],
    **counts: Any,
) -> RunRecord:
    """A run that cost us nothing, named by what was read: `made_of`, in whatever files it lay."""
    revision, dirty = git_state()
    return RunRecord(
        run_id=content_id(
            {**coordinates, "made_of": made_of, "versions": versions, "suite": suite_key, "origin": IMPORTED}
        ),
        **coordinates,
        origin=IMPORTED,
        forward_passes=0,
        seconds=0.0,
        device=ELSEWHERE,
        dtype=ELSEWHERE,
        git_revision=revision,
        git_dirty=dirty,
        model_key=content_id({IMPORTED: coordinates["model"]}),
        suite_key=suite_key,
        evidence_key=content_id(made_of),
        settings=settings,
        versions={**packages(), **versions},
        **counts,
    )


def _predictions(run: RunRecord, found: list[Scored]) -> pl.DataFrame:
    rows = []
    for row in found:
        sample, said, known = row.sample, row.label, row.answered
        rows.append(
            {
                "run_id": run.run_id, "sample_id": sample.sample_id, "answer": said, "gold": sample.gold,
                "correct": said == sample.gold if known else None,
                "p_correct": float(said == sample.gold) if known else None,
                "p_other": float(said is None) if known else None, "labels": list(sample.labels),
                "probs": [float(label == said) for label in sample.labels] if known else [], "margin": None,
                "near_tie": None, "text": row.text, "error": row.why,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=PREDICTIONS_SCHEMA).select(PREDICTIONS)


def _metrics(run: RunRecord, numbers: list[Number]) -> pl.DataFrame:
    names = list(MetricRecord.model_fields)[1:]
    rows = [{"run_id": run.run_id, **{name: getattr(one, name) for name in names}} for one in numbers]
    return pl.DataFrame(rows, schema=METRICS)


def runs_frame(run: RunRecord) -> pl.DataFrame:
    return pl.DataFrame(runs_table([run]))


def _other_cells(path: Path, run: RunRecord) -> list[str]:
    """Runs of the folder that stay."""
    if not path.exists():
        return []
    cell = {name: getattr(run, name) for name in ("decoding", "method", "seed")}
    found = pl.read_parquet(path.read_bytes())
    return found.join(pl.DataFrame([cell]), on=list(cell), how="anti")["run_id"].to_list()


def _merged(path: Path, table: pl.DataFrame, others: list[str]) -> pl.DataFrame:
    """The rows of the runs that stay, and `table`. What an import that was killed left of its own is in neither."""
    if not path.exists():
        return table
    kept = pl.read_parquet(path.read_bytes()).filter(pl.col("run_id").is_in(others))
    # A file of an earlier version lacks columns.
    return pl.concat([kept, table], how="diagonal_relaxed").select(table.columns)


def _beside(path: Path, table: pl.DataFrame) -> pl.DataFrame:
    """`table`, and the rows of whatever run the file holds that are not in it."""
    if not path.exists():
        return table
    there = pl.read_parquet(path.read_bytes()).select(table.columns)
    return pl.concat([there.filter(~pl.col("run_id").is_in(table["run_id"].unique().to_list())), table])


def _plan(results: Results, run: RunRecord) -> dict[str, Any]:
    """What the campaign holds with this run."""
    path = results.plan(run.campaign)
    empty: dict[str, Any] = {"origin": IMPORTED, "imports": []}
    found = read_json(path, made_by="mmplat import") if path.exists() else empty
    cell = {name: getattr(run, name) for name in Cell.__slots__}
    cells = sorted(
        [*(one for one in found["imports"] if one != cell), cell], key=lambda one: list(map(str, one.values()))
    )
    grid = {f"{axis}s": sorted({one[axis] for one in cells}) for axis in ("model", "suite", "method", "decoding")}
    pairs = [
        {"model": model, "suite": suite} for model, suite in sorted({(one["model"], one["suite"]) for one in cells})
    ]
    return {
        **{"campaign": run.campaign, "origin": IMPORTED, "imports": cells, "grid": grid, "grid_text": json.dumps(grid)},
        **{"cells": len(cells), "planned": len(cells), "skipped": [], "batches": [], "pairs": pairs},
        **{"forwards": 0, "forwards_cell_by_cell": 0},
    }


def _write(path: Path, table: pl.DataFrame) -> None:
    with atomic(path) as temporary:
        table.write_parquet(temporary)
