"""mmplat list: what there is, a line each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Kind(StrEnum):
    """What can be listed."""

    models = "models"
    suites = "suites"
    methods = "methods"
    decodings = "decodings"
    views = "views"
    metrics = "metrics"
    rubrics = "rubrics"
    conditions = "conditions"


def list_(kind: Annotated[Kind, typer.Argument(help="What to list.")]) -> None:
    """List models, suites, methods, decodings, views, metrics, rubrics or conditions."""
    rows = _rows(kind)
    width = max(len(name) for name, _ in rows)
    for name, summary in rows:
        typer.echo(f"{name:<{width}}  {summary}")


def _rows(kind: Kind) -> list[tuple[str, str]]:
    if kind is Kind.decodings:
        from mmplat.decoding.configs import GRAMMAR, presets, sets

        members = [(name, f"a set of {len(of)}: {', '.join(of[:3])}, …, {of[-1]}") for name, of in sets.items()]
        return [*presets.items(), *members, ("…", f"any other: {GRAMMAR}")]
    if kind is Kind.models:
        from mmplat.models import families, named

        known = [(name, family.summary) for name, family in families.items() if name not in named]
        names = [(name, model.summary) for name, model in named.items()]
        return names + [(f"family {name}", summary) for name, summary in known]
    if kind is Kind.metrics:
        from mmplat.metrics import catalog as metrics

        each = [(name, metric.summary) for name, metric in metrics.items()]
        return [*each, ("expected_…", "each of these on the exact distribution of answers: the mean over repeated sampling"),
                ("expected_accuracy_sd", "its standard deviation when one answer per sample is drawn")]  # fmt: skip
    from mmplat.conditions import catalog as conditions
    from mmplat.methods import catalog as methods
    from mmplat.rubrics import catalog as rubrics
    from mmplat.suites import catalog as suites
    from mmplat.views import catalog as views

    catalogs = {
        Kind.suites: suites,
        Kind.methods: methods,
        Kind.views: views,
        Kind.rubrics: rubrics,
        Kind.conditions: conditions,
    }
    return [(name, item.summary) for name, item in catalogs[kind].items()]  # type: ignore[attr-defined]
