"""mmplat report: a campaign as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmplat.cli.options import MetricOption, ResultsOption


def report(
    campaign: Annotated[str, typer.Argument(help="A campaign that was published.")],
    output: Annotated[
        Path | None, typer.Option(help="File to write.  [default: leaderboard.html of the campaign]")
    ] = None,
    metric: MetricOption = None,
    results: ResultsOption = None,
) -> None:
    """Write one HTML file with the leaderboard and the figures of the campaign's diagnostics, for people without access."""
    from mmplat import artifacts
    from mmplat.leaderboard import connect, main_metric
    from mmplat.leaderboard.report import report as page
    from mmplat.leaderboard.tables import check_name

    where = artifacts.results(results)
    connection = connect(where)
    try:
        check_name(connection, "campaign", campaign)
        text = page(connection, where, campaign, metric or main_metric(connection, campaign))
    finally:
        connection.close()
    path = output or where.leaderboard(campaign, "html")
    artifacts.write_bytes(path, text.encode())
    typer.echo(f"{path} is written: {len(text) / 1e6:.1f} MB, complete in itself.", err=True)
