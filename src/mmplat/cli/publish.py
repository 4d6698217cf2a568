"""mmplat publish: files → store and MLflow."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.mirroring import PATIENCE_S, enqueue, send_queued
from mmplat.cli.missing import not_decided
from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.errors import ForeignCampaign
    from mmplat.store import Published


def publish(
    campaigns: Annotated[
        list[str] | None, typer.Argument(help="Campaigns to publish; all that exist by default.")
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Take this folder's campaigns out of the store, and fill them in from all files."
        ),
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Replace campaigns of these names that another results folder published."),
    ] = False,
    no_tracking: Annotated[bool, typer.Option("--no-tracking", help="Leave MLflow alone.")] = False,
    results: ResultsOption = None,
) -> None:
    """Write the decided runs of a campaign into the store, and mirror them to MLflow."""
    from mmplat import artifacts, store
    from mmplat.errors import ConfigError, ForeignCampaign

    where = artifacts.results(results)
    if rebuild and campaigns:
        raise ConfigError("--rebuild is of all campaigns of the folder: name no campaign, or leave out --rebuild.")
    if take_over and not campaigns:
        raise ConfigError("--take-over replaces what others published: name the campaigns that it is meant for.")
    names = campaigns or store.campaigns_on_disk(where)
    if not names:
        raise ConfigError(f"There is no campaign in {where.root / 'campaigns'}. `mmplat plan` begins one.")
    if rebuild:
        refused = _rebuild(where, names, tracked=not no_tracking)
    else:
        refused = []
        for name in names:
            try:
                _publish(where, name, take_over=take_over, tracked=not no_tracking)
            except ForeignCampaign as refusal:
                refused.append(refusal)
    if not no_tracking:
        send_queued(where, patience_s=PATIENCE_S)
    if refused:
        raise ForeignCampaign("\n".join(map(str, refused)))


def _publish(results: Results, campaign: str, *, take_over: bool, tracked: bool) -> None:
    from mmplat import artifacts, store
    from mmplat.cli.progress import bar

    folders = store.decided_folders(results, campaign)
    as_of = artifacts.time_in(results.campaign(campaign))
    with bar(f"publish {campaign}", len(folders)) as advance:
        done = store.publish(results, campaign, take_over=take_over, advance=advance)
    if tracked:
        enqueue(results, campaign, take_over=take_over)
    _report(results, done, as_of)


def _rebuild(results: Results, names: list[str], *, tracked: bool) -> list[ForeignCampaign]:
    """Returns what is not in the store, because others' campaigns of the same names are."""
    from mmplat import artifacts, store
    from mmplat.cli.progress import bar

    as_of = artifacts.time_in(results.root)
    with bar("publish", sum(len(store.decided_folders(results, name)) for name in names)) as advance:
        done = store.rebuild(results, advance=advance)
    for campaign, runs in done.removed.items():
        typer.echo(f"{campaign}: removed from the store with its {runs} runs: it has no files here any more", err=True)
    for published in done.published:
        if tracked:
            enqueue(results, published.campaign)
        _report(results, published, as_of)
    return done.refused


def _report(results: Results, published: Published, as_of: int | None) -> None:
    """published.json is written before MLflow is asked for anything: it exists when the store has the campaign.

    It is as old as what was published: what is decided meanwhile is newer, and Snakemake publishes it.
    """
    from mmplat.artifacts import write_json

    write_json(results.published(published.campaign), asdict(published), as_of=as_of)
    name = published.campaign
    say = f"{name}: {published.runs} runs in {published.store}"
    for count, what in ((published.incomplete, "incomplete"), (published.failed, "failed")):
        say += f", {count} of them {what}" if count else ""
    typer.echo(say, err=True)
    if published.taken_from:
        typer.echo(f"{name}: taken over from {published.taken_from}: its {published.left} runs were replaced", err=True)
    elif published.left:
        typer.echo(f"{name}: {published.left} runs left the store: their cells left the grid or the files", err=True)
    if published.missing:
        pairs = len(published.missing) + len(published.covers)
        say = not_decided(published.missing, pairs)
        typer.echo(f"{name}: {say}. The same snakemake command makes them.", err=True)
