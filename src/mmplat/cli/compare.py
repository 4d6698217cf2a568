"""mmplat compare: two runs on the same samples."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmplat.cli.options import ResultsOption

if TYPE_CHECKING:
    from mmplat.leaderboard.comparing import Comparison, Difference

METRICS = ("accuracy", "expected_accuracy")


def compare(
    first: Annotated[str, typer.Argument(help="Run id, its beginning, or model=…,suite=…,method=…,decoding=….")],
    second: Annotated[str, typer.Argument(help="The run that is compared with it, named in the same way.")],
    flips: Annotated[int, typer.Option(min=0, help="Flipped samples to list; --json lists all.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.")] = False,
    results: ResultsOption = None,
) -> None:
    """Compare two runs on the samples that both decided: difference with interval, tests, groups, and every flip."""
    from mmplat import artifacts
    from mmplat.leaderboard import connect
    from mmplat.leaderboard.comparing import compare as compare_runs
    from mmplat.leaderboard.comparing import group_columns

    connection = connect(artifacts.results(results))
    try:
        found = compare_runs(connection, first, second)
        columns = group_columns(connection, found.first)
    finally:
        connection.close()
    overall = [found.overall(metric, seed=seed) for metric in METRICS]
    groups = found.by_group(METRICS[0], columns, seed=seed)
    if json:
        typer.echo(_as_json(found, overall, groups))
    else:
        _print(found, overall, groups, flips)


def _as_json(found: Comparison, overall: list[Difference], groups: list[Difference]) -> str:
    import json as writer

    said: dict[str, Any] = {
        "first": {name: found.first[name] for name in _NAMING},
        "second": {name: found.second[name] for name in _NAMING},
        "samples": found.shared.height,
        "unshared": found.unshared,
        "fixed": found.fixed,
        "broken": found.broken,
        "mcnemar_p": found.mcnemar,
        "design_effect": _finite(found.design_effect),
        "overall": [_plain(one) for one in overall],
        "groups": [_plain(one) for one in groups],
        "flips": found.flips().to_dicts(),
    }
    return writer.dumps(said, ensure_ascii=False, indent=1, allow_nan=False)


_NAMING = ("run_id", "campaign", "model", "suite", "decoding", "method", "seed", "status")


def _plain(one: Difference) -> dict[str, Any]:
    return {name: _finite(value) for name, value in asdict(one).items()}


def _finite(value: Any) -> Any:
    """JSON has no NaN: what a single cluster cannot say is null."""
    return None if isinstance(value, float) and value != value else value


def _print(found: Comparison, overall: list[Difference], groups: list[Difference], flips: int) -> None:
    from mmplat.leaderboard.comparing import describe
    from mmplat.leaderboard.formats import plain

    for name, run in (("first ", found.first), ("second", found.second)):
        typer.echo(f"{name}  {run['run_id']}  {describe(run)}")
    left = f"; {found.unshared} were decided by one of the two alone" if found.unshared else ""
    typer.echo(f"{found.shared.height} shared samples{left}\n\n{plain(_table(overall, 'metric'))}")
    effect = _finite(found.design_effect)
    typer.echo(
        f"{found.fixed} fixed, {found.broken} broken: exact McNemar p = {found.mcnemar:.3g} (as if samples were independent; "
        f"design effect {'none' if effect is None else f'{effect:.2f}'})\n"
    )
    if groups:
        typer.echo(f"accuracy by group (p_holm: over these {len(groups)})\n{plain(_table(groups, 'subset'))}")
    table = found.flips()
    if table.height and flips:
        typer.echo(f"flips, {min(flips, table.height)} of {table.height}\n{plain(table.head(flips))}", nl=False)


def signed(one: Difference) -> str:
    """A difference with its interval. Samples of one cluster alone do not tell how much it varies: no interval is known."""
    if _finite(one.low) is None:
        return f"{one.difference:+.3f} [unknown: one cluster]"
    return f"{one.difference:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def _table(rows: list[Difference], name: str) -> Any:
    import polars as pl

    shown = [
        {
            name: getattr(one, name),
            "first": f"{one.first:.3f}",
            "second": f"{one.second:.3f}",
            "difference": signed(one),
            "p": f"{one.p:.3g}",
            **({} if one.p_holm is None else {"p_holm": f"{one.p_holm:.3g}"}),
            "n": one.n,
            "clusters": one.clusters,
        }
        for one in rows
    ]
    return pl.DataFrame(shown)
