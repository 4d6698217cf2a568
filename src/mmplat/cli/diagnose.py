"""mmplat diagnose: why a method gains or fails, from what was decided and from the evidence. Only `attention` runs a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.options import PickledWeightsOption, ResultsOption, TrustRemoteCodeOption, finite

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from mmplat.diagnostics.base import Diagnostic, Found

app = typer.Typer(help="Explain results: priors, confidence, calibration, bias.", no_args_is_help=True)

CampaignArgument = Annotated[str, typer.Argument(help="A campaign that was decided.")]
ModelsOption = Annotated[list[str] | None, typer.Option("--model", help="Only this model; may be given several times.")]
SuitesOption = Annotated[list[str] | None, typer.Option("--suite", help="Only this suite; may be given several times.")]
DecodingOption = Annotated[str | None, typer.Option(help="The decoding to look at.  [default: greedy, if decided]")]
FormatOption = Annotated[str, typer.Option("--format", help="table, csv, json, md or parquet.")]


@app.callback()
def diagnose() -> None:
    """Explain results: priors, confidence, calibration, bias."""


@app.command()
def prior(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    top: Annotated[int, typer.Option(min=1, help="Answers to show.")] = 15,
    view: Annotated[list[str] | None, typer.Option(help="Only this view.  [default: every empty input asked]")] = None,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """The likeliest answers without an image, per kind of empty input."""
    from mmplat.diagnostics.prior import DIAGNOSTIC

    _diagnose(DIAGNOSTIC, campaign, model, suite, form, results, top=top, views=tuple(view or ()))


@app.command()
def confidence(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    decoding: DecodingOption = None,
    bins: Annotated[int, typer.Option(min=1, help="Bins of equally many samples.")] = 5,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """Accuracy, F1 and yes-ratio of each method in bins of the naive confidence, with the gain over naive."""
    from mmplat.diagnostics.confidence import DIAGNOSTIC

    _diagnose(DIAGNOSTIC, campaign, model, suite, form, results, decoding=decoding, bins=bins)


@app.command()
def lean(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    decoding: DecodingOption = None,
    view: Annotated[str | None, typer.Option(help="The view without image.  [default: the emptiest asked]")] = None,
    above: Annotated[
        float, typer.Option(callback=finite, help="Flag what leans on the prior by more than this share.")
    ] = 0.5,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """How much of a benchmark the language prior answers, beside what each method gains."""
    from mmplat.diagnostics.lean import DIAGNOSTIC

    _diagnose(DIAGNOSTIC, campaign, model, suite, form, results, decoding=decoding, view=view, above=above)


@app.command()
def calibration(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    decoding: Annotated[str | None, typer.Option(help="The decoding to look at.  [default: sample]")] = None,
    bins: Annotated[int, typer.Option(min=1, help="Bins of confidence.")] = 10,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """Reliability curves and expected calibration errors."""
    from mmplat.diagnostics.calibration import DIAGNOSTIC

    _diagnose(DIAGNOSTIC, campaign, model, suite, form, results, decoding=decoding, bins=bins)


@app.command("yes-bias")
def yes_bias(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    decoding: DecodingOption = None,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """The yes-ratio of predictions against that of the gold answers."""
    from mmplat.diagnostics.yes_bias import DIAGNOSTIC

    _diagnose(DIAGNOSTIC, campaign, model, suite, form, results, decoding=decoding)


@app.command()
def misleading(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    method: Annotated[
        str | None, typer.Option(help="Only this method.  [default: all; naive where one is looked at]")
    ] = None,
    decoding: Annotated[
        str | None, typer.Option(help="Only this decoding.  [default: all; greedy where one is]")
    ] = None,
    what: Annotated[str, typer.Option(help="rates, margins, consistency, methods or models.")] = "rates",
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """How often cues turn right answers wrong and wrong ones right, with the controls that these rates need."""
    from mmplat import artifacts
    from mmplat.diagnostics import keep, measured, run
    from mmplat.diagnostics.misled import table_of

    where, options = artifacts.results(results), {"method": method, "decoding": decoding}
    chosen, pairs = table_of(what, measured(where, campaign, models=model or ()), suite or ())
    found = run(chosen, pairs, **options)
    _told(found, keep(chosen, campaign, found.table, where, **options, model=model, suite=suite), form)


@app.command()
def spurious(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    decoding: DecodingOption = None,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """Accuracy by type of spurious cue, with its controls: no image, position of the answers, order of the options."""
    from mmplat.diagnostics.spurious import DIAGNOSTIC

    _diagnose(DIAGNOSTIC, campaign, model, suite, form, results, decoding=decoding)


@app.command()
def cgla(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """Are core attributes likelier than spurious ones? cgla_reconstructed, on suites of phrases."""
    from mmplat.diagnostics.cgla import DIAGNOSTIC

    _diagnose(DIAGNOSTIC, campaign, model, suite, form, results)


@app.command()
def strength(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    method: Annotated[str, typer.Option(help="The method to look at.")] = "naive",
    decoding: DecodingOption = None,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """Measures of spurious bias against the true strength of each cue, for models whose cards say it."""
    from mmplat import artifacts
    from mmplat.diagnostics import keep, measured, run
    from mmplat.diagnostics.base import keep_table
    from mmplat.diagnostics.strength import DIAGNOSTIC, tracking

    where, options = artifacts.results(results), {"method": method, "decoding": decoding}
    found = run(DIAGNOSTIC, measured(where, campaign, models=model or (), suites=suite or ()), **options)
    path = keep(DIAGNOSTIC, campaign, found.table, where, **options, model=model, suite=suite)
    followed = tracking(found.table)
    keep_table("strength-tracking", DIAGNOSTIC.version, campaign, followed, where, **options)
    show(followed, form)
    _told(found, path, form)


@app.command()
def interference(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    decoding: DecodingOption = None,
    reference: Annotated[
        str | None, typer.Option(help="The clean condition, or as-it-is.  [default: by what a suite needs]")
    ] = None,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """Which answers change when only what a question does not need is changed, and which methods help against it."""
    from mmplat import artifacts
    from mmplat.diagnostics import keep, measured, run
    from mmplat.diagnostics.interference import DIAGNOSTIC, grouped

    where, options = artifacts.results(results), {"decoding": decoding, "reference": reference}
    found = run(DIAGNOSTIC, grouped(measured(where, campaign, models=model or ()), suite or ()), **options)
    _told(found, keep(DIAGNOSTIC, campaign, found.table, where, **options, model=model, suite=suite), form)


@app.command()
def attention(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    items: Annotated[int, typer.Option(min=1, help="Items of each suite to look at.")] = 32,
    longest: Annotated[int, typer.Option(min=1, help="Tokens of an answer to look at.")] = 4,
    trust_remote_code: TrustRemoteCodeOption = False,
    pickled_weights: PickledWeightsOption = False,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """Where a model looks, by layer, token and segment. Runs the model on a sample of items: give it a GPU."""
    from mmplat import artifacts
    from mmplat.diagnostics import keep, measured, run
    from mmplat.diagnostics.attention import DIAGNOSTIC
    from mmplat.jobfiles import Consent

    where, options = artifacts.results(results), {"items": items, "longest": longest}
    pairs = measured(where, campaign, models=model or (), suites=suite or ())
    allowed = Consent(trust_remote_code, pickled_weights)
    found = run(DIAGNOSTIC, pairs, results=where, consent=allowed, **options)
    _told(found, keep(DIAGNOSTIC, campaign, found.table, where, **options, model=model, suite=suite), form)


def _diagnose(
    diagnostic: Diagnostic,
    campaign: str,
    models: list[str] | None,
    suites: list[str] | None,
    form: str,
    results: Any,
    **options: Any,
) -> None:
    from mmplat import artifacts
    from mmplat.diagnostics import keep, measured, run

    where = artifacts.results(results)
    found = run(diagnostic, measured(where, campaign, models=models or (), suites=suites or ()), **options)
    options |= {"model": models, "suite": suites}  # a table of a part must not pass for one of the whole campaign
    _told(found, keep(diagnostic, campaign, found.table, where, **options), form)


def _told(found: Found, path: Path, form: str) -> None:
    """Prints a table, what was left out of it, and where it is kept."""
    show(found.table, form)
    for title, reason in found.skipped.items():
        typer.echo(f"Left out: {title}: {reason}.", err=True)
    typer.echo(f"{path} and {path.with_suffix('.svg').name} are written.", err=True)


def show(table: pl.DataFrame, form: str) -> None:
    """A table as people read it, each interval in one column, or as programs do."""
    from mmplat.leaderboard.formats import plain, render

    text = plain(_readable(table)) if form == "table" else render(table, form)
    typer.echo(text, nl=False)


def _readable(table: pl.DataFrame) -> pl.DataFrame:
    """value, low, high in one column, and so gain, gain_low, gain_high; other numbers with three digits."""
    import polars as pl

    from mmplat.leaderboard.formats import interval

    shown: dict[str, pl.Series] = {}
    for name in table.columns:
        low, high = ("low", "high") if name == "value" else (f"{name}_low", f"{name}_high")
        if low in table.columns:
            numbers = table.select(name, low, high).iter_rows()
            shown[name] = pl.Series(name, [interval(*each) for each in numbers], dtype=pl.String)
        elif not name.endswith(("low", "high")):  # adding 0 takes the sign off −0
            shown[name] = table[name].round(3) + 0.0 if table[name].dtype == pl.Float64 else table[name]
    return pl.DataFrame(list(shown.values()))
