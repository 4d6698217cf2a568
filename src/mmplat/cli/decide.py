"""mmplat decide: evidence → predictions and metrics. No model, no GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmplat.cli.options import DEFAULT_GRID, GridOption, KeepGoingOption, ResultsOption


def decide(
    plan: Annotated[Path | None, typer.Argument(help="plan.json of a campaign; default: the plan of --grid.")] = None,
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
    from mmplat.errors import CampaignFailed, ConfigError
    from mmplat.grid import load_grid
    from mmplat.plan import plan_for, read_plan, write_plan

    if (model is None) != (suite is None):
        raise ConfigError("--model and --suite go together: give both, or neither for all pairs.")
    place = artifacts.results(results)
    if plan is not None:
        made = read_plan(plan)
    else:
        made = plan_for(load_grid(grid), place)
        write_plan(made, place)
    pairs = made.pairs if model is None or suite is None else (made.pair(model, suite),)
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
