"""mmplat facts: what is told about wrong options, for conditions that describe one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmplat.cli.interrupts import interruptible
from mmplat.cli.options import ResultsOption, WriteOnOption
from mmplat.cli.writers import told

app = typer.Typer(help="What is told about wrong options.", no_args_is_help=True)


@app.callback()
def facts() -> None:
    """What is told about wrong options."""


@app.command()
def generate(
    config: Annotated[Path, typer.Argument(help="The file that says for which suites, and who writes.")],
    keep_going: WriteOnOption = False,
    results: ResultsOption = None,
) -> None:
    """Let a model write two sentences about each wrong option of some suites, and check beside which questions they may stand."""
    from mmplat import artifacts
    from mmplat.cli.progress import bar
    from mmplat.option_facts import generate as write
    from mmplat.option_facts import load, summary

    spec = load(config)
    with interruptible(), bar("facts", None) as advance:
        written = write(spec, artifacts.results(results), advance=advance)
    lost = "Nothing was told about {} options"
    told(summary(written), spec.out, written.failures, lost, kept=written.kept, keep_going=keep_going)
