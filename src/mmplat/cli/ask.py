"""mmplat ask: batches → evidence. The only verb that runs a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.interrupts import interruptible
from mmplat.cli.options import (
    DEFAULT_GRID,
    GridOption,
    KeepGoingOption,
    PickledWeightsOption,
    ResultsOption,
    TrustRemoteCodeOption,
    written_by_plan,
)

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.records import Batch


def ask(
    batch: Annotated[
        Path | None,
        typer.Argument(help="One batch as the plan wrote it; default: all of the grid.", callback=written_by_plan),
    ] = None,
    grid: GridOption = DEFAULT_GRID,
    threads: Annotated[int | None, typer.Option(help="CPU threads of the model.  [default: all cores]")] = None,
    keep_going: KeepGoingOption = False,
    trust_remote_code: TrustRemoteCodeOption = False,
    pickled_weights: PickledWeightsOption = False,
    results: ResultsOption = None,
) -> None:
    """Ask what is missing and keep it. Killed at any moment, the same command goes on where it stopped."""
    from mmplat import artifacts
    from mmplat.errors import CampaignFailed
    from mmplat.grid import load_grid
    from mmplat.jobfiles import Consent, read_batch
    from mmplat.plan import plan_for, write_plan

    place = artifacts.results(results)
    if batch is not None:
        wanted = [read_batch(batch, Consent(trust_remote_code, pickled_weights))]
    else:
        made = plan_for(load_grid(grid), place)
        write_plan(made, place)
        wanted = list(made.batches)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    with interruptible():
        failed = sum(_ask_one(one, place) for one in wanted)
    if failed and not keep_going:
        raise CampaignFailed(
            f"{failed} failures were recorded; everything else was asked and is kept. Mend the cause and run this again."
        )


def _ask_one(batch: Batch, place: Results) -> int:
    """Asks one batch, says what it came to, and returns how many failures were recorded."""
    from mmplat.asking import ask as ask_batch
    from mmplat.asking import expected_rows
    from mmplat.cli.progress import bar

    with bar(f"ask {batch.model.name}", sum(expected_rows(part, place) for part in batch.suites)) as advance:
        outcome = ask_batch(batch, place, advance=advance)
    rate = f", {outcome.asked / outcome.seconds:,.0f} rows/s" if outcome.seconds else ""
    typer.echo(
        f"{batch.model.name}: {outcome.asked:,} rows asked, {outcome.kept:,} known already, {outcome.seconds:.1f} s{rate}"
    )
    for failure in outcome.failures[:5]:
        typer.echo(f"failed: {failure['suite']} {failure['sample_id']}: {failure['error']}", err=True)
    if len(outcome.failures) > 5:
        typer.echo(f"… and {len(outcome.failures) - 5} more failed samples, all in the batch's done-marker", err=True)
    return len(outcome.failures)
