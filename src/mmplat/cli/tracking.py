"""mmplat tracking: the MLflow mirror."""

from __future__ import annotations

import typer

from mmplat.cli.mirroring import send_queued
from mmplat.cli.options import ResultsOption

app = typer.Typer(help="The MLflow mirror.", no_args_is_help=True)


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


@app.command()
def send(results: ResultsOption = None) -> None:
    """Send what is queued: runs that a publish could not mirror because MLflow was slow, dead or not installed."""
    from mmplat import artifacts, tracking
    from mmplat.errors import TrackingError

    where = artifacts.results(results)
    if not tracking.queued(where):
        typer.echo("Nothing is queued: MLflow has every published run.", err=True)
    send_queued(where)
    if left := tracking.queued(where):
        raise TrackingError(f"Still queued: {', '.join(left)}. Mend MLflow and run `mmplat tracking send` again.")
