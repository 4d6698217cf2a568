"""From a run to all that it rests on: evidence files, samples, images, prompts, model, grid, code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mmplat.artifacts import Results
from mmplat.errors import ArtifactError, MmplatError, UnknownName
from mmplat.evidence.files import ROWS, read_rows
from mmplat.evidence.opening import parts
from mmplat.evidence.written import WRITTEN
from mmplat.models import Ask
from mmplat.plan import Pair, read_plan
from mmplat.preparing import load_metadata, load_samples
from mmplat.records import IMPORTED, RunRecord, Sample, ViewSpec
from mmplat.store import Origin, Recorded
from mmplat.views import catalog as view_kinds


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything behind one run; what could not be found is a sentence in `missing`."""

    recorded: Recorded
    origin: Origin
    files: dict[str, Path]
    """Where to look: the campaign's plan and decisions, the evidence, the prepared suite."""
    evidence: list[dict[str, Any]]
    """A row per view: its name, its parameters, stored rows, seconds."""
    evidence_parts: dict[str, int]
    """Bytes of each file."""
    suite: dict[str, Any]
    sample: dict[str, Any]
    """One sample: as it was prepared, as each view put it, and what was answered."""
    missing: list[str]


def lineage_of(results: Results, recorded: Recorded, origin: Origin, sample_id: str | None = None) -> Lineage:
    """What a run rests on, as far as it is still there; `sample_id` chooses the sample that is shown, else the first."""
    run, results = recorded.run, results.of(recorded.run.campaign)
    files = _files(results, run)
    missing = [f"{name}: {path} is gone" for name, path in files.items() if not path.exists()]
    views: list[ViewSpec] = []
    suite: dict[str, Any] = {}
    samples: list[Sample] = []
    try:
        suite, samples = load_metadata(files["suite"]), load_samples(files["suite"])
        if run.origin != IMPORTED:
            views = _views(read_plan(files["plan"]).pair(run.model, run.suite), run.method, run.seed)
    except MmplatError as error:
        missing += [] if missing else [str(error)]
    stored = _stored(files)
    return Lineage(
        recorded=recorded,
        origin=origin,
        files=files,
        evidence=_evidence(files["evidence"], views, [sample.sample_key for sample in samples]) if stored else [],
        evidence_parts={path.name: path.stat().st_size for path in stored},
        suite=suite,
        sample=_sample(files, run.run_id, _chosen(samples, sample_id), views) if samples else {},
        missing=missing,
    )


def _files(results: Results, run: RunRecord) -> dict[str, Path]:
    """Where a run's files lie; answers that were given elsewhere have no evidence here."""
    evidence = {"evidence": results.evidence(run.model, run.suite, run.model_key)} if run.origin != IMPORTED else {}
    return {
        "plan": results.plan(run.campaign),
        "decisions": results.decided(run.campaign, run.model, run.suite),
        **evidence,
        "suite": results.suite(run.suite, run.suite_key),
    }


def _stored(files: dict[str, Path]) -> list[Path]:
    """The parts of the evidence: rows that were read, and answers that were written."""
    return [path for kind in (ROWS, WRITTEN) for path in parts(files["evidence"], kind)] if "evidence" in files else []


def _views(pair: Pair, method: str, seed: int) -> list[ViewSpec]:
    """The views that a run compares, the main one first."""
    for seeded in pair.methods:
        if (seeded.method.spec.name, seeded.seed) == (method, seed):
            return list(seeded.method.views)
    raise ArtifactError(f"method {method!r} with seed {seed} is no longer in the campaign's grid")


def _evidence(folder: Path, views: list[ViewSpec], sample_keys: list[str]) -> list[dict[str, Any]]:
    rows = read_rows(folder, views, sample_keys)
    found = []
    for view in views:
        own = rows.filter(pl.col("view_key") == view.key)
        seconds = float(own["seconds"].sum())
        found.append({"view": view.name, "params": view.params, "rows": own.height, "seconds": round(seconds, 3)})
    return found


def _chosen(samples: list[Sample], sample_id: str | None) -> Sample:
    for sample in samples:
        if sample_id in (None, sample.sample_id):
            return sample
    known = [sample.sample_id for sample in samples[:20]]
    raise UnknownName("sample", sample_id, known, where=" (the first 20 are listed)")


def _sample(files: dict[str, Path], run_id: str, sample: Sample, views: list[ViewSpec]) -> dict[str, Any]:
    return {
        "sample_id": sample.sample_id,
        "question": sample.question,
        "labels": list(sample.labels),
        "gold": sample.gold,
        "images": [str(files["suite"] / "images" / name) for name in sample.images],
        "asked": {view.name: _asked(sample, view) for view in views},
        "answered": _answered(files["decisions"] / "predictions.parquet", run_id, sample.sample_id),
    }


def _asked(sample: Sample, view: ViewSpec) -> str:
    """The question as a view puts it, or why it cannot."""
    misfit = view_kinds.get(view.kind).misfit(sample, view.params)
    return f"not asked: {misfit}" if misfit else Ask(sample, view, (), "[what the model wrote of the image]").question


def _answered(path: Path, run_id: str, sample_id: str) -> dict[str, Any]:
    if not path.exists():
        return {}
    mine = (pl.col("run_id") == run_id) & (pl.col("sample_id") == sample_id)
    rows = pl.scan_parquet(path, glob=False).filter(mine).collect().to_dicts()
    return dict(rows[0]) if rows else {}
