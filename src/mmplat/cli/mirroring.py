"""Sending what is queued to MLflow: what `publish` and `tracking send` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.records import MetricRecord, RunRecord
    from mmplat.store import DecidedFolder
    from mmplat.tracking import Mirrored

PATIENCE_S = 10.0
"""What a publish gives to an MLflow server in all; `tracking send` waits as long as it takes."""


def enqueue(results: Results, campaign: str, *, take_over: bool = False) -> None:
    from mmplat import store, tracking
    from mmplat.ids import content_id

    folders = store.decided_folders(results, campaign)
    content = content_id([folder.fingerprint for folder in folders])
    tracking.enqueue(results, campaign, content, take_over=take_over)


def send_queued(results: Results, *, patience_s: float | None = None) -> dict[str, Mirrored]:
    """Sends every queued campaign, and says how each went; a server that fails once is not asked for the others."""
    from mmplat import tracking
    from mmplat.errors import MmplatError

    done: dict[str, Mirrored] = {}
    for campaign, content in tracking.queued(results).items():
        try:
            done[campaign] = mirrored = _send(results, campaign, patience_s)
        except MmplatError as error:  # its files: no reason to keep MLflow from the others
            typer.echo(f"warning: {campaign} stays queued for MLflow: {error}", err=True)
            continue
        if mirrored.warning:
            typer.echo(f"warning: {campaign}: {mirrored.warning}", err=True)
            if mirrored.refused:
                continue
            break
        _send_trainings(results, campaign)
        tracking.settle(results, campaign, content)
        removed = f", {mirrored.removed} others removed" if mirrored.removed else ""
        typer.echo(
            f"{campaign}: MLflow: {mirrored.written} written, {mirrored.present} there before{removed}", err=True
        )
    return done


def _send(results: Results, campaign: str, patience_s: float | None) -> Mirrored:
    from mmplat import store, tracking
    from mmplat.cli.progress import bar

    folders = store.decided_folders(results, campaign)
    runs = [run for folder in folders for run in folder.runs()]
    with bar(f"mirror {campaign} to MLflow", len(runs)) as advance:
        return tracking.mirror(
            results,
            campaign,
            runs,
            lambda missing: _metrics(folders, missing),
            take_over=tracking.takes_over(results, campaign),
            patience_s=patience_s,
            advance=advance,
        )


def _send_trainings(results: Results, campaign: str) -> None:
    """The trainings of a campaign beside its runs; without them the campaign is complete all the same."""
    from mmplat import tracking
    from mmplat.artifacts import read_json

    plan = read_json(results.plan(campaign), made_by="mmplat plan --write") if results.plan(campaign).exists() else {}
    models = [one for one in plan.get("grid", {}).get("models", ()) if isinstance(one, dict)]  # imported: names alone
    keys = [one["training"]["key"] for one in models if one.get("training")]
    why_not = tracking.mirror_trainings(results, keys)
    if why_not:
        typer.echo(f"warning: {campaign}: MLflow lacks its trainings: {why_not}", err=True)


def _metrics(folders: Sequence[DecidedFolder], runs: Sequence[RunRecord]) -> dict[str, list[MetricRecord]]:
    wanted = {run.run_id for run in runs}
    found: dict[str, list[MetricRecord]] = {}
    for folder in folders:
        for metric in folder.metrics_of(wanted):
            found.setdefault(metric.run_id, []).append(metric)
    return found
