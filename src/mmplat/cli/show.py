"""mmplat show: everything behind one run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.naming import run_ids
from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from mmplat.audit import Lineage

PARTS_SHOWN = 5


def show(
    run: Annotated[str, typer.Argument(help="Run id, its beginning, or model=…,suite=…,method=…,decoding=….")],
    sample: Annotated[str | None, typer.Option(help="The sample to show; the suite's first one by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    results: ResultsOption = None,
) -> None:
    """Show where a number comes from: its run, evidence, samples, images, prompts, model, versions, grid and code."""
    from mmplat import artifacts, store
    from mmplat.audit import lineage_of

    where = artifacts.results(results)
    url = store.store_url(where)
    recorded = store.recorded(url, run_ids([run], where))[0]
    lineage = lineage_of(where, recorded, store.origin_of(url, recorded.run), sample)
    typer.echo(json.dumps(_jsonable(lineage), indent=1) if as_json else "\n".join(_lines(lineage)))
    for one in lineage.missing:
        typer.echo(f"missing: {one}", err=True)


def _jsonable(lineage: Lineage) -> dict[str, Any]:
    return {
        "run": lineage.recorded.run.model_dump(mode="json"),
        "metrics": [metric.model_dump(mode="json") for metric in lineage.recorded.metrics],
        "grid_text": lineage.origin.grid_text,
        "model_identity": lineage.origin.identity,
        "files": {name: str(path) for name, path in lineage.files.items()},
        "evidence": lineage.evidence,
        "evidence_parts": lineage.evidence_parts,
        "suite": lineage.suite,
        "sample": lineage.sample,
        "missing": lineage.missing,
    }


def _lines(lineage: Lineage) -> Iterator[str]:
    """The same for people."""
    run = lineage.recorded.run
    yield f"run        {run.run_id} ({run.origin}, {run.status}{f': {run.error}' if run.error else ''})"
    yield f"cell       {run.model} × {run.suite} × {run.decoding} × {run.method} × seed {run.seed}"
    yield f"campaign   {run.campaign}"
    yield f"cost       {run.forward_passes} forward passes, {run.seconds:.3g} s on {run.device} in {run.dtype}"
    yield f"samples    {run.n} decided, {run.n_failed} without evidence, {run.n_near_ties} near ties"
    dirty = {None: "", True: ", with uncommitted changes", False: ", clean"}[run.git_dirty]
    yield f"code       {run.git_revision or 'no repository'}{dirty}"
    yield f"versions   {_pairs(run.versions)}"
    yield f"settings   {json.dumps(run.settings, sort_keys=True)}"
    yield f"model      {_pairs(lineage.origin.identity)}"
    yield f"suite      {_pairs({name: lineage.suite.get(name) for name in ('kind', 'version', 'n', 'content_id')})}"
    yield from (f"{name:<10} {path}" for name, path in lineage.files.items())
    yield from _evidence(lineage)
    yield from _metrics(lineage)
    yield from _sample(lineage.sample)
    yield "\ngrid"
    yield from (f"  {line}" for line in lineage.origin.grid_text.strip().splitlines())


def _evidence(lineage: Lineage) -> Iterator[str]:
    parts = lineage.evidence_parts
    if "evidence" not in lineage.files:
        yield "\nevidence   none: the answers were given elsewhere, and imported"
        return
    yield f"\nevidence   {len(parts)} files, {sum(parts.values()):,} bytes"
    yield from (f"  {name}  {size:,} bytes" for name, size in list(parts.items())[:PARTS_SHOWN])
    if len(parts) > PARTS_SHOWN:
        yield f"  … and {len(parts) - PARTS_SHOWN} more"
    for view in lineage.evidence:
        yield f"  view {view['view']}: {view['rows']} rows, asked in {view['seconds']:.3g} s {_pairs(view['params'])}"


def _metrics(lineage: Lineage) -> Iterator[str]:
    from mmplat.leaderboard.formats import interval

    yield "\nmetrics"
    for metric in lineage.recorded.metrics:
        name = metric.metric if metric.subset == "all" else f"{metric.metric} ({metric.subset})"
        yield f"  {name}: {interval(metric.value, metric.low, metric.high)}, n = {metric.n}"


def _sample(sample: dict[str, Any]) -> Iterator[str]:
    if not sample:
        return
    yield f"\nsample     {sample['sample_id']}: gold {sample['gold']!r} of {', '.join(sample['labels'])}"
    yield f"  question: {sample['question']!r}"
    yield from (f"  image {path}" for path in sample["images"])
    for view, question in sample["asked"].items():
        yield f"  asked as {view}: {question!r}"
    if answered := sample["answered"]:
        yield f"  answered {answered['answer']!r}; p(gold) = {answered['p_correct']}"


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)
