"""The tables of `mmplat diagnose misleading`, by name, and the pairs of a campaign in the shape that they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mmplat.diagnostics import misleading
from mmplat.diagnostics.base import Diagnostic
from mmplat.diagnostics.conditioned import Conditioned, conditioned
from mmplat.diagnostics.reading import Measured
from mmplat.errors import ConfigError, UnknownName

TABLES: Mapping[str, Diagnostic] = {
    "rates": misleading.DIAGNOSTIC,
}


def diagnostic(what: str) -> Diagnostic:
    if what not in TABLES:
        raise UnknownName("table", what, TABLES)
    return TABLES[what]


def grouped(what: str, pairs: Sequence[Measured]) -> list[Conditioned]:
    """Each suite with its conditions, one model at a time."""
    found = conditioned(pairs)
    if not found:
        raise ConfigError(
            "No suite of this campaign was asked both as it is and under a cue. Give a suite of the grid "
            "`conditions: [cue-wrong, cue-gold]` (docs/misleading.md)."
        )
    return found
