"""mmplat gate: may a candidate take the place of a baseline? An exit code for scheduled runs."""

from __future__ import annotations

from typing import Annotated

import typer

from mmplat.cli.compare import signed
from mmplat.cli.options import ResultsOption

EXIT_CODES = {"GO": 0, "NO-GO": 3, "INCONCLUSIVE": 4}
"""1 and 2 are errors, as everywhere: a script can tell a verdict from a run that does not exist."""


def gate(
    baseline: Annotated[str, typer.Option(help="Run id, its beginning, or model=…,suite=…,method=…,decoding=….")],
    candidate: Annotated[str, typer.Option(help="The run that would take its place, named in the same way.")],
    margin: Annotated[float, typer.Option(min=0, max=1, help="By how much it may be worse: 0.02 is two points.")],
    metric: Annotated[str, typer.Option(help="accuracy or expected_accuracy.")] = "accuracy",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    results: ResultsOption = None,
) -> None:
    """Exit with 0 (GO), 3 (NO-GO) or 4 (INCONCLUSIVE): is the candidate at most MARGIN worse, on the same samples?"""
    from mmplat import artifacts
    from mmplat.leaderboard import connect
    from mmplat.leaderboard.comparing import compare
    from mmplat.statistics import verdict

    connection = connect(artifacts.results(results))
    try:
        found = compare(connection, baseline, candidate)
    finally:
        connection.close()
    one = found.overall(metric, seed=seed)
    said = verdict(one.low, one.high, margin)
    numbers = {
        "verdict": str(said), "margin": margin, "metric": metric, "difference": one.difference,
        "low": None if one.low != one.low else one.low, "high": None if one.high != one.high else one.high,
        "n": one.n, "clusters": one.clusters, "baseline": found.first["run_id"], "candidate": found.second["run_id"],
    }  # fmt: skip
    if json:
        import json as writer

        typer.echo(writer.dumps(numbers, allow_nan=False))
    else:
        typer.echo(
            f"{said}: {metric} of the candidate − baseline is {signed(one)} on {one.n} shared samples ({one.clusters} clusters); "
            f"allowed is −{margin:g}"
        )
    raise typer.Exit(EXIT_CODES[said])
