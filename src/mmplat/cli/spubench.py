"""mmplat spubench: a benchmark of spurious cues from one's own images and classes, stage by stage or all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.interrupts import interruptible
from mmplat.cli.options import ResultsOption, WriteOnOption

if TYPE_CHECKING:
    from mmplat.building import Build
    from mmplat.building.items import Item
    from mmplat.building.reviews import Reviews
    from mmplat.building.stages import Ran

app = typer.Typer(
    no_args_is_help=True,
    help="A benchmark of spurious cues (in MM-SpuBench's format) from your own images and classes.",
)
SHOWN = 5
"""Failures and unreadable replies that are told; the stage's record lists all."""
STAGES = {
    "read": "List the images and their classes.",
    "select": "Keep the images that a zero-shot vision model takes for another class.",
    "describe": "Let the writer list core and spurious attributes of each image.",
    "write": "Let the writer word a question with four options about each image.",
    "check": "Reject what can be seen to be wrong without a person; reasons are kept.",
    "release": "Write what was accepted as a suite, with a data card.",
}
ConfigArgument = Annotated[Path, typer.Argument(help="The file that describes the build.")]


@app.command()
def build(config: ConfigArgument, keep_going: WriteOnOption = False, results: ResultsOption = None) -> None:
    """Do every stage that is not done; release what is accepted. Killed at any moment, the same command goes on."""
    from mmplat.building import DRAFTING
    from mmplat.building.reviews import Reviews

    one = _opened(config, results)
    for stage in DRAFTING:
        _run(one, stage.name, keep_going)
    reviews = Reviews(one)
    waiting = len(reviews.pending())
    if reviews.accepted() or (waiting and one.spec.release.unreviewed):
        _run(one, "release", keep_going)
    if not waiting and not reviews.accepted():
        typer.echo(f"No item is left: `mmplat spubench review {config} --rejected` tells why.")
    elif waiting and not one.spec.release.unreviewed:
        typer.echo(f"{waiting:,} items wait for review: `mmplat spubench review {config}`, or the dashboard.")


def _stage(name: str) -> Callable[..., None]:
    def command(config: ConfigArgument, keep_going: WriteOnOption = False, results: ResultsOption = None) -> None:
        _run(_opened(config, results), name, keep_going)

    return command


for _name, _help in STAGES.items():
    app.command(_name, help=_help)(_stage(_name))


@app.command()
def review(
    config: ConfigArgument,
    accept: Annotated[list[str] | None, typer.Option(help="Id of an item to accept; may be given again.")] = None,
    reject: Annotated[list[str] | None, typer.Option(help="Id of an item to reject; may be given again.")] = None,
    edit: Annotated[str | None, typer.Option(help="Id of an item to accept in other words.")] = None,
    question: Annotated[str | None, typer.Option(help="The edited question.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="An edited option; all four, in their order.")] = None,
    who: Annotated[str, typer.Option(envvar="USER", help="Who decides.")] = "",
    note: Annotated[str, typer.Option(help="Why, for whoever reads the history.")] = "",
    rejected: Annotated[bool, typer.Option("--rejected", help="List what the checks rejected.")] = False,
    history: Annotated[bool, typer.Option("--history", help="List all decisions.")] = False,
    results: ResultsOption = None,
) -> None:
    """Decide about items, or list those that wait. The last decision counts, and all of them are kept."""
    from mmplat.building.reviews import Reviews

    reviews, said = Reviews(_opened(config, results)), {"who": who, "note": note}
    for item_id in accept or []:
        reviews.decide(item_id, "accept", **said)
    for item_id in reject or []:
        reviews.decide(item_id, "reject", **said)
    if edit is not None:
        reviews.decide(edit, "edit", question=question, options=option or None, **said)
    if history:
        for one in reviews.history():
            typer.echo(f"{one.when} {one.who}: {one.verdict} {one.item_id}{f' ({one.note})' if one.note else ''}")
    elif rejected:
        _list(reviews, reviews.rejected())
    elif not (accept or reject or edit):
        _list(reviews, reviews.pending())
    waiting = len(reviews.pending())
    typer.echo(f"{len(reviews.accepted()):,} accepted, {waiting:,} wait.")
    if waiting:
        typer.echo(
            "To decide: --accept ID, --reject ID, or --edit ID with --question and --option; and --who NAME.", err=True
        )
    elif reviews.accepted():
        typer.echo(f"To release what was accepted: `mmplat spubench build {config}`.", err=True)


def _opened(config: Path, results: Path | None) -> Build:
    from mmplat import artifacts
    from mmplat.building import Build, load_build

    return Build(load_build(config), artifacts.results(results))


def _run(one: Build, name: str, keep_going: bool) -> None:
    """Does a stage and says what it came to; what could not be asked ends the command unless it is to go on."""
    from mmplat.building import STAGES as stages
    from mmplat.building import run
    from mmplat.cli.progress import stages as bars
    from mmplat.errors import CampaignFailed

    with interruptible(), bars() as report:
        ran = run(stages[name], one, advance=report)
    _tell(name, ran)
    failures = ran.record["failures"]
    if failures and not keep_going:
        raise CampaignFailed(
            f"{name}: {len(failures)} images could not be asked about and are recorded; every reply is kept. Mend the cause and "
            "run this again, or go on without them with --keep-going."
        )


def _tell(name: str, ran: Ran) -> None:
    record = ran.record
    counts = ", ".join(f"{what} {_told(value)}" for what, value in record["counts"].items())
    costs = "".join(f"; {what} {value:,}" for what, value in record["costs"].items())
    took = "known already" if ran.known else f"{record['seconds']:.1f} s"
    typer.echo(f"{name}: {counts}{costs}; {took}")
    for what, why in (("failures", "error"), ("unread", "why")):
        for one in record[what][:SHOWN]:
            typer.echo(f"{what}: {one['image_id']}: {one[why]}", err=True)
        if len(record[what]) > SHOWN:
            typer.echo(f"… and {len(record[what]) - SHOWN} more {what}, all in {name}.json of the build", err=True)


def _told(value: Any) -> str:
    """Lists by their length, tables by their cells."""
    if isinstance(value, dict):
        return f"({', '.join(f'{name} {count}' for name, count in value.items())})"
    return f"{len(value) if isinstance(value, list) else value:,}"


def _list(reviews: Reviews, items: list[Item]) -> None:
    for item in items:
        label = reviews.build.spec.names(item.about.image.label)[0]
        typer.echo(
            f"{item.item_id} [{item.type}] {label}, right: {item.answer}. {reviews.picture(item)}\n  {item.question}"
        )
        for letter, option in zip("ABCD", item.options, strict=True):
            typer.echo(f"  {letter}. {option.text} ({option.role}, {option.type})")
        for reason in item.reasons:
            typer.echo(f"  rejected: {reason}")
