"""mmplat publish: files → store and MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.records import MetricRecord, RunRecord
    from mmplat.store import DecidedFolder, Published

Progress = Callable[[int, int], None]


def publish(
    campaigns: Annotated[
        list[str] | None, typer.Argument(help="Campaigns to publish; all that exist by default.")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Empty the store and fill it from all files.")] = False,
    no_tracking: Annotated[bool, typer.Option("--no-tracking", help="Leave MLflow alone.")] = False,
    results: Annotated[
        Path | None, typer.Option(help="Results folder; ./results or MMPLAT_RESULTS by default.")
    ] = None,
) -> None:
    """Write the decided runs of a campaign into the store, and mirror them to MLflow."""
    from mmplat import artifacts, store
    from mmplat.errors import ConfigError

    where = artifacts.results(results)
    if rebuild and campaigns:
        raise ConfigError("--rebuild is of the whole store: name no campaign, or leave out --rebuild.")
    names = campaigns or store.campaigns_on_disk(where)
    if not names:
        raise ConfigError(f"There is no campaign in {where.root / 'campaigns'}. `mmplat plan` begins one.")
    if rebuild:
        with progress_bar("publishing") as progress:
            done = store.rebuild(where, progress=progress)
    else:
        done = []
        for name in names:
            with progress_bar(f"publishing {name}") as progress:
                done.append(store.publish(where, name, progress=progress))
    for published in done:
        _report(where, published, mirrored=None if no_tracking else _mirror(where, published.campaign))


def _mirror(results: Results, campaign: str) -> dict[str, Any]:
    from mmplat import store, tracking

    folders = store.decided_folders(results, campaign)
    runs = [run for folder in folders for run in folder.runs()]
    with progress_bar(f"mirroring {campaign} to MLflow") as progress:
        mirrored = tracking.mirror(
            results, campaign, runs, lambda missing: _metrics(folders, missing), progress=progress
        )
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
    if published.failed:
        say += f", {published.failed} of them failed"
    if mirrored and not mirrored["warning"]:
        say += f"; MLflow: {mirrored['written']} written, {mirrored['present']} there before"
    typer.echo(say, err=True)
    if mirrored and mirrored["warning"]:
        typer.echo(f"warning: {mirrored['warning']}", err=True)


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """A bar on stderr where that is a terminal; silence in logs."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
