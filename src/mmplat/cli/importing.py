"""mmplat import: results made elsewhere → runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmplat.importing import Imported, Written
    from mmplat.metrics.summary import Number

app = typer.Typer(help="Results made elsewhere, as runs that are marked so.", no_args_is_help=True)

CampaignOption = Annotated[str, typer.Option(help="Campaign of imports that the run goes into.")]
AnswersOption = Annotated[
    list[Path],
    typer.Option(help="File with what the model said, a folder of them, or a pattern in quotes; may be given again."),
]
AnnotationsOption = Annotated[
    list[Path] | None,
    typer.Option(help="File with questions and right answers, a folder or a pattern; may be given again."),
]
MethodOption = Annotated[str, typer.Option(help="Debiasing method that was used there.")]
DecodingOption = Annotated[str, typer.Option(help="Decoding that was used there.")]
ReplaceOption = Annotated[
    bool, typer.Option("--replace", help="Put this in the place of the whole run that the cell holds.")
]
SeedOption = Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed that was used there.")]


@app.command()
def predictions(
    suite: Annotated[str, typer.Option(help="Suite whose parser and metrics score the answers.")],
    answers: AnswersOption,
    model: Annotated[str, typer.Option(help="Name of the model.")],
    annotations: AnnotationsOption = None,
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
    replace: ReplaceOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Score and print; write nothing.")] = False,
    form: Annotated[str, typer.Option("--format", help="How to print: table or json.")] = "table",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    results: ResultsOption = None,
) -> None:
    """Import one model's answers: joined with the questions, parsed and scored by our rules, written as a run.

    Answers to other samples of the same suite are added to the run; other answers to the same samples are refused.
    """
    from mmplat import artifacts, importing
    from mmplat.errors import ConfigError
    from mmplat.importing.base import format_for
    from mmplat.records import Cell

    if form not in ("table", "json"):
        raise ConfigError(
            f"--format says how to print: table or json, not {form!r}. The format of the files is --from."
        )
    chosen = format_for(suite, source)
    files = importing.choose(chosen, answers, annotations or (), _pairs(columns))
    found = importing.import_predictions(chosen, files.given, suite, parser=parser, labels=_listed(labels))
    of = importing.Source.of(chosen.name, parser, found.joined.labels, files.given)
    cell = Cell(model, suite, decoding, method, seed)
    write = importing.foreseen if dry_run else importing.record
    for path in files.left_out:
        typer.echo(f"{path} is left out: no file of answers goes with it.", err=True)
    render = _as_json if json or form == "json" else _as_text
    try:
        written = write(artifacts.results(results), campaign, cell, found, of, replace=replace)
    except ConfigError:  # what the files say is worth knowing, also where it cannot be added to the run
        typer.echo(render(found, suite, model, None), nl=False)
        raise
    typer.echo(render(found, suite, model, written), nl=False)
    for line in _told(written, campaign, dry_run=dry_run):
        typer.echo(line, err=True)


def _told(written: Written, campaign: str, *, dry_run: bool) -> Iterable[str]:
    """What became of the run, or would."""
    merged = written.merged
    if merged.unchanged is not None:
        yield f"Nothing new: {merged.unchanged} holds all {merged.known} answers already. Nothing is written."
        return
    if merged.replaced is not None:
        yield f"{'to be replaced' if dry_run else 'replaced'}: {merged.replaced}"
    known = f"; {merged.known} were in it already" if merged.known else ""
    yield f"{'to be written' if dry_run else 'written'}: {merged.new} new answers, {merged.n} in the run{known}"
    if not dry_run:
        yield f"{written.folder} holds it; `mmplat publish {campaign}` puts it into the store."


@app.command("results")
def aggregates(
    file: Annotated[Path, typer.Argument(help="results_….json of lm-eval or lmms-eval.")],
    model: Annotated[str, typer.Option(help="Name of the model.")],
    method: MethodOption = "naive",
    decoding: DecodingOption = "unknown",
    seed: SeedOption = 0,
    campaign: CampaignOption = "imported",
    replace: ReplaceOption = False,
    results: ResultsOption = None,
) -> None:
    """Import a results file of lm-eval or lmms-eval: metrics without answers, one run per task."""
    from mmplat import artifacts, importing
    from mmplat.records import Cell

    cell = Cell(model, "", decoding, method, seed)
    for one in importing.record_results(artifacts.results(results), campaign, file, cell, replace=replace):
        typer.echo(str(one.folder))
        if one.unchanged:
            typer.echo(f"{one.task}: nothing new, the run holds these numbers already", err=True)
        if one.replaced is not None:
            typer.echo(f"{one.task}: replaced: {one.replaced}", err=True)
    typer.echo(f"`mmplat publish {campaign}` puts them into the store.", err=True)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pairs(text: str) -> dict[str, str]:
    from mmplat.errors import ConfigError

    pairs = [part.partition("=") for part in _listed(text)]
    if any(not sign or not value for _, sign, value in pairs):
        raise ConfigError(f"--columns is a list of ours=theirs, like id=question_id,answer=reply; not {text!r}.")
    return {name: value for name, _, value in pairs}


def _as_json(found: Imported, suite: str, model: str, written: Written | None) -> str:
    import json
    from dataclasses import asdict

    joined = found.joined
    shown: dict[str, Any] = {"model": model, "suite": suite, **_counts(found), **_numbers(found.numbers)}
    lists = {"unjoined_answers": joined.unjoined, "unanswered": joined.unanswered, "unparsed_answers": found.unparsed}
    shown |= {name: [asdict(left) for left in left_out] for name, left_out in lists.items()}
    if written is not None:
        merged = written.merged
        counts = {"new_answers": merged.new, "known_answers": merged.known, "n": merged.n}
        replaced = None if merged.replaced is None else merged.replaced.run_id
        shown["run"] = {**counts, "replaced": replaced, **_numbers(written.numbers)}
    return json.dumps(shown, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _numbers(found: Iterable[Number]) -> dict[str, Any]:
    """Metrics by name, their intervals, and groups; the answers are certain, so the expected value of a metric is the metric."""
    numbers = [one for one in found if not one.metric.startswith("expected_")]
    whole = [one for one in numbers if one.subset == "all"]
    shown: dict[str, Any] = {one.metric: one.value for one in whole if one.metric != "unparsed"}
    shown["unparsed_share"] = next((one.value for one in whole if one.metric == "unparsed"), None)
    shown["intervals"] = {one.metric: [one.low, one.high] for one in whole if one.low is not None}
    shown["groups"] = {}
    for one in numbers:
        if one.subset != "all":
            shown["groups"].setdefault(one.subset, {"n": one.n})[one.metric] = one.value
    return shown


def _counts(found: Imported) -> dict[str, int]:
    """`unjoined` counts what is left over on both sides: answers to no question, and questions without an answer."""
    joined = found.joined
    left = len(joined.unjoined) + len(joined.unanswered)
    return {"n": found.n, "unjoined": left, "unparsed": len(found.unparsed)}


SHOWN = 10
"""Left-overs of each kind that the table lists; JSON has them all."""


def _as_text(found: Imported, suite: str, model: str, written: Written | None) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in _counts(found).items())
    lines = [f"{model} on {suite}: {counts}\n", _table(found.numbers)]
    joined = found.joined
    for what, left in (("unjoined", joined.unjoined), ("unanswered", joined.unanswered), ("unparsed", found.unparsed)):
        lines += [f"{what}: {one.place} ({one.key}): {one.reason}\n" for one in left[:SHOWN]]
        lines += [f"{what}: and {len(left) - SHOWN} more (--json lists all)\n"] if len(left) > SHOWN else []
    if written is not None and written.merged.n > found.n:
        lines += [f"the whole run, with what was imported before: n {written.merged.n}\n", _table(written.numbers)]
    return "".join(lines)


def _table(numbers: Iterable[Number]) -> str:
    import polars as pl

    from mmplat.leaderboard.formats import interval, plain

    shown = [one for one in numbers if one.subset == "all" and not one.metric.startswith("expected_")]
    return plain(
        pl.DataFrame([{"metric": one.metric, "value": interval(one.value, one.low, one.high)} for one in shown])
    )
