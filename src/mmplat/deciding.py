"""decide: evidence → predictions → metrics, for all cells of one model on one suite. Array maths on a CPU, no model.

Files of one pair, below campaigns/<campaign>/decided/: predictions.parquet, runs.parquet, metrics.parquet, decided.json (last).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mmplat.artifacts import Results, atomic, read_json, write_json
from mmplat.decoding.filters import Answers, distribution
from mmplat.errors import EvidenceTooNarrow
from mmplat.evidence.coverage import covered
from mmplat.evidence.files import read_evidence
from mmplat.evidence.rows import Evidence
from mmplat.ids import content_id
from mmplat.metrics import Answered, catalog, summarise
from mmplat.metrics.summary import CellAnswers
from mmplat.plan import Pair, Plan, Seeded
from mmplat.preparing import load_metadata, load_samples
from mmplat.provenance import git_state, packages
from mmplat.records import DecodingSpec, MetricRecord, RunRecord, Sample
from mmplat.suites import catalog as suites

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Context:
    """What the cells of one pair share."""

    plan: Plan
    pair: Pair
    samples: list[Sample]
    suite: dict[str, Any]
    model_key: str
    asked: dict[str, Any]
    """The batch's done-marker: failures with their reasons."""
    evidence: Evidence
    gold: NDArray[np.int64]
    positive: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True)
class Decided:
    """One cell's answers on the samples that could be decided."""

    seeded: Seeded
    decoding: DecodingSpec
    rows: NDArray[np.int64]
    """Samples that were decided (indices)."""
    answers: Answers
    seconds: float


def decide(plan: Plan, pair: Pair, results: Results, *, advance: Advance = lambda n: None) -> Path:
    """Decides every cell of a pair and writes its files; returns the path of decided.json."""
    began = time.perf_counter()
    context = _context(plan, pair, results)
    cells = []
    for seeded in pair.methods:
        cells += _method_cells(context, seeded)
        advance(len(plan.grid.decodings))
    runs = [_run(context, cell) for cell in cells]
    folder = results.decided(plan.grid.campaign, pair.model.name, pair.suite.name)
    _write(
        folder / "predictions.parquet",
        pa.concat_tables(_predictions(context, c, r) for c, r in zip(cells, runs, strict=True)),
    )
    _write(folder / "metrics.parquet", _metrics(context, cells, runs))
    _write(folder / "runs.parquet", _runs_table(runs))
    write_json(folder / "decided.json", _summary(context, runs, time.perf_counter() - began))
    return folder / "decided.json"


def _context(plan: Plan, pair: Pair, results: Results) -> Context:
    folder = results.suite(pair.suite.name, pair.suite.key)
    samples = load_samples(folder)
    batch = plan.batch_of(pair)
    asked = read_json(results.batch_done(batch.key), made_by=f"mmplat ask {results.batch(batch.key)}")
    model_key = asked["evidence"][pair.suite.name]
    evidence = read_evidence(results.evidence(pair.model.name, pair.suite.name, model_key), samples, list(pair.views))
    _refuse_narrow(pair, evidence, plan)
    positive = suites.get(pair.suite.kind).positive
    return Context(
        plan=plan,
        pair=pair,
        samples=samples,
        suite=load_metadata(folder),
        model_key=model_key,
        asked=asked,
        evidence=evidence,
        gold=np.array([s.labels.index(s.gold) for s in samples]),
        positive=None if positive is None else np.array([s.labels.index(positive) for s in samples]),
    )


def _refuse_narrow(pair: Pair, evidence: Evidence, plan: Plan) -> None:
    """The rule that asking follows: rows that do not reach as far as the grid looks decide nothing."""
    narrow = evidence.main.present & ~covered(evidence.main, plan.demand)
    if narrow.any():
        raise EvidenceTooNarrow(
            f"{pair.model.name} × {pair.suite.name}: the stored evidence of {int(narrow.sum())} of {narrow.size} samples does "
            "not reach as far as this grid looks. `mmplat ask` with this grid asks those samples again, wider; nothing was "
            "approximated."
        )


