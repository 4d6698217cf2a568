"""mmplat power: before a run, how many samples it takes."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mmplat.cli.options import finite


def power(
    accuracy: Annotated[float, typer.Option(callback=finite, help="Accuracy of the baseline, as expected: 0.8.")],
    effect: Annotated[
        float | None, typer.Option(callback=finite, help="Difference to be found: 0.02 is two points.")
    ] = None,
    clusters: Annotated[int | None, typer.Option(min=2, help="Clusters (images) that there are.")] = None,
    per_cluster: Annotated[
        float, typer.Option(callback=finite, help="Samples per cluster: POPE asks 6 questions about an image.")
    ] = 1,
    icc: Annotated[float, typer.Option(callback=finite, help="Correlation of differences within a cluster.")] = 0.0,
    disagreement: Annotated[
        float | None,
        typer.Option(
            callback=finite, help="Share of samples that one gets right and the other wrong.  [default: independent]"
        ),
    ] = None,
    alpha: Annotated[float, typer.Option(callback=finite, help="Chance of a false finding.")] = 0.05,
    power: Annotated[float, typer.Option(callback=finite, help="Chance of finding a difference that is there.")] = 0.8,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Plan a paired comparison: the samples that an effect needs, or the smallest effect that samples can show."""
    from mmplat.errors import ConfigError
    from mmplat.statistics import Design

    if effect is None and clusters is None:
        raise ConfigError("Give --effect (how many samples does it need?), --clusters (what can they show?), or both.")
    design = Design(accuracy, disagreement, per_cluster, icc, alpha, power)
    said: dict[str, Any] = {"design_effect": design.design_effect}
    if effect is not None:
        needed = design.clusters_for(effect)
        said |= {"effect": effect, "disagreement": design.disagreement_at(effect), "needed_clusters": needed}
        said |= {"needed_n": round(needed * per_cluster)}
    if clusters is not None:
        said |= {"clusters": clusters, "n": round(clusters * per_cluster)}
        said |= {"smallest_effect": design.smallest_effect(clusters)}
    if effect is not None and clusters is not None:
        said |= {"power": design.power_of(clusters, effect)}
    typer.echo(_as_json(said) if json else _as_text(said, accuracy, power, per_cluster), nl=json)


def _as_json(said: dict[str, Any]) -> str:
    import json

    return json.dumps(said)


def _as_text(said: dict[str, Any], accuracy: float, power: float, per_cluster: float) -> str:
    lines = []
    if "needed_n" in said:
        lines.append(
            f"{accuracy + said['effect']:g} against {accuracy:g} needs {said['needed_n']} samples in {said['needed_clusters']} "
            f"clusters of {per_cluster:g} (chance {power:g} of finding it; disagreement {said['disagreement']:.3f}, design "
            f"effect {said['design_effect']:.2f})"
        )
    if "clusters" in said:
        smallest = said["smallest_effect"]
        found = "no effect at all" if smallest is None else f"effects from {smallest:.4f} on"
        lines.append(f"{said['n']} samples in {said['clusters']} clusters find {found} (with chance {power:g})")
    if "power" in said:
        lines.append(f"the chance that they find {said['effect']:+g} is {said['power']:.3f}")
    return "\n".join(lines) + "\n"
