"""mmplat prepare: suites → samples and images on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmplat.cli.options import DEFAULT_GRID, GridOption, ResultsOption, written_by_plan


def prepare(
    spec: Annotated[
        Path | None,
        typer.Argument(help="One suite as the plan wrote it; default: all of the grid.", callback=written_by_plan),
    ] = None,
    grid: GridOption = DEFAULT_GRID,
    results: ResultsOption = None,
) -> None:
    """Prepare suites: samples and images, content-hashed. What is prepared already is left alone."""
    from mmplat import artifacts
    from mmplat.cli.progress import bar
    from mmplat.grid import load_grid
    from mmplat.jobfiles import read_suite
    from mmplat.plan import plan_for, write_plan
    from mmplat.preparing import prepare as prepare_suite
    from mmplat.suites import catalog

    place = artifacts.results(results)
    if spec is not None:
        wanted = [read_suite(spec)]
    else:
        plan = plan_for(load_grid(grid), place)
        write_plan(plan, place)  # first, so that `mmplat gc` knows whose they are
        wanted = list(plan.grid.suites)
    for suite in wanted:
        with bar(f"prepare {suite.name}", catalog.get(suite.kind).count(suite)) as advance:
            typer.echo(str(prepare_suite(suite, place, advance=advance)))
