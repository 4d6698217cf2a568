"""mmplat models: does a checkpoint hold what mmplat promises of it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mmplat.records import ModelSpec

app = typer.Typer(help="Check model checkpoints.", no_args_is_help=True)


@app.callback()
def models() -> None:
    """Check model checkpoints."""


@app.command()
def check(
    models: Annotated[list[str], typer.Argument(help="Known names, checkpoint folders, or hub names.")],
    family: Annotated[str | None, typer.Option(help="For a hub name whose family is not known.")] = None,
    adapter: Annotated[str | None, typer.Option(help="A PEFT adapter on top.")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "float32",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, …")] = "auto",
) -> None:
    """Load models, run every view, and compare with transformers itself: what is exact, what is not available, and why."""
    from mmplat.contracts.report import broken, in_full, in_one_table, verdicts_of
    from mmplat.errors import ConfigError, ModelError
    from mmplat.models import families

    if family is not None and families.get(family).weightless:
        raise ConfigError(
            f"Models of family {family!r} have no weights here, so there is nothing to compare them with. Whether an endpoint is "
            "there, takes the key and tells log-probabilities is checked by `mmplat ask` before its first sample; "
            "`mmplat plan` shows which views and methods it cannot take, and why."
        )
    said = {"family": family, "adapter": adapter, "dtype": dtype, "device": device}
    given = {name: value for name, value in said.items() if value is not None}
    specs = [spec_of(model, given) for model in models]
    found = {}
    for spec in specs:
        loaded: Any = families.get(spec.family).load(spec)
        if not hasattr(loaded, "reference_inputs"):
            raise ModelError(f"{spec.name!r} is no checkpoint of transformers: there is nothing to compare it with.")
        found[spec.name] = verdicts_of(loaded)
        if len(specs) == 1:
            typer.echo(in_full(spec.name, loaded, found[spec.name]))
    if len(specs) > 1:
        typer.echo(in_one_table(found))
    if broken(found):
        raise ModelError(
            f"{len(broken(found))} contracts are broken ({'; '.join(broken(found))}): numbers of these models would not be "
            "what they say. Please report this with the table above."
        )


def spec_of(model: str, given: dict[str, Any]) -> ModelSpec:
    """A known name, or a path that gives the model its name."""
    from mmplat.models import bind, families, named

    list(families)  # files the named models too
    if model in named:
        return bind(model, {k: v for k, v in given.items() if k != "family"})
    path = Path(model).expanduser()
    return bind(path.resolve().name if path.is_dir() else model, {**given, "path": model})
