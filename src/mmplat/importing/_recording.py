"""Imported results → the files of a campaign, as deciding would leave them; `mmplat publish` puts them into the store.

A campaign of imports has a plan without batches: nothing of it can be asked again. Importing the same files again leaves the
same files; another import of the same cell takes the place of the first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmplat.artifacts import Results, atomic, only_writer, read_json, write_json
from mmplat.deciding.tables import PREDICTIONS, runs_table
from mmplat.errors import ConfigError
from mmplat.ids import content_id, file_id
from mmplat.importing._scoring import Imported
from mmplat.importing.base import Given
from mmplat.metrics import catalog as metrics
from mmplat.preparing import samples_table
from mmplat.provenance import git_state, packages
from mmplat.records import Cell, MetricRecord, RunRecord

ORIGIN = "imported"
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


@dataclass(frozen=True, slots=True)
class Source:
    """Where results come from."""

    form: str
    parser: str
    files: Mapping[str, str]
    """What was read, by content."""

    @classmethod
    def of(cls, form: str, parser: str, given: Given) -> Source:
        named = {"answers": given.answers, "annotations": given.annotations}
        return cls(form, parser, {name: _content(path) for name, path in named.items() if path is not None})


def _content(path: Path) -> str:
    if path.is_file():
        return file_id(path)
    return content_id({file.name: file_id(file) for file in sorted(path.glob("*.txt"))})


def record(results: Results, campaign: str, cell: Cell, imported: Imported, source: Source) -> Path:
    """Writes one imported run; returns its decided folder."""
    suite = _write_suite(results, cell.suite, imported)
    run = _run(campaign, cell, imported, source, suite["key"])
    tables = {"predictions": _predictions(run, imported), "metrics": _metrics(run, imported), "runs": runs_frame(run)}
    return write_run(results, run, suite, tables)


def write_run(results: Results, run: RunRecord, suite: dict[str, Any], tables: dict[str, pl.DataFrame]) -> Path:
    """Adds a run to its campaign of imports; an earlier run of the same cell goes."""
    folder = results.decided(run.campaign, run.model, run.suite)
    with only_writer(results.campaign(run.campaign), what=f"Campaign {run.campaign!r}"):
        plan = _plan(results, run)
        others = _other_cells(folder / "runs.parquet", run)
        (folder / "decided.json").unlink(missing_ok=True)  # it vouches for the files beside it, which change now
        merged = {name: _merged(folder / f"{name}.parquet", table, others) for name, table in tables.items()}
        for name, table in merged.items():
            _write(folder / f"{name}.parquet", table)
        runs = merged["runs"]
        model = {"name": run.model, "key": run.model_key, "identity": {"origin": ORIGIN}}
        said = {"campaign": run.campaign, "model": model, "suite": suite, "runs": runs.height, "seconds": 0.0}
        write_json(results.plan(run.campaign), plan)
        write_json(folder / "decided.json", {**said, "failed": runs.filter(pl.col("status") != "done").height})
    return folder


def _write_suite(results: Results, name: str, imported: Imported) -> dict[str, Any]:
    """The questions as a prepared suite without images, under a key of their own: nothing that mmplat asked has it."""
    samples = imported.joined.samples
    content = content_id([[s.sample_id, s.sample_key, s.gold, s.cluster, s.groups] for s in samples])
    suite = {
        "name": name, "key": content_id({ORIGIN: content, "suite": name}), "kind": imported.suite.name,
        "version": imported.suite.version, "n": len(samples), "content_id": content, "params": {"origin": ORIGIN},
    }  # fmt: skip
    folder = results.suite(name, str(suite["key"]))
    if not (folder / "suite.json").exists():
        _write(folder / "samples.parquet", samples_table(samples))
        write_json(folder / "suite.json", suite)
    return suite


def _run(campaign: str, cell: Cell, imported: Imported, source: Source, suite_key: str) -> RunRecord:
    coordinates = {"campaign": campaign, **{name: getattr(cell, name) for name in Cell.__slots__}}
    failed = len(imported.joined.unanswered)
    settings = {"format": source.form, "parser": source.parser, "files": dict(source.files)}
    versions = {"suite": str(imported.suite.version)} | {
        f"metric:{name}": str(one.version) for name, one in metrics.items()
    }
    error = f"{failed} questions have no answer; the first: {imported.joined.unanswered[0].reason}" if failed else None
    return imported_run(
        coordinates, settings, versions, suite_key, n=imported.n, n_failed=failed,
        status="incomplete" if failed else "done", error=error,
    )  # fmt: skip


def imported_run(
    coordinates: dict[str, Any], settings: dict[str, Any], versions: dict[str, str], suite_key: str, **counts: Any
) -> RunRecord:
    """A run that cost us nothing, named by what was read."""
    revision, dirty = git_state()
    return RunRecord(
        run_id=content_id(
            {**coordinates, "settings": settings, "versions": versions, "suite": suite_key, "origin": ORIGIN}
        ),
        **coordinates,
        origin=ORIGIN,
        forward_passes=0,
        seconds=0.0,
        device=ELSEWHERE,
        dtype=ELSEWHERE,
        git_revision=revision,
        git_dirty=dirty,
        model_key=content_id({ORIGIN: coordinates["model"]}),
        suite_key=suite_key,
        evidence_key=content_id(settings),
        settings=settings,
        versions={**packages(), **versions},
        **counts,
    )


def _predictions(run: RunRecord, imported: Imported) -> pl.DataFrame:
    why = {left.key: left.reason for left in imported.joined.unanswered}
    rows = []
    joined = imported.joined
    for question, sample, answer, said in zip(
        joined.questions, joined.samples, joined.answers, imported.said, strict=True
    ):
        known = answer is not None
        rows.append(
            {
                "run_id": run.run_id, "sample_id": sample.sample_id, "answer": said, "gold": sample.gold,
                "correct": said == sample.gold if known else None,
                "p_correct": float(said == sample.gold) if known else None,
                "p_other": float(said is None) if known else None, "labels": list(sample.labels),
                "probs": [float(label == said) for label in sample.labels] if known else [], "margin": None,
                "near_tie": None, "text": answer.text if answer is not None else None,
                "error": None if known else why[question.key],
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema=PREDICTIONS_SCHEMA).select(PREDICTIONS)


def _metrics(run: RunRecord, imported: Imported) -> pl.DataFrame:
    names = list(MetricRecord.model_fields)[1:]
    rows = [{"run_id": run.run_id, **{name: getattr(one, name) for name in names}} for one in imported.numbers]
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


def _plan(results: Results, run: RunRecord) -> dict[str, Any]:
    """What the campaign holds with this run."""
    path = results.plan(run.campaign)
    empty: dict[str, Any] = {"origin": ORIGIN, "imports": []}
    found = read_json(path, made_by="mmplat import") if path.exists() else empty
    if found.get("origin") != ORIGIN:
        raise ConfigError(
            f"Campaign {run.campaign!r} is of a grid that mmplat ran ({path}). Imported results have campaigns of their own: "
            "choose another --campaign."
        )
    cell = {name: getattr(run, name) for name in Cell.__slots__}
    cells = sorted(
        [*(one for one in found["imports"] if one != cell), cell], key=lambda one: list(map(str, one.values()))
    )
    grid = {f"{axis}s": sorted({one[axis] for one in cells}) for axis in ("model", "suite", "method", "decoding")}
    pairs = [
        {"model": model, "suite": suite} for model, suite in sorted({(one["model"], one["suite"]) for one in cells})
    ]
    return {
        **{"campaign": run.campaign, "origin": ORIGIN, "imports": cells, "grid": grid, "grid_text": json.dumps(grid)},
        **{"cells": len(cells), "planned": len(cells), "skipped": [], "batches": [], "pairs": pairs},
        **{"forwards": 0, "forwards_cell_by_cell": 0},
    }


def _write(path: Path, table: pl.DataFrame) -> None:
    with atomic(path) as temporary:
        table.write_parquet(temporary)
