"""mmplat export: results for other tools and for papers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    import duckdb


def export_results(
    form: Annotated[str, typer.Option("--format", help="lm-eval, parquet, csv, latex or markdown.")],
    campaign: Annotated[str | None, typer.Option(help="Only this campaign.")] = None,
    metric: Annotated[str, typer.Option(help="Metric of the LaTeX or Markdown table.")] = "expected_accuracy",
    output: Annotated[Path | None, typer.Option(help="File to write; for lm-eval the folder.")] = None,
    results: ResultsOption = None,
) -> None:
    """Export published numbers: lm-eval's JSON files, all numbers as Parquet or CSV, or a table for a paper."""
    from mmplat import artifacts
    from mmplat.errors import ArtifactError, ConfigError
    from mmplat.leaderboard import connect
    from mmplat.leaderboard.exporting import FORMATS, long_table

    if form not in FORMATS:
        raise ConfigError(f"Unknown format {form!r}. Allowed: {', '.join(FORMATS)}.")
    if output is None and form in ("lm-eval", "parquet"):
        raise ConfigError(f"{form} is written to {'a folder' if form == 'lm-eval' else 'a file'}: give --output.")
    place = artifacts.results(results)
    connection = connect(place)
    try:
        if long_table(connection, campaign).is_empty():
            raise ArtifactError(
                f"Nothing is published in {place.root} yet. `mmplat publish` fills the store from its files."
            )
        if form == "lm-eval" and output is not None:
            _write_lm_eval(connection, campaign, output)
            return
        rendered = _rendered(connection, form, campaign, metric)
    finally:
        connection.close()
    if output is None:
        typer.echo(rendered, nl=False)
    else:
        artifacts.write_bytes(output, rendered)
        typer.echo(f"{output} is written.", err=True)


def _rendered(connection: duckdb.DuckDBPyConnection, form: str, campaign: str | None, metric: str) -> bytes:
    from mmplat.leaderboard.exporting import as_latex, as_markdown, long_table, wide_table
    from mmplat.leaderboard.formats import render

    if form in ("parquet", "csv"):
        return render(long_table(connection, campaign), form)
    table = wide_table(connection, campaign, metric)
    return (as_latex if form == "latex" else as_markdown)(table, metric).encode()


def _write_lm_eval(connection: duckdb.DuckDBPyConnection, campaign: str | None, folder: Path) -> None:
    from mmplat.artifacts import write_json
    from mmplat.leaderboard.exporting import lm_eval

    files = lm_eval(connection, campaign)
    for path, content in files.items():
        write_json(folder / path, content)
    typer.echo(f"{len(files)} files are written below {folder}.", err=True)
