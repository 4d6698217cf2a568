"""mmplat judge: written answers → judgments, where a suite is scored by a judge. Between ask and decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.interrupts import interruptible
from mmplat.cli.options import DEFAULT_GRID, GridOption, KeepGoingOption, PlanArgument, ResultsOption
from mmplat.cli.selection import selected

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.plan import Pair, Plan


def judge(
    plan: PlanArgument = None,
    model: Annotated[str | None, typer.Option(help="Only this model (needs --suite).")] = None,
    suite: Annotated[str | None, typer.Option(help="Only this suite (needs --model).")] = None,
    grid: GridOption = DEFAULT_GRID,
    keep_going: KeepGoingOption = False,
    results: ResultsOption = None,
) -> None:
    """Let the judges of a grid score what was written. Killed at any moment, the same command pays nothing twice."""
    from mmplat import artifacts
    from mmplat.errors import CampaignFailed

    place = artifacts.results(results)
    made, chosen, named = selected(plan, grid, model, suite, place)
    pairs = [pair for pair in chosen if named or pair.judge is not None]
    with interruptible():
        failed = sum(_judge_one(made, pair, place) for pair in pairs)
    if failed and not keep_going:
        raise CampaignFailed(
            f"{failed} answers could not be judged and are recorded; everything else is kept. Mend the cause and run this again."
        )


def _judge_one(plan: Plan, pair: Pair, place: Results) -> int:
    """Judges one pair, says what it came to, and returns how many judgments failed."""
    from mmplat.cli.progress import bar
    from mmplat.judging import judge as judge_pair

    name = f"{pair.model.name} × {pair.suite.name}"
    with bar(f"judge {name}", pair.judgments) as advance:
        outcome = judge_pair(plan, pair, place, advance=advance)
    typer.echo(
        f"{name}: {outcome.judged:,} judged, {outcome.kept:,} known already, {outcome.unread:,} replies without a score, "
        f"{outcome.seconds:.1f} s"
    )
    for failure in outcome.failures[:5]:
        typer.echo(f"failed: {failure['sample_id']} ({failure['order']}): {failure['error']}", err=True)
    if len(outcome.failures) > 5:
        typer.echo(f"… and {len(outcome.failures) - 5} more, all in judged.json of the pair", err=True)
    return len(outcome.failures)
