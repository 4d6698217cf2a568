"""mmplat plan: what a grid will ask and decide, before anything is asked."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from mmplat.cli.options import DEFAULT_GRID, GridOption, MinutesOption, ResultsOption


def plan(
    grid: GridOption = DEFAULT_GRID,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the files that jobs read.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of grid files and stop.")] = False,
    minutes_per_job: MinutesOption = None,
    results: ResultsOption = None,
) -> None:
    """Show what a grid asks and decides: cells, batches, skipped cells with reasons, forward passes."""
    from mmplat import artifacts
    from mmplat.campaign import taken_over
    from mmplat.grid import json_schema, load_grid
    from mmplat.plan import describe, plan_for, write_plan

    if schema:
        typer.echo(json.dumps(json_schema(), indent=1))
        return
    place = artifacts.results(results)
    made = plan_for(load_grid(grid), place, minutes_per_job)
    if warning := taken_over(made, place):
        typer.echo(f"warning: {warning}", err=True)
    if write:
        typer.echo(str(write_plan(made, place)), err=True)
    said = describe(made)
    typer.echo(json.dumps(said, indent=1) if as_json else _text(said))


def _text(said: dict[str, Any]) -> str:
    """The plan for people."""
    from collections import Counter

    skipped: Counter[str] = Counter()
    for one in said["skipped"]:
        skipped[f"{one['reason']} ({one['method']})"] += one["cells"]
    lines = [
        f"campaign {said['campaign']} ({said['source']})",
        f"cells    {said['cells']:>12,}  planned {said['planned']:,}, skipped {sum(skipped.values()):,}",
    ]
    lines += [f"         {count:>12,}  skipped: {reason}" for reason, count in skipped.most_common()]
    for name, job in said.get("trainings", {}).items():
        lines.append(
            f"train    {name} ← {', '.join(way['suite']['name'] for part in job['data'] for way in part['ways'])}"
        )
    for batch in said["batches"]:
        suites = "; ".join(f"{_part(s)}: {', '.join(s['views'])}" for s in batch["suites"])
        minutes = "" if batch["minutes"] is None else f"  about {batch['minutes']:.3g} min"
        lines.append(f"batch    {batch['key'][:12]}  {batch['model']} ← {suites}{minutes}")
    for pair in (one for one in said["pairs"] if "judge" in one):
        most = "unknown" if pair["judgments"] is None else f"{pair['judgments']:,}"
        judge = f"{pair['judge']['model']} by {pair['judge']['rubric']}"
        lines.append(f"judged   {most:>12}  judgments at most: {pair['model']} × {pair['suite']} ← {judge}")
    forwards, alone = said["forwards"], said["forwards_cell_by_cell"]
    if isinstance(forwards, int) and isinstance(alone, int):
        lines.append(f"forwards {forwards:>12,}  every view asked once, every answer in words written to its longest")
        lines.append(
            f"         {alone:>12,}  if every cell ran its model by itself: {alone / max(forwards, 1):.1f} × as many"
        )
    else:
        lines.append("forwards      unknown  until every suite is prepared")
    return "\n".join(lines)


def _part(said: dict[str, Any]) -> str:
    """A suite of a batch, or the shard of it."""
    from mmplat.records import Shard

    return f"{said['suite']}{Shard.model_validate(said['shard'])}"
