"""mmplat verify: runs recomputed from their evidence."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.naming import run_ids
from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from mmplat.audit import Verdict

REASONS_SHOWN = 3


def verify(
    runs: Annotated[list[str] | None, typer.Argument(help="Runs, each named as for show; all by default.")] = None,
    campaign: Annotated[str | None, typer.Option(help="All runs of this campaign.")] = None,
    pictures: Annotated[bool, typer.Option("--images", help="Read every image too, and check its content.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A verdict per run, as JSON.")] = False,
    results: ResultsOption = None,
) -> None:
    """Recompute runs from their stored evidence, and compare metrics and predictions; exit with 1 unless all agree."""
    from mmplat import artifacts, audit, store
    from mmplat.errors import ConfigError

    if runs and campaign:
        raise ConfigError("Name runs, or a campaign with --campaign, not both.")
    where = artifacts.results(results)
    recorded = store.recorded(store.store_url(where), run_ids(runs or (), where), campaign=campaign)
    verdicts = list(audit.verify(where, recorded, pictures=pictures))
    if as_json:
        typer.echo(json.dumps([_jsonable(verdict) for verdict in verdicts], indent=1))
    else:
        _print(verdicts)
    _refuse_unless_fine(verdicts)


def _jsonable(verdict: Verdict) -> dict[str, Any]:
    return {"run_id": verdict.run.run_id, "status": verdict.status, "reasons": list(verdict.reasons)}


def _print(verdicts: list[Verdict]) -> None:
    for verdict in verdicts:
        if verdict.fine:
            continue
        run = verdict.run
        typer.echo(f"{verdict.status}  {run.run_id}  {run.model} × {run.suite} × {run.decoding} × {run.method}")
        for reason in verdict.reasons[:REASONS_SHOWN]:
            typer.echo(f"  {reason}")
        if len(verdict.reasons) > REASONS_SHOWN:
            typer.echo(f"  … and {len(verdict.reasons) - REASONS_SHOWN} more")
    counts = Counter(verdict.status for verdict in verdicts)
    typer.echo(f"{len(verdicts)} runs: {', '.join(f'{n} {status}' for status, n in counts.most_common())}", err=True)


def _refuse_unless_fine(verdicts: list[Verdict]) -> None:
    from mmplat.errors import ArtifactError

    wrong = [verdict for verdict in verdicts if not verdict.fine]
    if wrong:
        raise ArtifactError(
            f"{len(wrong)} of {len(verdicts)} runs do not follow from their evidence. `mmplat decide` and `mmplat publish` "
            "make runs anew from the evidence that is there; what is gone is asked again by `mmplat ask`."
        )
