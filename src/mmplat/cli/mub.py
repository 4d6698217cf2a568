"""mmplat mub: notes that mislead or guide, benchmarks of what misled models, and what the released data say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmplat.cli.interrupts import interruptible
from mmplat.cli.options import ResultsOption, WriteOnOption
from mmplat.cli.writers import told

app = typer.Typer(help="Misleading instructions: notes, curated benchmarks, released data.", no_args_is_help=True)


@app.callback()
def mub() -> None:
    """Misleading instructions: notes, curated benchmarks, released data."""


@app.command()
def notes(
    config: Annotated[Path, typer.Argument(help="The file that says for which suite, and who writes.")],
    keep_going: WriteOnOption = False,
    results: ResultsOption = None,
) -> None:
    """Write misleading and guiding notes on a suite, checked and with their provenance."""
    from mmplat import artifacts
    from mmplat.cli.progress import bar
    from mmplat.misleading.notes import load, summary, write

    spec = load(config)
    with interruptible(), bar("notes", None) as advance:
        written = write(spec, artifacts.results(results), advance=advance)
    lost = "{} samples got no notes"
    told(summary(written), spec.out, written.failures, lost, kept=written.kept, keep_going=keep_going)


@app.command()
def audit(path: Annotated[Path, typer.Argument(help="A file of the released data.")]) -> None:
    """Check what a released file records: do its cues lead where its flags say?"""
    from dataclasses import asdict

    from mmplat.suites.mub import audit as audited

    for what, count in asdict(audited(path)).items():
        typer.echo(f"{what.replace('_', ' ')}: {count}")


@app.command()
def curate(
    campaign: Annotated[str, typer.Argument(help="A campaign that was decided: models, and suites under cues.")],
    out: Annotated[Path, typer.Option(help="The folder that is written; it must be empty.")],
    cue: Annotated[
        str | None, typer.Option(help="Count by this cue, as `diagnose misleading` names it.  [default: the first]")
    ] = None,
    decoding: Annotated[
        str | None, typer.Option(help="The decoding to look at.  [default: greedy, if decided]")
    ] = None,
    per_level: Annotated[
        int | None, typer.Option(min=1, help="Items of each level.  [default: as many as the smallest has]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    results: ResultsOption = None,
) -> None:
    """Make a balanced benchmark of the items that misled models, with the selection effect beside it."""
    from mmplat import artifacts
    from mmplat.diagnostics import measured
    from mmplat.diagnostics.curating import curate as curated
    from mmplat.diagnostics.curating import probed
    from mmplat.misleading.benchmark import write_benchmark

    found = curated(
        probed(measured(artifacts.results(results), campaign), cue=cue, decoding=decoding),
        per_level=per_level,
        seed=seed,
    )
    card = {"campaign": campaign, "cue": found.cue, "seed": seed, "available": found.available}
    left_out = write_benchmark(out, found.chosen, card, found.effects)
    typer.echo(
        f"{len(found.chosen) - len(left_out)} items; there were "
        + ", ".join(f"{n} {level}" for level, n in found.available.items())
    )
    for effect in found.effects:
        typer.echo(
            f"{effect.model}: right to wrong {effect.all[0]:.3f} on all items, {effect.chosen[0]:.3f} on these (by construction)"
        )
    for line in left_out:
        typer.echo(f"Left out: {line}", err=True)
