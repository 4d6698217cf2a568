"""mmplat schedule: campaigns that run unattended, by the clock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmplat.cli.interrupts import interruptible
from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from mmplat.artifacts import Results

app = typer.Typer(no_args_is_help=True, help="Campaigns that run unattended, by the clock: only what is new is asked.")

PrintOption = Annotated[
    bool, typer.Option("--print", help="Change no crontab; print units for systemd, which look every minute.")
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name of the schedule.")],
    cron: Annotated[str, typer.Option(help="When: minute, hour, day, month, day of the week, such as '0 2 * * *'.")],
    grid: Annotated[Path, typer.Option("--grid", "-g", help="The grid file; read anew at each firing.")],
    profile: Annotated[Path | None, typer.Option(help="Snakemake's profile, such as profiles/slurm.")] = None,
    snakefile: Annotated[Path, typer.Option(help="The workflow.")] = Path("Snakefile"),
    env_file: Annotated[
        Path | None, typer.Option(help="File of NAME=VALUE lines for the jobs; cron knows nothing of your shell.")
    ] = None,
    only_print: PrintOption = False,
    results: ResultsOption = None,
) -> None:
    """Run a grid by the clock, and tell the crontab (or SLURM's scrontab)."""
    from datetime import datetime

    from mmplat import artifacts
    from mmplat import schedule as schedules

    place = _absolute(artifacts.results(results))
    entry = schedules.Scheduled(
        name=name,
        cron=cron,
        grid=grid.resolve(),
        profile=profile and profile.resolve(),
        snakefile=snakefile.resolve(),
        folder=Path.cwd(),
        env_file=env_file and env_file.resolve(),
        added=datetime.now().replace(microsecond=0),
    )
    schedules.add(place, entry)
    if only_print:
        typer.echo(schedules.systemd_units(place))
        return
    _sync(place)
    typer.echo(_line(place, entry.name), err=True)


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Everything, all firings included, as JSON.")] = False,
    results: ResultsOption = None,
) -> None:
    """Show what runs when, and what came of the last firing."""
    from mmplat import artifacts
    from mmplat import schedule as schedules

    place = _absolute(artifacts.results(results))
    entries = schedules.scheduled(place)
    if as_json:
        found = [
            {
                **entry.model_dump(mode="json"),
                "firings": [firing.model_dump(mode="json") for firing in schedules.firings(place, entry.name)],
            }
            for entry in entries
        ]
        typer.echo(json.dumps(found, indent=1))
        _tell_not_run(place)
        return
    for entry in entries:
        typer.echo(_line(place, entry.name))
    _tell_not_run(place)
    if entries and not schedules.installed(place):
        typer.echo(
            "No crontab of this user on this machine knows of them: they run where a timer calls run-due.", err=True
        )


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the schedule.")],
    results: ResultsOption = None,
) -> None:
    """Run a campaign no longer; the records of its firings stay."""
    from mmplat import artifacts
    from mmplat import schedule as schedules

    place = _absolute(artifacts.results(results))
    schedules.remove(place, name)
    if schedules.installed(place):
        _sync(place)


@app.command("run-due")
def run_due(
    webhook: Annotated[
        str | None,
        typer.Option(envvar="MMPLAT_WEBHOOK", show_envvar=True, help="Address that gets a JSON message on failure."),
    ] = None,
    results: ResultsOption = None,
) -> None:
    """Run what is due, one campaign at a time; a crontab or timer calls this."""
    from mmplat import artifacts
    from mmplat import schedule as schedules
    from mmplat.errors import CampaignFailed

    place = _absolute(artifacts.results(results))
    with interruptible():
        firings = schedules.run_due(place, say=typer.echo)
    for firing in firings:
        if firing.outcome == "skipped":
            typer.echo(f"{firing.schedule}: skipped ({firing.reason})")
    left = _tell_not_run(place)
    failed = [firing for firing in firings if firing.bad]
    if failed:
        summary, unsent = schedules.report_failures(place, failed, webhook=webhook)
        if unsent:
            typer.echo(f"warning: the webhook did not take the message: {unsent}", err=True)
        raise CampaignFailed(f"{len(failed)} of {len(firings)} scheduled campaigns failed; what happened: {summary}")
    if left:
        raise CampaignFailed(
            f"{left} in {place.schedule} are not run (see above); what you scheduled yourself was run."
        )


def _tell_not_run(place: Results) -> int:
    """Says of every schedule.json in the results folder that it is not run; returns how many there are."""
    from mmplat import schedule as schedules

    found = list(schedules.not_run(place))
    for one in found:
        typer.echo(f"warning: {one}", err=True)
    return len(found)


def _sync(place: Results) -> None:
    from mmplat import schedule as schedules
    from mmplat.errors import ConfigError

    tool = schedules.sync(place)
    if tool is None:
        raise ConfigError(
            "This machine has neither crontab nor scrontab. The schedule is written down; call `mmplat schedule run-due` "
            "by whatever clock there is: `mmplat schedule add … --print` prints units for systemd."
        )


def _line(place: Results, name: str) -> str:
    from datetime import datetime

    from mmplat import schedule as schedules
    from mmplat.schedule import clock

    entry = next(one for one in schedules.scheduled(place) if one.name == name)
    last = schedules.firings(place, name)[-1:]
    came = f"last {last[0].due:%Y-%m-%d %H:%M} {last[0].outcome}" if last else "not yet fired"
    upcoming = clock.upcoming(entry.cron, datetime.now())
    return f"{name}: {clock.explain(entry.cron)}, next {upcoming:%Y-%m-%d %H:%M}, {came}  ({entry.grid})"


def _absolute(place: Results) -> Results:
    from mmplat.artifacts import Results

    return Results(place.root.resolve())
