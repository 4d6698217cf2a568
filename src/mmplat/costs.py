"""What asking costs, as the heartbeats in a results folder tell: rows per second of each model on each kind of device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mmplat.artifacts import Results
from mmplat.heartbeats import Heartbeat, read_heartbeat

ENOUGH_ROWS = 100
"""The first rows of a process are slow: a rate of fewer says little."""


def measured_rates(results: Results) -> dict[str, dict[str, float]]:
    """Model key → hardware → rows (views of samples) per second, over every batch that was ever asked here."""
    return rates_of(filter(None, map(read_heartbeat, results.heartbeats)))


def rates_of(beats: Iterable[Heartbeat]) -> dict[str, dict[str, float]]:
    rows: dict[tuple[str, str], int] = defaultdict(int)
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for beat in beats:
        for cost in beat.costs:
            rows[beat.model_key, cost.hardware] += cost.rows
            seconds[beat.model_key, cost.hardware] += cost.seconds
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (model, hardware), asked in rows.items():
        if asked >= ENOUGH_ROWS and seconds[model, hardware] > 0:
            found[model][hardware] = asked / seconds[model, hardware]
    return dict(found)
