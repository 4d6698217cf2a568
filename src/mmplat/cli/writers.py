"""What commands say that let a model write a file: counts, where it lies, and what could not be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

SHOWN = 5


def told(
    counts: Mapping[str, int],
    out: Path | str,
    failures: Sequence[str],
    lost: str,
    *,
    kept: Path | None,
    keep_going: bool,
) -> None:
    """Failures end the command unless it is to go on; `lost` says what they cost, with a place for their number.

    `kept` is where the file lies that `out` held before.
    """
    from mmplat.errors import CampaignFailed

    for what, count in counts.items():
        typer.echo(f"{what}: {count}")
    if kept is not None:
        typer.echo(f"{out} held something else, which is kept as {kept}.", err=True)
    typer.echo(f"{out} is written.", err=True)
    for failure in failures[:SHOWN]:
        typer.echo(f"failed: {failure}", err=True)
    if failures and not keep_going:
        raise CampaignFailed(f"{lost.format(len(failures))}; every reply is kept. Mend the cause and run this again.")
