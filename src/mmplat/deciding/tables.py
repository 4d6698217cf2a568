"""What deciding writes: one row per prediction, run and metric."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from mmplat.deciding.cells import Context, Decided, failures, likeliest, why_failed
from mmplat.evidence.rows import Rows
from mmplat.ids import content_id
from mmplat.metrics import Answered, catalog, summarise
from mmplat.metrics.graded import summarise_graded
from mmplat.metrics.summary import CellAnswers, Number
from mmplat.provenance import git_state, packages
from mmplat.records import MetricRecord, RunRecord, Sample, ViewSpec, measured_run_id
from mmplat.suites import catalog as suites


def run_record(context: Context, cell: Decided) -> RunRecord:
    """The record of one cell. Its id is the content of everything that determines its numbers."""
    method, pair = cell.seeded.method, context.pair
    views = list(method.views)
    evidence_key = content_id(
        {"model": context.model_key, "views": [v.key for v in views], "suite": context.suite["content_id"]}
    )
    settings = {"decoding": cell.decoding.settings, "method": method.spec.params} | _told(context.evidence.main)
    if pair.writings:
        settings["answers"] = {"written": True, "longest": pair.suite.longest}
    versions = {"method": str(method.spec.version), "suite": str(pair.suite.version)} | {
        f"metric:{name}": str(metric.version) for name, metric in catalog.items()
    }
    if context.judgments is not None:
        settings["judge"] = context.judgments.settings
        versions |= context.judgments.versions
    of_id = {
        "campaign": context.plan.grid.campaign,
        "model": pair.model.name,
        "suite": pair.suite.name,
        "decoding": cell.decoding.name,
        "method": method.spec.name,
        "seed": cell.seeded.seed,
        "evidence_key": evidence_key,
        "settings": settings,
        "versions": {**packages(), **context.asked.get("versions", {}), **versions},
    }
    failed = len(context.samples) - len(cell.rows)
    revision, dirty = git_state()
    main = context.evidence.seen_from(method.main).main
    return RunRecord(
        run_id=measured_run_id(of_id),
        **of_id,
        status="failed" if not len(cell.rows) else "incomplete" if failed else "done",
        error=why_failed(context, [v.name for v in views], cell.undecided) if failed else None,
        n=len(cell.rows),
        n_failed=failed,
        n_near_ties=int(main.near_tie[cell.rows].sum()),
        forward_passes=len(cell.rows) * method.passes if cell.forwards is None else cell.forwards,
        seconds=cell.seconds + (0.0 if cell.texts else _asking_seconds(context, cell, views)),
        device=context.evidence.device,
        dtype=context.evidence.dtype,
        git_revision=revision,
        git_dirty=dirty,
        model_key=context.model_key,
        suite_key=context.suite["key"],
        evidence_digest=context.evidence_digest,
    )


def _asking_seconds(context: Context, cell: Decided, views: list[ViewSpec]) -> float:
    return float(sum(context.evidence.view(view).seconds[cell.rows].sum() for view in views))


def _told(main: Rows) -> dict[str, Any]:
    """Of a remote model: how much of each row was told, or how often each answer was drawn."""
    if main.untold is None or not main.final.any():
        return {}
    if main.drawn_by is not None:
        return {"drawn_by": main.drawn_by}
    return {"told": {"tokens": int(main.kept.max()), "untold_probability": round(float(np.nanmax(main.untold)), 6)}}


def sample_columns(context: Context) -> dict[str, pa.Array]:
    """Columns of predictions that are the same in every cell that answers from the image; made once."""
    return {
        "sample_id": pa.array([s.sample_id for s in context.samples]),
        "gold": pa.array([s.gold for s in context.samples]),
        "labels": pa.array([list(s.labels) for s in context.samples], pa.list_(pa.string())),
    } | _margins(context.evidence.main)


def _margins(main: Rows) -> dict[str, pa.Array]:
    """How sure the view is that is answered from."""
    return {
        "margin": pa.array(main.margin.astype(np.float32), mask=~main.present),
        "near_tie": pa.array(main.near_tie, mask=~main.present),
    }


PREDICTIONS = (
    *("run_id", "sample_id", "answer", "gold", "correct", "p_correct", "p_other", "labels", "probs"),
    *("margin", "near_tie", "text", "error"),
)


def predictions_table(context: Context, shared: dict[str, pa.Array], cell: Decided, run: RunRecord) -> pa.Table:
    """One row per sample, failed ones included with their reason and without an answer."""
    n, width = len(context.samples), cell.answers.probs.shape[1]
    best = np.full(n, -1)
    best[cell.rows] = likeliest(cell.answers)
    probs, other = np.full((n, width), np.nan), np.full(n, np.nan)
    probs[cell.rows], other[cell.rows] = cell.answers.probs, cell.answers.other
    decided = np.zeros(n, bool)
    decided[cell.rows] = True
    right = np.take_along_axis(probs, context.gold[:, None], axis=1)[:, 0] if width else np.full(n, np.nan)
    labels = shared["labels"]
    if cell.seeded.method.main is not None:
        shared = shared | _margins(context.evidence.view(cell.seeded.method.main))
    said = pa.array(labels.offsets.to_numpy()[:-1] + best, mask=best < 0)  # place of the answer among all labels
    return pa.table(
        shared
        | {
            "run_id": pa.repeat(run.run_id, n),
            "answer": labels.values.take(said),
            "correct": pa.array(best == context.gold, mask=~decided | (width == 0)),
            "p_correct": pa.array(right, mask=~decided | (width == 0)),
            "p_other": pa.array(other, mask=~decided),
            "text": pa.nulls(n, pa.string()) if cell.texts is None else pa.array(cell.texts, pa.string()),
            "probs": _ragged(probs, np.where(decided, context.evidence.n_labels, 0)),
            "error": _errors(context, cell, decided),
        }
    ).select(PREDICTIONS)


def _errors(context: Context, cell: Decided, decided: NDArray[np.bool_]) -> pa.Array:
    """Why a sample has no answer; null where it has one."""
    if decided.all():
        return pa.nulls(len(decided), pa.string())
    views = [v.name for v in cell.seeded.method.views]
    reasons = failures(context, views)
    why = reasons.get("all", "evidence is missing")
    found = enumerate(zip(decided, context.samples, strict=True))
    errors = [None if fine else cell.undecided.get(i) or reasons.get(s.sample_id, why) for i, (fine, s) in found]
    return pa.array(errors, pa.string())


def _ragged(matrix: NDArray[np.float64], lengths: NDArray[Any]) -> pa.Array:
    keep = np.arange(matrix.shape[1]) < lengths[:, None]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, pa.array(matrix[keep]))


def metrics_table(context: Context, cells: list[Decided], runs: list[RunRecord]) -> pa.Table:
    """Metrics of all cells; cells that decided the same samples are computed together."""
    suite = suites.get(context.pair.suite.kind)
    graded = [(runs[at].run_id, one) for at, cell in enumerate(cells) for one in _graded(context, cell, at)]
    if suite.open_ended:
        return _numbers_table(graded)
    alike: dict[bytes, list[int]] = {}
    for index, cell in enumerate(cells):
        if not len(cell.rows):
            continue  # nothing was decided: no metric, rather than a zero
        alike.setdefault(cell.rows.tobytes(), []).append(index)
    numbers = []
    for indices in alike.values():
        samples = [context.samples[i] for i in cells[indices[0]].rows]
        answers = [_cell_answers(context, cells[i]) for i in indices]
        found = summarise(answers, samples, suite.subsets, named=suite.metrics, whole=context.samples)
        numbers += [(runs[indices[one.cell]].run_id, one) for one in found]
    return _numbers_table(numbers + graded)


def _graded(context: Context, cell: Decided, at: int) -> list[Number]:
    """Measures of written answers beyond their labels: a suite's own grades, or what published rules make of the same text."""
    suite = suites.get(context.pair.suite.kind)
    if context.judgments is not None and cell.judged:
        return context.judgments.numbers(at, cell.judged, context.samples, suite.subsets)
    grade = suite.grade or (partial(_by_published_rules, suite.official) if suite.official else None)
    if grade is None or not len(cell.rows) or cell.texts is None:
        return []
    samples = [context.samples[row] for row in cell.rows]
    grades = [grade(cell.texts[row] or "", context.samples[row]) for row in cell.rows]
    return summarise_graded(at, grades, samples, suite.subsets)


