"""`mmplat`: puts the verbs together and turns errors into one clear line and an exit code.

Nothing heavy is imported here or at the top of a verb's module, so that `mmplat --help` is instant.
"""

from __future__ import annotations

import errno
import sys
from typing import Annotated

import typer

from mmplat import __version__
from mmplat.cli import (
    archive,
    ask,
    catalog,
    compare,
    db,
    decide,
    decodings,
    diagnose,
    export,
    facts,
    gate,
    importing,
    judge,
    leaderboard,
    models,
    mub,
    plan,
    power,
    prepare,
    publish,
    rank,
    report,
    schedule,
    show,
    spubench,
    sql,
    status,
    tracking,
    train,
    verify,
    world,
)
from mmplat.cli.extras import extra_of
from mmplat.errors import MmplatError

app = typer.Typer(
    name="mmplat",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (plan.plan, prepare.prepare, train.train, ask.ask, judge.judge, decide.decide, publish.publish, rank.rank):
    app.command()(verb)
for reader in (leaderboard.leaderboard, sql.sql, status.status, report.report):
    app.command()(reader)
for comparison in (compare.compare, gate.gate, power.power):
    app.command()(comparison)
for auditor in (show.show, verify.verify, archive.gc):
    app.command()(auditor)
app.command("list")(catalog.list_)
importing.app.command("campaign")(archive.import_campaign)
app.add_typer(importing.app, name="import")
archive.exports.command("results")(export.export_results)
app.add_typer(archive.exports, name="export")
app.add_typer(models.app, name="models")
app.add_typer(diagnose.app, name="diagnose")
app.add_typer(decodings.app, name="decodings")
app.add_typer(schedule.app, name="schedule")
app.add_typer(spubench.app, name="spubench")
app.add_typer(mub.app, name="mub")
app.add_typer(facts.app, name="facts")
app.add_typer(world.app, name="world")
app.add_typer(tracking.app, name="tracking")
app.add_typer(db.app, name="db")

INTERRUPTED = 130
FULL = "The disk is full ({}). What was finished is whole and kept: free some space and run the same command again."


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def mmplat(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """How robust is a multimodal model, and what makes it more robust? Ask once, decide often."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point. Errors of ours are messages; anything else is a defect and keeps its traceback."""
    try:
        app()  # leaves by SystemExit, mistakes in options included
    except MmplatError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (extra := extra_of(error.name)) is None:
            raise
        typer.echo(f"error: This needs the package {error.name}: pip install 'mmplat[{extra}]'.", err=True)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        typer.echo(f"error: {FULL.format(error)}", err=True)
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.echo("Interrupted. What was finished is kept: run the same command again to continue.", err=True)
        raise