def _method_cells(context: Context, seeded: Seeded) -> list[Decided]:
    """All decodings of one method; its scores are computed once."""
    began = time.perf_counter()
    present = context.evidence.main.present.copy()
    for view in seeded.method.references:
        present &= context.evidence.view(view).present
    rows = np.flatnonzero(present)
    if not len(rows):  # the cell fails, with its reason; the others go on
        nothing = Answers(np.zeros((0, context.evidence.main.label_logits.shape[1])), np.zeros(0))
        return [Decided(seeded, decoding, rows, nothing, 0.0) for decoding in context.plan.grid.decodings]
    scores = seeded.method.scores(_only(context.evidence, rows))
    shared = (time.perf_counter() - began) / len(context.plan.grid.decodings)
    cells = []
    for decoding in context.plan.grid.decodings:
        began = time.perf_counter()
        try:
            answers = distribution(scores, decoding)
        except EvidenceTooNarrow as error:
            raise EvidenceTooNarrow(f"{context.pair.model.name} × {context.pair.suite.name}: {error}") from error
        cells.append(Decided(seeded, decoding, rows, answers, shared + time.perf_counter() - began))
    return cells


def _only(evidence: Evidence, rows: NDArray[np.int64]) -> Evidence:
    """The evidence of some samples; all of them in the common case, without a copy."""
    if len(rows) == len(evidence.n_labels):
        return evidence
    views = {key: one.take(rows) for key, one in evidence.views.items()}
    main = next(key for key, one in evidence.views.items() if one is evidence.main)
    return Evidence(evidence.n_labels[rows], views[main], views, evidence.device, evidence.dtype)


def _likeliest(answers: Answers) -> NDArray[np.int64]:
    """Index of the likeliest label, −1 where saying no label is likelier still."""
    best = answers.probs.argmax(axis=1)
    return np.where(answers.other > answers.probs.max(axis=1), -1, best)


def _cell_answers(context: Context, cell: Decided) -> CellAnswers:
    best = _likeliest(cell.answers)
    one_hot = (np.arange(cell.answers.probs.shape[1]) == best[:, None]).astype(np.float64)
    gold = context.gold[cell.rows]
    positive = None if context.positive is None else context.positive[cell.rows]
    return CellAnswers(
        Answered(cell.answers.probs, cell.answers.other, gold, positive),
        Answered(one_hot, (best < 0).astype(np.float64), gold, positive),
    )


def _run(context: Context, cell: Decided) -> RunRecord:
    """The record of one cell. Its id is the content of everything that determines its numbers."""
    method, pair = cell.seeded.method, context.pair
    views = [pair.views[0], *method.references]
    evidence_key = content_id(
        {"model": context.model_key, "views": [v.key for v in views], "suite": context.suite["content_id"]}
    )
    settings = {"decoding": cell.decoding.settings, "method": method.spec.params}
    versions = {"method": str(method.spec.version), "suite": str(pair.suite.version)} | {
        f"metric:{name}": str(metric.version) for name, metric in catalog.items()
    }
    coordinates = {
        "campaign": context.plan.grid.campaign,
        "model": pair.model.name,
        "suite": pair.suite.name,
        "decoding": cell.decoding.name,
        "method": method.spec.name,
        "seed": cell.seeded.seed,
    }
    failed = len(context.samples) - len(cell.rows)
    revision, dirty = git_state()
    main = context.evidence.main
    return RunRecord(
        run_id=content_id({**coordinates, "evidence": evidence_key, "settings": settings, "versions": versions}),
        **coordinates,
        status="failed" if not len(cell.rows) else "incomplete" if failed else "done",
        error=_why_failed(context, [v.name for v in views]) if failed else None,
        n=len(cell.rows),
        n_failed=failed,
        n_near_ties=int(main.near_tie[cell.rows].sum()),
        forward_passes=len(cell.rows) * method.passes,
        seconds=float(sum(context.evidence.view(v).seconds[cell.rows].sum() for v in views) + cell.seconds),
        device=context.evidence.device,
        dtype=context.evidence.dtype,
        git_revision=revision,
        git_dirty=dirty,
        model_key=context.model_key,
        suite_key=context.suite["key"],
        evidence_key=evidence_key,
        settings=settings,
        versions={**packages(), **context.asked.get("versions", {}), **versions},
    )


def _failures(context: Context, views: Sequence[str]) -> dict[str, str]:
    """Why samples have no evidence of some of `views`, by sample id; "all" holds for every sample."""
    return {
        f["sample_id"]: f["error"]
        for f in context.asked["failures"]
        if f["suite"] == context.pair.suite.name and f["view"] in ("every", *views)
    }


def _why_failed(context: Context, views: Sequence[str]) -> str:
    reasons = _failures(context, views)
    if not reasons:
        return "evidence is missing: run `mmplat ask` with this grid"
    count = "all samples" if "all" in reasons else f"{len(reasons)} samples"
    return f"{count} could not be asked; the first reason: {next(iter(reasons.values()))}"


