"""Options that several verbs share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GridOption = Annotated[Path, typer.Option("--grid", "-g", help="The grid file.", show_default=True)]
ResultsOption = Annotated[
    Path | None, typer.Option("--results", help="Results folder.  [default: $MMPLAT_RESULTS, else results]")
]
KeepGoingOption = Annotated[
    bool,
    typer.Option(
        "--keep-going", help="Exit with 0 although samples failed: they are recorded, and status --strict tells."
    ),
]
MinutesOption = Annotated[
    float | None,
    typer.Option(
        "--minutes-per-job",
        help="Cut the asking into jobs of about this length; 0: one job per model.  [default: as the plan was cut before]",
    ),
]
MetricOption = Annotated[
    str | None, typer.Option(help="Metric to rank by.  [default: expected_accuracy, where the campaign has it]")
]
DEFAULT_GRID = Path("config/grid.yaml")
