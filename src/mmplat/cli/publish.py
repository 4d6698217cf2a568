"""mmplat publish: files → store and MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.records import MetricRecord, RunRecord
    from mmplat.store import DecidedFolder, Published


def publish(
    campaigns: Annotated[
        list[str] | None, typer.Argument(help="Campaigns to publish; all that exist by default.")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Empty the store and fill it from all files.")] = False,
    no_tracking: Annotated[bool, typer.Option("--no-tracking", help="Leave MLflow alone.")] = False,
    results: ResultsOption = None,
) -> None:
    """Write the decided runs of a campaign into the store, and mirror them to MLflow."""
    from mmplat import artifacts, store
    from mmplat.cli.progress import bar
    from mmplat.errors import ConfigError

    where = artifacts.results(results)
    if rebuild and campaigns:
        raise ConfigError("--rebuild is of the whole store: name no campaign, or leave out --rebuild.")
    names = campaigns or store.campaigns_on_disk(where)
    if not names:
        raise ConfigError(f"There is no campaign in {where.root / 'campaigns'}. `mmplat plan` begins one.")
    if rebuild:
        with bar("publish", sum(len(store.decided_folders(where, name)) for name in names)) as advance:
            done = store.rebuild(where, advance=advance)
    else:
        done = []
        for name in names:
            with bar(f"publish {name}", len(store.decided_folders(where, name))) as advance:
                done.append(store.publish(where, name, advance=advance))
    for published in done:
        _report(where, published, mirrored=None if no_tracking else _mirror(where, published.campaign))


def _mirror(results: Results, campaign: str) -> dict[str, Any]:
    from mmplat import store, tracking
    from mmplat.cli.progress import bar

    folders = store.decided_folders(results, campaign)
    runs = [run for folder in folders for run in folder.runs()]
    with bar(f"mirror {campaign} to MLflow", len(runs)) as advance:
        mirrored = tracking.mirror(results, campaign, runs, lambda missing: _metrics(folders, missing), advance=advance)
    return asdict(mirrored)


def _metrics(folders: Sequence[DecidedFolder], runs: Sequence[RunRecord]) -> dict[str, list[MetricRecord]]:
    wanted = {run.run_id for run in runs}
    found: dict[str, list[MetricRecord]] = {}
    for folder in folders:
        for metric in folder.metrics_of(wanted):
            found.setdefault(metric.run_id, []).append(metric)
    return found


def _report(results: Results, published: Published, *, mirrored: dict[str, Any] | None) -> None:
    """published.json is the last file: it exists when the store has the campaign, whatever MLflow did."""
    from mmplat.artifacts import write_json

    write_json(results.published(published.campaign), {**asdict(published), "tracking": mirrored})
    say = f"{published.campaign}: {published.runs} runs in {published.store}"
    for count, what in ((published.incomplete, "incomplete"), (published.failed, "failed")):
        say += f", {count} of them {what}" if count else ""
    if mirrored and not mirrored["warning"]:
        say += f"; MLflow: {mirrored['written']} written, {mirrored['present']} there before"
    typer.echo(say, err=True)
    if mirrored and mirrored["warning"]:
        typer.echo(f"warning: {mirrored['warning']}", err=True)
