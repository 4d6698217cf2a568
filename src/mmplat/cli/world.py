"""mmplat world: the synthetic world and its tiny models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The synthetic world: train and measure its tiny models.", no_args_is_help=True)


@app.callback()
def world() -> None:
    """The synthetic world: train and measure its tiny models."""


@app.command()
def train(
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the weights and of the training data.")] = 1,
    recipe: Annotated[str, typer.Option(help="tiny, tiny-biased, or tiny-graded-a, -b or -c.")] = "tiny",
) -> None:
    """Train a tiny vision-language model from scratch (minutes on two cores) and write a Hugging Face folder."""
    from mmplat.cli.progress import stages
    from mmplat.world.training import train as train_model

    with stages() as report:
        train_model(out, seed=seed, recipe=recipe, progress=report)
    typer.echo(str(out))
