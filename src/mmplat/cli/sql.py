"""mmplat sql: reading the results in SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    import duckdb


def sql(
    statement: Annotated[
        str | None, typer.Argument(help="SQL over the views; docs/cookbook.md has twenty questions.", metavar="[SQL]")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the SQL from a file.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="table, csv, json, md or parquet.")] = None,
    output: Annotated[Path | None, typer.Option(help="File to write; its suffix chooses the format.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print every view, column and macro with its meaning.")
    ] = False,
    trusted: Annotated[
        bool, typer.Option("--trusted", help="Let SQL read and write all files of this machine.")
    ] = False,
    results: ResultsOption = None,
) -> None:
    """Ask the results in SQL, read-only; without SQL, at a prompt."""
    from mmplat import artifacts
    from mmplat.cli.prompt import converse
    from mmplat.errors import ConfigError
    from mmplat.leaderboard import connect

    chosen = form or _by_suffix(output)
    if chosen == "parquet" and output is None and sys.stdout.isatty():
        raise ConfigError("Parquet is no text: send it to a file with --output FILE or > FILE.")
    asked = _asked(statement, file, schema)
    connection = connect(artifacts.results(results), trusted=trusted)
    try:
        if asked is None and not schema:
            converse(connection, chosen, trusted=trusted)
            return
        rendered = _answer(connection, asked, chosen, trusted)
    finally:
        connection.close()
    if output is None:
        typer.echo(rendered, nl=False)
    else:
        artifacts.write_bytes(output, rendered)
        typer.echo(f"{output} is written.", err=True)


def _asked(statement: str | None, file: Path | None, schema: bool) -> str | None:
    """The SQL: as given, from a file, or from a pipe; None: it is to be typed."""
    from mmplat.errors import ConfigError

    if sum((statement is not None, file is not None, schema)) > 1:
        raise ConfigError("Give one of these: SQL, --file FILE, or --schema.")
    if file is not None:
        if not file.is_file():
            raise ConfigError(f"There is no SQL file {file}.")
        return file.read_text(encoding="utf-8")
    if statement is None and not schema and not sys.stdin.isatty():
        return sys.stdin.read()
    return statement


def _answer(connection: duckdb.DuckDBPyConnection, asked: str | None, form: str, trusted: bool) -> bytes:
    from mmplat.leaderboard import query
    from mmplat.leaderboard.documented import schema
    from mmplat.leaderboard.formats import render

    return render(schema(connection) if asked is None else query(connection, asked, trusted=trusted), form)


FORMAT_OF = {".csv": "csv", ".json": "json", ".md": "md", ".parquet": "parquet", ".txt": "table", "": "table"}


def _by_suffix(output: Path | None) -> str:
    from mmplat.errors import ConfigError

    suffix = output.suffix if output else ""
    if suffix not in FORMAT_OF:
        known = ", ".join(sorted(filter(None, FORMAT_OF)))
        raise ConfigError(
            f"{output} does not say in which format: its ending is none of {known}. Choose with --format."
        )
    return FORMAT_OF[suffix]
