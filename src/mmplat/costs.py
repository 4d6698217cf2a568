"""What asking costs, as the heartbeats in a results folder tell: forwards per second of each model on each kind of device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from mmplat.artifacts import Results
from mmplat.heartbeats import Heartbeat, read_heartbeat

ENOUGH_STEPS = 100
"""The first forwards of a process are slow: a rate of fewer says little."""


def measured_rates(results: Results) -> dict[str, dict[str, float]]:
    """Model key → hardware → forwards per second, over every batch that was ever asked here."""
    return rates_of(filter(None, map(read_heartbeat, results.heartbeats)))


def rates_of(beats: Iterable[Heartbeat]) -> dict[str, dict[str, float]]:
    steps: dict[tuple[str, str], int] = defaultdict(int)
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    for beat in beats:
        for cost in beat.costs:
            steps[beat.model_key, cost.hardware] += cost.steps
            seconds[beat.model_key, cost.hardware] += cost.seconds
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (model, hardware), asked in steps.items():
        if asked >= ENOUGH_STEPS and seconds[model, hardware] > 0:
            found[model][hardware] = asked / seconds[model, hardware]
    return dict(found)
