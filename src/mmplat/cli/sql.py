"""mmplat sql: reading the results in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmplat.cli.options import ResultsOption


def sql(
    statement: Annotated[str, typer.Argument(help="SQL over the views; docs/query.md has examples.", metavar="SQL")],
    form: Annotated[str | None, typer.Option("--format", help="table, csv, json, md or parquet.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; its suffix chooses the format.")] = None,
    results: ResultsOption = None,
) -> None:
    """Ask the results in SQL, read-only: runs, metrics, predictions, evidence, leaderboard, models, suites, samples."""
    import sys

    from mmplat import artifacts
    from mmplat.errors import ConfigError
    from mmplat.leaderboard import connect, query
    from mmplat.leaderboard.formats import render

    chosen = form or _by_suffix(output)
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise ConfigError("Parquet is no text: send it to a file with --output FILE or > FILE.")
    connection = connect(artifacts.results(results))
    try:
        rendered = render(query(connection, statement), chosen)
    finally:
        connection.close()
    if output is None:
        typer.echo(rendered, nl=False)
    else:
        artifacts.write_bytes(output, rendered)
        typer.echo(f"{output} is written.", err=True)


def _by_suffix(output: Path | None) -> str:
    suffix = output.suffix.lstrip(".") if output else ""
    return suffix if suffix in ("csv", "json", "md", "parquet") else "table"
