"""mmplat publish: files → store and MLflow."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.mirroring import PATIENCE_S, enqueue, send_queued
from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.store import Published


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
        if not no_tracking:
            enqueue(where, published.campaign)
        _report(where, published)
    if not no_tracking:
        send_queued(where, patience_s=PATIENCE_S)


def _report(results: Results, published: Published) -> None:
    """published.json is written before MLflow is asked for anything: it exists when the store has the campaign."""
    from mmplat.artifacts import write_json

    write_json(results.published(published.campaign), asdict(published))
    say = f"{published.campaign}: {published.runs} runs in {published.store}"
    for count, what in ((published.incomplete, "incomplete"), (published.failed, "failed")):
        say += f", {count} of them {what}" if count else ""
    typer.echo(say, err=True)
