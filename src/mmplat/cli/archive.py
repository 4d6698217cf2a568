"""mmplat export campaign, mmplat import campaign, mmplat gc: what campaigns hold on disk."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from mmplat.cli.options import ResultsOption

exports = typer.Typer(help="Results for other labs and other programs.", no_args_is_help=True)


@exports.command("campaign")
def export_campaign(
    campaign: Annotated[str, typer.Argument(help="Campaign to export.")],
    file: Annotated[Path, typer.Argument(help="Archive to write: FILE.tar.zst or FILE.tar.gz.")],
    results: ResultsOption = None,
) -> None:
    """Pack a campaign with its evidence, samples and images into one file that another lab can load and verify."""
    from mmplat import archive, artifacts

    packed = archive.pack_campaign(artifacts.results(results), campaign, file)
    size = file.stat().st_size
    typer.echo(f"{campaign}: {packed.files} files, {packed.bytes:,} bytes in {file} ({size:,} bytes)", err=True)


def import_campaign(
    file: Annotated[Path, typer.Argument(help="An archive that `mmplat export campaign` wrote.")],
    results: ResultsOption = None,
) -> None:
    """Load a campaign from an archive as a guest: its evidence counts for it alone, and every file is held against its name."""
    from mmplat import archive, artifacts

    loaded = archive.load_campaign(artifacts.results(results), file)
    typer.echo(
        f"{loaded.campaign}: {loaded.written} files, {loaded.bytes:,} bytes loaded; {loaded.present} were here. "
        f"`mmplat publish {loaded.campaign}` puts it into the store, `mmplat verify --campaign {loaded.campaign}` recomputes it.",
        err=True,
    )


def gc(
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is listed; without it, nothing is.")] = False,
    results: ResultsOption = None,
) -> None:
    """List what no campaign refers to, with its size: evidence of models that left every grid, unreadable parts."""
    from mmplat import archive, artifacts, locks

    where = artifacts.results(results)
    with locks.alone(where) if delete else nullcontext():
        found = archive.collect(where)
        for one in found:
            kept = archive.delete(one) if delete else None
            typer.echo(f"{one.bytes:>15,}  {one.what:<25} {one.path}" + (f"  kept: {kept}" if kept else ""))
    verb = "deleted" if delete else "to delete; `mmplat gc --delete` does it"
    total = sum(one.bytes for one in found)
    typer.echo(f"{total:,} bytes in {len(found)} places {verb}" if found else "Everything is referred to.", err=True)
