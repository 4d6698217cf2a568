"""Does a stored row reach as far as the decisions of a grid look? The one rule, used when asking and when deciding."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mmplat.evidence.rows import Rows
from mmplat.records import DecodingSpec, Demand

REACH = ("top_ids", "at_main", "lse_temperatures")
"""How far a row reaches is how long these are; of several rows of one (sample, view) the longest counts."""

STANDARD_TEMPERATURES = (*(round(0.05 * i, 2) for i in range(1, 21)), 1.25, 1.5, 1.75, 2.0)
"""Kept for every row: LLaVA-Align's sweep and what lies above it. A grid may name others; they are added."""


def demand_of(decodings: list[DecodingSpec], betas: list[float]) -> Demand:
    """What the decodings and the plausibility masks (β) of a grid need of a main view's row."""
    stochastic = [d for d in decodings if not d.greedy]
    return Demand(
        top_k=max([256, *(d.top_k for d in stochastic if d.top_k)]),
        min_beta=min(betas, default=None),
        nuclei=tuple(
            sorted({(d.temperature, d.top_p) for d in stochastic if d.top_p and d.top_p < 1 and d.top_k is None})
        ),
        temperatures=tuple(sorted({d.temperature for d in stochastic} - set(STANDARD_TEMPERATURES))),
    )


def covered(rows: Rows, demand: Demand) -> NDArray[np.bool_]:
    """Which main-view rows satisfy `demand`, or would not by asking again (sample,)."""
    enough = rows.kept >= demand.top_k
    if demand.min_beta is not None:
        bar = -np.inf if demand.min_beta == 0 else math.log(demand.min_beta)
        enough &= rows.floor <= rows.top_logits[:, 0] + bar
    for temperature, top_p in demand.nuclei:
        enough &= rows.listed(temperature) >= top_p * np.exp(rows.log_total(temperature))
    for temperature in demand.temperatures:
        enough &= ~np.isnan(rows.log_total(temperature))
    return np.asarray(rows.present & (enough | rows.complete | rows.final))