def _predictions(context: Context, cell: Decided, run: RunRecord) -> pa.Table:
    """One row per sample, failed ones included with their reason and without an answer."""
    n, width = len(context.samples), cell.answers.probs.shape[1]
    best = np.full(n, -1)
    best[cell.rows] = _likeliest(cell.answers)
    probs, other = np.full((n, width), np.nan), np.full(n, np.nan)
    probs[cell.rows], other[cell.rows] = cell.answers.probs, cell.answers.other
    decided = np.zeros(n, bool)
    decided[cell.rows] = True
    lengths = np.where(decided, context.evidence.n_labels, 0)
    right = np.take_along_axis(probs, context.gold[:, None], axis=1)[:, 0]
    main = context.evidence.main
    labels = [s.labels for s in context.samples]
    method = cell.seeded.method
    reasons = _failures(context, [v.name for v in (context.pair.views[0], *method.references)])
    why = reasons.get("all", "evidence is missing")
    return pa.table(
        {
            "run_id": pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), [run.run_id]).cast(pa.string()),
            "sample_id": pa.array([s.sample_id for s in context.samples]),
            "answer": pa.array([of[i] if i >= 0 else None for of, i in zip(labels, best, strict=True)], pa.string()),
            "gold": pa.array([s.gold for s in context.samples]),
            "correct": pa.array(best == context.gold, mask=~decided),
            "p_correct": pa.array(right, mask=~decided),
            "p_other": pa.array(other, mask=~decided),
            "labels": pa.array([list(of) for of in labels], pa.list_(pa.string())),
            "probs": _ragged(probs, lengths),
            "margin": pa.array(main.margin.astype(np.float32), mask=~main.present),
            "near_tie": pa.array(main.near_tie, mask=~main.present),
            "error": pa.array(
                [None if d else reasons.get(s.sample_id, why) for d, s in zip(decided, context.samples, strict=True)],
                pa.string(),
            ),
        }
    )


def _ragged(matrix: NDArray[np.float64], lengths: NDArray[Any]) -> pa.Array:
    keep = np.arange(matrix.shape[1]) < lengths[:, None]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(matrix[keep]))


def _metrics(context: Context, cells: list[Decided], runs: list[RunRecord]) -> pa.Table:
    """Metrics of all cells; cells that decided the same samples are computed together."""
    subsets = suites.get(context.pair.suite.kind).subsets
    alike: dict[bytes, list[int]] = {}
    for index, cell in enumerate(cells):
        if not len(cell.rows):
            continue  # nothing was decided: no metric, rather than a zero
        alike.setdefault(cell.rows.tobytes(), []).append(index)
    numbers = []
    for indices in alike.values():
        samples = [context.samples[i] for i in cells[indices[0]].rows]
        found = summarise([_cell_answers(context, cells[i]) for i in indices], samples, subsets)
        numbers += [(runs[indices[one.cell]].run_id, one) for one in found]
    return pa.table(
        {
            "run_id": [run_id for run_id, _ in numbers],
            **{name: [getattr(one, name) for _, one in numbers] for name in ("metric", "subset")},
            **{
                name: pa.array([getattr(one, name) for _, one in numbers], pa.float64())
                for name in ("value", "low", "high")
            },
            "n": pa.array([one.n for _, one in numbers], pa.int64()),
        }
    ).select(list(MetricRecord.model_fields))


def _runs_table(runs: list[RunRecord]) -> pa.Table:
    rows = [run.model_dump(mode="json") for run in runs]
    for row in rows:
        row["settings"], row["versions"] = (json.dumps(row[k], sort_keys=True) for k in ("settings", "versions"))
    frame = pl.DataFrame(
        rows, schema_overrides={"error": pl.String, "git_revision": pl.String, "git_dirty": pl.Boolean}
    )
    return frame.to_arrow()


def _summary(context: Context, runs: list[RunRecord], seconds: float) -> dict[str, Any]:
    return {
        "campaign": context.plan.grid.campaign,
        "model": {
            "name": context.pair.model.name,
            "key": context.model_key,
            "identity": context.asked.get("identity", {}),
        },
        "suite": {k: context.suite[k] for k in ("name", "key", "kind", "version", "n", "content_id", "params")},
        "runs": len(runs),
        "failed": sum(run.status != "done" for run in runs),
        "seconds": round(seconds, 3),
    }


def _write(path: Path, table: pa.Table) -> None:
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=1)
