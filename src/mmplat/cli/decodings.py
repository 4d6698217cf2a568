"""mmplat decodings: which decoding a model should have been given."""

from __future__ import annotations

from typing import Annotated

import typer

from mmplat.cli.diagnose import CampaignArgument, FormatOption, ModelsOption, SuitesOption, show
from mmplat.cli.options import ResultsOption

app = typer.Typer(help="Compare decodings.", no_args_is_help=True)


@app.callback()
def decodings() -> None:
    """Compare decodings."""


@app.command()
def best(
    campaign: CampaignArgument,
    model: ModelsOption = None,
    suite: SuitesOption = None,
    method: Annotated[str, typer.Option(help="The method whose answers are decoded.")] = "naive",
    metric: Annotated[str, typer.Option(help="What is best.")] = "expected_accuracy",
    seed: Annotated[int, typer.Option(min=0, help="Draws which half of the samples chooses.")] = 0,
    form: FormatOption = "table",
    results: ResultsOption = None,
) -> None:
    """The best decoding per model and suite, chosen on one half of the samples and reported on the other."""
    from mmplat import artifacts
    from mmplat.diagnostics import keep, measured, run
    from mmplat.diagnostics.base import keep_table
    from mmplat.diagnostics.decodings import DIAGNOSTIC, Question, splittable
    from mmplat.diagnostics.decodings import best as best_of

    where = artifacts.results(results)
    pairs, small = splittable(measured(where, campaign, models=model or (), suites=suite or ()))
    options = {"method": method, "metric": metric, "seed": seed}
    chosen = best_of(pairs, Question(method, metric, seed))
    swept = run(DIAGNOSTIC, pairs, **options)
    path = keep(DIAGNOSTIC, campaign, swept.table, where, **options)
    keep_table("decodings-best", DIAGNOSTIC.version, campaign, chosen, where, **options)
    show(chosen, form)
    for title, reason in (small | swept.skipped).items():
        typer.echo(f"Left out: {title}: {reason}.", err=True)
    typer.echo(f"{path}, {path.stem}-best.parquet and {path.stem}.svg are written.", err=True)
