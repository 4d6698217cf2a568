"""The tables of `mmplat diagnose misleading`, by name, and the pairs of a campaign in the shape that each of them reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmplat.diagnostics import consistency, misleading, misleading_differences, misleading_margins
from mmplat.diagnostics.base import Diagnostic
from mmplat.diagnostics.conditioned import Conditioned, conditioned, of_suites
from mmplat.diagnostics.misleading_differences import rivals
from mmplat.diagnostics.reading import Measured
from mmplat.errors import ConfigError, UnknownName

Shape = Callable[[Sequence[Conditioned]], Sequence[Any]]
TABLES: Mapping[str, tuple[Diagnostic, Shape]] = {
    "rates": (misleading.DIAGNOSTIC, list),
    "margins": (misleading_margins.DIAGNOSTIC, list),
    "consistency": (consistency.DIAGNOSTIC, list),
    "methods": (misleading_differences.METHODS, list),
    "models": (misleading_differences.MODELS, rivals),
}


def table_of(what: str, pairs: Sequence[Measured], suites: Sequence[str] = ()) -> tuple[Diagnostic, Sequence[Any]]:
    """A table, and what it is made of: each suite with its conditions, one model at a time, or two."""
    if what not in TABLES:
        raise UnknownName("table", what, TABLES)
    found = conditioned(pairs)
    if not found:
        raise ConfigError(
            "No suite of this campaign was asked both as it is and under a cue. Give a suite of the grid "
            "`conditions: [cue-wrong, cue-gold]` (docs/misleading.md)."
        )
    diagnostic, shape = TABLES[what]
    shaped = shape(of_suites(found, suites))
    if not shaped:
        raise ConfigError(f"The table {what!r} compares models, and this campaign asked one on each suite.")
    return diagnostic, shaped
