"""mmplat decide: evidence → predictions and metrics. No model, no GPU."""

from __future__ import annotations

from typing import Annotated

import typer

from mmplat.cli.options import DEFAULT_GRID, GridOption, KeepGoingOption, PlanArgument, ResultsOption
from mmplat.cli.selection import selected


def decide(
    plan: PlanArgument = None,
    model: Annotated[str | None, typer.Option(help="Only this model (needs --suite).")] = None,
    suite: Annotated[str | None, typer.Option(help="Only this suite (needs --model).")] = None,
    grid: GridOption = DEFAULT_GRID,
    keep_going: KeepGoingOption = False,
    results: ResultsOption = None,
) -> None:
    """Decide all cells from the stored evidence."""
    from mmplat import artifacts
    from mmplat.cli.progress import bar
    from mmplat.deciding import decide as decide_pair
    from mmplat.errors import CampaignFailed

    place = artifacts.results(results)
    made, pairs, _ = selected(plan, grid, model, suite, place)
    failed = 0
    for pair in pairs:
        with bar(
            f"decide {pair.model.name} × {pair.suite.name}", len(pair.methods) * len(made.grid.decodings)
        ) as advance:
            done = decide_pair(made, pair, place, advance=advance)
        failed += artifacts.read_json(done, made_by="mmplat decide")["failed"]
        typer.echo(str(done))
    if failed and not keep_going:
        raise CampaignFailed(
            f"{failed} cells lack samples that could not be asked, and say so in their `status` and `error`; the others are "
            "done. Mend the cause, run `mmplat ask` with this grid, then this again."
        )
