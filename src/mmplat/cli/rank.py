"""mmplat rank: store → leaderboard files of a campaign."""

from __future__ import annotations

from typing import Annotated

import typer

from mmplat.cli.missing import not_decided
from mmplat.cli.options import MetricOption, ResultsOption


def rank(
    campaign: Annotated[str, typer.Argument(help="Campaign to rank.")],
    metric: MetricOption = None,
    results: ResultsOption = None,
) -> None:
    """Write leaderboard.md, .html, .csv and .json of a campaign."""
    from mmplat import artifacts, store
    from mmplat.leaderboard import connect, main_metric, overall, ranking
    from mmplat.leaderboard.formats import as_csv, as_json, markdown, with_interval
    from mmplat.leaderboard.report import report

    where = artifacts.results(results)
    as_of = artifacts.time_in(where.root)  # what is published meanwhile is newer than these files
    missing = store.undecided(where, campaign)
    connection = connect(where)
    try:
        metric = metric or main_metric(connection, campaign)
        table = ranking(connection, campaign, metric=metric)
        across = overall(connection, campaign, metric)
        html = report(connection, where, campaign, metric)
    finally:
        connection.close()
    page = [
        f"# {campaign}\n",
        f"Ranked by {metric} inside each suite. Brackets: the interval of the run; ties share a rank.\n",
        *([f"Not decided yet, and not in it: {'; '.join(missing)}.\n"] if missing else []),
        markdown(with_interval(table.drop("campaign", "metric", "run_id"))),
        "## Over all suites\n",
        f"The plain mean of {metric} over suites, each counting once. Rows without a rank lack a suite.\n",
        markdown(across),
    ]
    texts = {"md": "\n".join(page), "html": html, "csv": as_csv(table), "json": as_json(table)}
    for suffix, text in texts.items():
        artifacts.write_bytes(where.leaderboard(campaign, suffix), text.encode(), as_of=as_of)
    typer.echo(f"{campaign}: {table.height} rows in {where.leaderboard(campaign, 'md')} (.html, .csv, .json)", err=True)
    if missing:
        pairs = len(artifacts.read_json(where.plan(campaign), made_by="mmplat plan")["pairs"])
        typer.echo(f"{campaign}: {not_decided(missing, pairs)}. They are not in it.", err=True)
