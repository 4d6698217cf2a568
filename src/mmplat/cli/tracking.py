"""mmplat tracking: the MLflow mirror."""

from __future__ import annotations

import typer

from mmplat.cli.options import ResultsOption

app = typer.Typer(no_args_is_help=True)


@app.callback(help="The MLflow mirror.")
def group() -> None:
    """Keeps `prepare` a command of its own: typer folds a lone command into its parent."""


@app.command()
def prepare(
    results: ResultsOption = None,
) -> None:
    """Make the MLflow store's tables once, beside the asking; a missing MLflow is reported and is no failure."""
    from mmplat import artifacts, tracking

    said = tracking.prepare(artifacts.results(results))
    if said["ready"]:
        typer.echo(f"MLflow is ready at {said['uri']}", err=True)
    else:
        typer.echo(f"warning: no MLflow mirror: {said['reason']}", err=True)
