"""mmplat leaderboard: prints the ranking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    import polars as pl

    from mmplat.artifacts import Results

SHOWN = ("rank", "model", "method", "decoding", "seed", "value", "n", "unparsed", "forward_passes")
NO_REFERENCES = (
    'No paper\'s figure is known for these suites and this metric: mmplat sql "FROM published_figures" has all.'
)
NO_RANGES = "Ranks have no ranges here: {:,} predictions would be read for them. --ranges does."
OF_REFERENCES = ("origin", "subset", "source", "certainty", "note")


def leaderboard(
    campaign: Annotated[str | None, typer.Option(help="Only this campaign.")] = None,
    suite: Annotated[str | None, typer.Option(help="Only this suite.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="Metric to rank by.  [default: expected_accuracy, where the campaign has it]")
    ] = None,
    top: Annotated[int | None, typer.Option(min=1, help="Ranks to show per suite; ties are shown together.")] = None,
    references: Annotated[
        bool, typer.Option("--references", help="Published figures of the papers too, without ranks.")
    ] = False,
    ranges: Annotated[
        bool, typer.Option("--ranges", help="Ranges of ranks also where many predictions have to be read for them.")
    ] = False,
    form: Annotated[str, typer.Option("--format", help="table, csv, json, md or parquet.")] = "table",
    results: ResultsOption = None,
) -> None:
    """Print the leaderboard: models × methods × decodings, ranked inside each suite."""
    from mmplat import artifacts
    from mmplat.errors import ArtifactError
    from mmplat.leaderboard import campaigns, connect, main_metric, ranking
    from mmplat.leaderboard.formats import render
    from mmplat.leaderboard.ranges import are_dear, with_rank_ranges
    from mmplat.leaderboard.references import with_references

    where = artifacts.results(results)
    connection = connect(where)
    try:
        overview = campaigns(connection)
        if overview.is_empty():
            raise ArtifactError(
                f"Nothing is published in {where.root} yet. `mmplat publish` fills the store from its files."
            )
        metric = metric or main_metric(connection, campaign)
        ranked = ranking(connection, campaign, suite, metric=metric)
        _refuse_empty(ranked, campaign, suite, metric)
        table = with_rank_ranges(connection, ranked, asked_for=ranges)
        if top is not None:  # a rank is a range among all runs, not among those shown
            table = table.filter(table["rank"] <= top)
        if references:
            table = with_references(connection, table, metric)
    finally:
        connection.close()
    if form != "table":
        typer.echo(render(table, form), nl=False)
        return
    _print(table, metric)
    if references and "source" not in table.columns:
        typer.echo(NO_REFERENCES, err=True)
    if are_dear(ranked) and not ranges:
        typer.echo(NO_RANGES.format(ranked["n"].sum()), err=True)
    _print_rest(overview if campaign is None else overview.filter(overview["campaign"] == campaign), where)


def _refuse_empty(ranked: pl.DataFrame, campaign: str | None, suite: str | None, metric: str) -> None:
    from mmplat.errors import ArtifactError

    if ranked.is_empty() and suite is not None:  # without one, what failed is said below
        raise ArtifactError(
            f"No run of {campaign or 'any campaign'} is ranked by {metric} on {suite}. "
            "`mmplat leaderboard` without --suite and --metric shows what there is."
        )


def _print_rest(shown: pl.DataFrame, where: Results) -> None:
    """What is in no ranking, and where to look further."""
    for status, meaning in (("incomplete", "lack samples, which are in no number"), ("failed", "are in no ranking")):
        if count := int(shown[status].sum()):
            why = f"mmplat sql \"SELECT run_id, error FROM runs WHERE status = '{status}'\""
            typer.echo(f"{count} runs are {status} and {meaning}: {why}", err=True)
    for name in shown["campaign"]:
        typer.echo(f"Files: {where.campaign(name)}", err=True)
    if Path("dashboard/serve.py").is_file():  # a wheel comes without
        typer.echo("Dashboard: make dashboard", err=True)


def _print(table: pl.DataFrame, metric: str) -> None:
    """One table per campaign and suite: lines and colours where a terminal shows them, plain text elsewhere."""
    import sys

    from mmplat.leaderboard.formats import plain, with_interval, with_rank_range

    readable = with_rank_range(with_interval(table))
    if table["seed"].drop_nulls().n_unique() < 2:
        readable = readable.drop("seed")
    columns = [name for name in (*SHOWN, *OF_REFERENCES) if name in readable.columns]
    for (campaign, suite), rows in readable.group_by(["campaign", "suite"], maintain_order=True):
        title = f"{campaign} · {suite} · {metric}"
        body = rows.select(columns)
        if sys.stdout.isatty():
            _print_rich(title, body)
        else:
            typer.echo(f"{title}\n{plain(body)}")


def _print_rich(title: str, table: pl.DataFrame) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from mmplat.leaderboard.formats import harmless

    drawn = Table(title=escape(title), title_justify="left")
    for name, kind in table.schema.items():
        drawn.add_column(name, justify="right" if kind.is_numeric() else "left")
    for row in table.iter_rows():
        drawn.add_row(*(escape(harmless(value)) for value in row))
    Console().print(drawn)
