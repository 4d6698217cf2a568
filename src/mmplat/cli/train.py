"""mmplat train: recipes → trained models. The only verb that changes weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.interrupts import interruptible
from mmplat.cli.options import (
    DEFAULT_GRID,
    GridOption,
    PickledWeightsOption,
    ResultsOption,
    TrustRemoteCodeOption,
    written_by_plan,
)

if TYPE_CHECKING:
    from mmplat.artifacts import Results
    from mmplat.jobfiles import Consent
    from mmplat.recipes import TrainingJob


def train(
    job: Annotated[
        Path | None,
        typer.Argument(help="One training as the plan wrote it; default: all of the grid.", callback=written_by_plan),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Instead: a recipe of config/recipes/, or a path; with --model.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A known name, a checkpoint folder or a hub name.")] = None,
    grid: GridOption = DEFAULT_GRID,
    threads: Annotated[int | None, typer.Option(help="CPU threads of the model.  [default: all cores]")] = None,
    processes: Annotated[int, typer.Option(help="Processes that train one model together, a GPU each.")] = 1,
    accelerate: Annotated[str, typer.Option(help="Configuration file of accelerate, for FSDP or several nodes.")] = "",
    trust_remote_code: TrustRemoteCodeOption = False,
    pickled_weights: PickledWeightsOption = False,
    results: ResultsOption = None,
) -> None:
    """Fine-tune what is not trained yet. Killed at any moment, the same command goes on from its last point."""
    from mmplat import artifacts
    from mmplat.jobfiles import Consent

    place = artifacts.results(results)
    wanted = _wanted(job, recipe, model, grid, Consent(trust_remote_code, pickled_weights))
    if processes > 1 and not launched():
        for one in wanted:
            _launch(one, place, processes, accelerate, threads)
        return
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    with interruptible():
        for one in wanted:
            _train_one(one, place)


def _wanted(job: Path | None, recipe: str | None, model: str | None, grid: Path, consent: Consent) -> list[TrainingJob]:
    from mmplat.cli.models import spec_of
    from mmplat.errors import ConfigError
    from mmplat.jobfiles import read_training
    from mmplat.recipes import bind

    if (recipe is None) != (model is None):
        raise ConfigError("--recipe and --model go together: which model is trained, and how.")
    if job is not None:
        return [read_training(job, consent)]
    if recipe is not None and model is not None:
        return [bind(spec_of(model, {}), recipe)]
    from mmplat.grid import load_grid

    found = load_grid(grid).trainings
    if not found:
        raise ConfigError(f"{grid} trains nothing: no model of it has `trained:`.")
    return list(found.values())


def launched() -> bool:
    """Whether this is one of several processes already."""
    return "WORLD_SIZE" in os.environ


def _launch(job: TrainingJob, place: Results, processes: int, accelerate: str, threads: int | None) -> None:
    """The same command in several processes, which `accelerate launch` starts and joins."""
    from mmplat.errors import ModelError
    from mmplat.jobfiles import needed_by
    from mmplat.plan import write_training
    from mmplat.preparing import prepare

    spec = write_training(job, place)
    for suite in job.suites:  # by one process, before there are many
        prepare(suite, place)
    how = ["--config_file", accelerate] if accelerate else ["--multi_gpu"]
    again = ["-m", "mmplat", "train", str(spec), "--results", str(place.root)]
    again += [] if threads is None else ["--threads", str(threads)]
    again += needed_by([job.base]).options  # it was given for this one, or a grid gave it
    command = [sys.executable, "-m", "accelerate.commands.launch", *how, "--num_processes", str(processes), *again]
    # A program of Python looks for modules in its working folder first; whoever writes there is not to be run.
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONSAFEPATH": "1"})
    if done.returncode:
        raise ModelError(
            f"The processes that train {job.model.name!r} ended with code {done.returncode}; what they said stands above. "
            "The same command goes on from the last point."
        )


def _train_one(job: TrainingJob, place: Results) -> None:
    from mmplat.cli.progress import stages
    from mmplat.preparing import prepare
    from mmplat.training import train as train_model

    for suite in job.suites:
        prepare(suite, place)
    with stages() as report:
        card = train_model(job, place, advance=lambda done, total: report(f"train {job.model.name}", done, total))
    if os.environ.get("RANK", "0") == "0":
        typer.echo(_line(card))
        typer.echo(str(place.trained(job.key) / "model"))


def _line(card: dict[str, Any]) -> str:
    first, last = (card["losses"][when] for when in ("first", "last"))
    losses = ", ".join(f"{name} {first[name]:.4g} → {last[name]:.4g}" for name in last)
    return (
        f"{card['model']}: {card['steps']} steps, {card['rows']:,.0f} rows, {card['seconds']:.1f} s "
        f"({card['rows_per_s']:,.0f} rows/s); {losses}"
    )