def _by_published_rules(
    rules: Mapping[str, Callable[[str, Sample], str | None]], text: str, sample: Sample
) -> dict[str, tuple[float, float]]:
    """`accuracy_official` and its like: comparable with published numbers, wrong where the published script is."""
    return {f"accuracy_{name}": (float(parse(text, sample) == sample.gold), 1.0) for name, parse in rules.items()}


def _numbers_table(numbers: list[tuple[str, Number]]) -> pa.Table:
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


def runs_table(runs: list[RunRecord]) -> pa.Table:
    rows = [run.model_dump(mode="json") for run in runs]
    for row in rows:
        row["settings"], row["versions"] = (json.dumps(row[k], sort_keys=True) for k in ("settings", "versions"))
    frame = pl.DataFrame(
        rows,
        schema_overrides={
            "error": pl.String,
            "git_revision": pl.String,
            "git_dirty": pl.Boolean,
            "evidence_digest": pl.String,
        },
    )
    return frame.to_arrow()


def summary(context: Context, runs: list[RunRecord], seconds: float, files: Mapping[str, str]) -> dict[str, Any]:
    """What decided.json says. `files` are those beside it with their SHA-256: it vouches for them."""
    return {
        "files": dict(files),
        "evidence": dict(context.parts),
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


def _cell_answers(context: Context, cell: Decided) -> CellAnswers:
    best = likeliest(cell.answers)
    one_hot = (np.arange(cell.answers.probs.shape[1]) == best[:, None]).astype(np.float64)
    gold = context.gold[cell.rows]
    positive = None if context.positive is None else context.positive[cell.rows]
    spurious = None if context.spurious is None else context.spurious[cell.rows]
    return CellAnswers(
        Answered(cell.answers.probs, cell.answers.other, gold, positive, spurious),
        Answered(one_hot, (best < 0).astype(np.float64), gold, positive, spurious),
    )
