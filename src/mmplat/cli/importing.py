"""mmplat import: results made elsewhere → runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from mmplat.importing import Imported

app = typer.Typer(help="Results made elsewhere, as runs that are marked so.", no_args_is_help=True)

CampaignOption = Annotated[str, typer.Option(help="Campaign of imports that the run goes into.")]
MethodOption = Annotated[str, typer.Option(help="Debiasing method that was used there.")]
DecodingOption = Annotated[str, typer.Option(help="Decoding that was used there.")]
SeedOption = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed that was used there.")]


@app.command()
def predictions(
    suite: Annotated[str, typer.Option(help="Suite whose parser and metrics score the answers.")],
    answers: Annotated[Path, typer.Option(help="File (MME: folder) with what the model said.")],
    model: Annotated[str, typer.Option(help="Name of the model.")],
    annotations: Annotated[Path | None, typer.Option(help="File with questions and right answers.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", help="Format of the files; docs/import.md.  [default: the suite's own]")
    ] = None,
    columns: Annotated[
        str, typer.Option(help="For csv and jsonl: id=…,answer=…,gold=…,question=…,image=…,group.x=…")
    ] = "",
    labels: Annotated[
        str, typer.Option(help="What may be answered: yes,no. Needed for a suite that mmplat lacks.")
    ] = "",
    parser: Annotated[str, typer.Option(help="strict, or a published rule of the suite, such as official.")] = "strict",
    method: MethodOption = "naive",
    decoding: DecodingOption = "unknown",
    seed: SeedOption = 0,
    campaign: CampaignOption = "imported",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Score and print; write nothing.")] = False,
    form: Annotated[str, typer.Option("--format", help="How to print: table or json.")] = "table",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    results: ResultsOption = None,
) -> None:
    """Import one model's answers: joined with the questions, parsed and scored by our rules, written as a run."""
    from mmplat import artifacts, importing
    from mmplat.errors import ConfigError
    from mmplat.importing.base import format_for
    from mmplat.records import Cell

    if form not in ("table", "json"):
        raise ConfigError(
            f"--format says how to print: table or json, not {form!r}. The format of the files is --from."
        )
    chosen = format_for(suite, source)
    given = importing.Given(answers, annotations, _pairs(columns))
    found = importing.import_predictions(chosen, given, suite, parser=parser, labels=_listed(labels))
    typer.echo(_as_json(found, suite, model) if json or form == "json" else _as_text(found, suite, model), nl=False)
    if not dry_run:
        folder = importing.record(
            artifacts.results(results), campaign, Cell(model, suite, decoding, method, seed), found,
            importing.Source.of(chosen.name, parser, given),
        )  # fmt: skip
        typer.echo(f"{folder} is written; `mmplat publish {campaign}` puts it into the store.", err=True)


@app.command("results")
def aggregates(
    file: Annotated[Path, typer.Argument(help="results_….json of lm-eval or lmms-eval.")],
    model: Annotated[str, typer.Option(help="Name of the model.")],
    method: MethodOption = "naive",
    decoding: DecodingOption = "unknown",
    seed: SeedOption = 0,
    campaign: CampaignOption = "imported",
    results: ResultsOption = None,
) -> None:
    """Import a results file of lm-eval or lmms-eval: metrics without answers, one run per task."""
    from mmplat import artifacts, importing
    from mmplat.records import Cell

    cell = Cell(model, "", decoding, method, seed)
    for folder in importing.record_results(artifacts.results(results), campaign, file, cell):
        typer.echo(str(folder))
    typer.echo(f"`mmplat publish {campaign}` puts them into the store.", err=True)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pairs(text: str) -> dict[str, str]:
    from mmplat.errors import ConfigError

    pairs = [part.partition("=") for part in _listed(text)]
    if any(not sign or not value for _, sign, value in pairs):
        raise ConfigError(f"--columns is a list of ours=theirs, like id=question_id,answer=reply; not {text!r}.")
    return {name: value for name, _, value in pairs}


def _as_json(found: Imported, suite: str, model: str) -> str:
    import json
    from dataclasses import asdict

    joined = found.joined
    # What was said is certain: the expected value of a metric is the metric.
    numbers = [one for one in found.numbers if not one.metric.startswith("expected_")]
    whole = [one for one in numbers if one.subset == "all"]
    said: dict[str, Any] = {one.metric: one.value for one in whole}
    said |= {"model": model, "suite": suite, **_counts(found)}
    said["unparsed_share"] = next((one.value for one in whole if one.metric == "unparsed"), None)
    said["intervals"] = {one.metric: [one.low, one.high] for one in whole if one.low is not None}
    said["groups"] = {}
    for one in numbers:
        if one.subset != "all":
            said["groups"].setdefault(one.subset, {"n": one.n})[one.metric] = one.value
    lists = {"unjoined_answers": joined.unjoined, "unanswered": joined.unanswered, "unparsed_answers": found.unparsed}
    said |= {name: [asdict(left) for left in left_out] for name, left_out in lists.items()}
    return json.dumps(said, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _counts(found: Imported) -> dict[str, int]:
    """`unjoined` counts what is left over on both sides: answers to no question, and questions without an answer."""
    joined = found.joined
    left = len(joined.unjoined) + len(joined.unanswered)
    return {"n": found.n, "unjoined": left, "unparsed": len(found.unparsed)}


SHOWN = 10
"""Left-overs of each kind that the table lists; JSON has them all."""


def _as_text(found: Imported, suite: str, model: str) -> str:
    import polars as pl

    from mmplat.leaderboard.formats import interval, plain

    shown = [one for one in found.numbers if one.subset == "all" and not one.metric.startswith("expected_")]
    rows = [{"metric": one.metric, "value": interval(one.value, one.low, one.high)} for one in shown]
    counts = ", ".join(f"{name} {count}" for name, count in _counts(found).items())
    lines = [f"{model} on {suite}: {counts}\n", plain(pl.DataFrame(rows))]
    joined = found.joined
    for what, left in (("unjoined", joined.unjoined), ("unanswered", joined.unanswered), ("unparsed", found.unparsed)):
        lines += [f"{what}: {one.place} ({one.key}): {one.reason}\n" for one in left[:SHOWN]]
        lines += [f"{what}: and {len(left) - SHOWN} more (--json lists all)\n"] if len(left) > SHOWN else []
    return "".join(lines)
