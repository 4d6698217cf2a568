"""How far groups lie apart: the largest of their shares minus the smallest, with an interval that knows that both were picked.

The largest of noisy numbers is too large and the smallest too small, so a gap is too wide on average, and where groups do not
differ at all it is never 0. A nested bootstrap measures that. First the shares are drawn towards their mean by as much as noise
alone spreads them; draws around those say how much wider noise makes the gap, and draws around each draw, treated likewise, how
much a gap that is corrected so still varies. The interval reaches from the lower bound of the corrected gap to the upper bound of
the gap as it stands, which is what is reported. Simulated coverage is in docs/spurious.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mmplat.metrics.intervals import Z95, Floats, Ratio, worth_of

DRAWS, INNER = 400, 32


def gap_interval(groups: Sequence[Ratio]) -> tuple[Floats, Floats, Floats]:
    """(value, low, high) per column of the gap between the shares of groups, each a ratio of sums over clusters."""
    found = [_share(*ratio) for ratio in groups]
    shares, worth = (np.stack(part, axis=1) for part in zip(*found, strict=True))  # (column, group)
    bounds = [_bounds(*one) for one in zip(shares, worth, strict=True)]
    low, high = (np.array(part) for part in zip(*bounds, strict=True))
    return _gap(shares), low, high


def _share(numerator: Floats, denominator: Floats) -> tuple[Floats, Floats]:
    """Shares of one group, and how many independent samples they are worth (column,)."""
    inside = denominator.any(axis=1)
    numerator, denominator = numerator[inside], denominator[inside]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = numerator.sum(axis=0) / denominator.sum(axis=0)
    return share, worth_of(share, numerator, denominator, n=len(numerator))


def _gap(shares: Floats) -> Floats:
    return np.asarray(shares.max(axis=-1) - shares.min(axis=-1))


def _bounds(shares: Floats, worth: Floats) -> tuple[float, float]:
    if np.isnan(shares).any() or len(shares) < 2:
        return np.nan, np.nan
    outer, inner = _noise(len(shares))
    drawn = _drawn(_without_noise(shares, worth), worth, outer)
    gap, once = _gap(shares), _gap(drawn)
    too_wide = once.mean() - _gap(_without_noise(shares, worth))
    around = _without_noise(drawn, worth)
    corrected = once - (_gap(_drawn(around, worth, inner)).mean(axis=0) - _gap(around))
    low, high = gap - too_wide - Z95 * corrected.std(), gap + Z95 * once.std()
    return max(0.0, float(low)), min(1.0, float(high))


def _without_noise(shares: Floats, worth: Floats) -> Floats:
    """Shares (…, group) drawn towards their mean: by nothing where they lie far apart, onto it where noise explains them all.

    One right and one wrong sample more keep 0 and 1 from being certain.
    """
    smooth = (shares * worth + 1) / (worth + 2)
    mean = (smooth * worth).sum(axis=-1, keepdims=True) / worth.sum()
    noise = (mean * (1 - mean) / worth).mean(axis=-1, keepdims=True)
    spread = ((shares - mean) ** 2).sum(axis=-1, keepdims=True) / (len(worth) - 1)
    kept = 1 - np.minimum(noise / np.maximum(spread, 1e-12), 1)
    return np.asarray(mean + kept * (smooth - mean))


def _drawn(shares: Floats, worth: Floats, noise: Floats) -> Floats:
    """Shares as they might come out (…, group)."""
    return np.asarray(np.clip(shares + np.sqrt(shares * (1 - shares) / worth) * noise, 0, 1))


@lru_cache(maxsize=8)
def _noise(groups: int) -> tuple[Floats, Floats]:
    """The same draws for every cell: cells differ by what they answered alone."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((DRAWS, groups)), rng.standard_normal((INNER, DRAWS, groups))
