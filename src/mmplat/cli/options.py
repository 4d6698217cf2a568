"""Options that several verbs share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def written_by_plan(path: Path | None) -> Path | None:
    """Refuses a grid where a file is meant that the plan wrote: read as one, it would be taken for a damaged one."""
    from mmplat.errors import ConfigError

    if path is not None and path.suffix in (".yaml", ".yml"):
        raise ConfigError(
            f"{path} is no file that `mmplat plan --write` wrote. If it is a grid, say so: --grid {path}."
        )
    return path


def finite(value: float | None) -> float | None:
    """Refuses nan and inf, which lie within every range for whoever compares."""
    import math

    from mmplat.errors import ConfigError

    if value is not None and not math.isfinite(value):
        raise ConfigError(f"{value} is no number that an option can have. Allowed: finite numbers, like 0.05.")
    return value


PlanArgument = Annotated[
    Path | None,
    typer.Argument(help="plan.json of a campaign; default: the plan of --grid.", callback=written_by_plan),
]
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
WriteOnOption = Annotated[
    bool,
    typer.Option(
        "--keep-going", help="Exit with 0 although a writer could not be asked about some: they are recorded."
    ),
]
MinutesOption = Annotated[
    float | None,
    typer.Option(
        "--minutes-per-job",
        min=0,
        callback=finite,
        help="Cut the asking into jobs of about this length; 0: one job per model.  [default: as the plan was cut before]",
    ),
]
MetricOption = Annotated[
    str | None, typer.Option(help="Metric to rank by.  [default: expected_accuracy, where the campaign has it]")
]
TrustRemoteCodeOption = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        envvar="MMPLAT_TRUST_REMOTE_CODE",
        show_envvar=False,
        help="Let a model run code of its checkpoint where a file, and no grid of yours, says so.",
    ),
]
PickledWeightsOption = Annotated[
    bool,
    typer.Option(
        "--pickled-weights",
        envvar="MMPLAT_PICKLED_WEIGHTS",
        show_envvar=False,
        help="Load weights that are no safetensors where a file, and no grid of yours, says so.",
    ),
]
DEFAULT_GRID = Path("config/grid.yaml")
