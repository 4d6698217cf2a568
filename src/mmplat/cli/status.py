"""mmplat status: how far a campaign is, and what failed."""

from __future__ import annotations

from typing import Annotated

import typer

from mmplat.cli.options import DEFAULT_GRID, GridOption, ResultsOption


def status(
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
    from mmplat.plan import make_plan

    state = progress_of(make_plan(load_grid(grid)), artifacts.results(results))
    typer.echo(state.text)
    if strict and not state.fine:
        raise CampaignFailed(state.verdict)
