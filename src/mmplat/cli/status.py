"""mmplat status: how far a campaign is, and what failed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmplat.cli.options import DEFAULT_GRID, GridOption, ResultsOption


def status(
    plan: Annotated[Path | None, typer.Argument(help="plan.json of a campaign; default: the plan of --grid.")] = None,
    grid: GridOption = DEFAULT_GRID,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 unless all is done and nothing failed.")
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Show which batches are asked, which pairs are decided, and every recorded failure."""
    from mmplat import artifacts
    from mmplat.campaign import progress_of
    from mmplat.errors import CampaignFailed
    from mmplat.grid import load_grid
    from mmplat.plan import make_plan, read_plan

    made = make_plan(load_grid(grid)) if plan is None else read_plan(plan)
    state = progress_of(made, artifacts.results(results))
    typer.echo(state.text)
    if strict and not state.fine:
        raise CampaignFailed(state.verdict)
