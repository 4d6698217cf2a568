"""How far one distribution over answers lies from another, per sample: what a change of the likeliest answer does not show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]  # (sample, answer)
LEAST = 1e-6
"""What the second distribution of a KL divergence gives every answer at least (2505.19616's own bound): a plausibility mask or
a top-k puts exact zeros there, and one such sample would make a mean infinite."""


def total_variation(one: Floats, other: Floats) -> Floats:
    """The largest difference in the probability of any set of answers: 0 equal, 1 nothing in common."""
    return np.asarray(np.abs(one - other).sum(axis=1) / 2)


def kl(one: Floats, other: Floats) -> Floats:
    """KL(one ‖ other) in nats; `other` is at least LEAST everywhere, and sums to 1 again."""
    bounded = np.maximum(other, LEAST)
    return _divergence(one, bounded / bounded.sum(axis=1, keepdims=True))


def jensen_shannon(one: Floats, other: Floats) -> Floats:
    """½ KL(one ‖ m) + ½ KL(other ‖ m), m their mean: symmetric, at most log 2."""
    mean = (one + other) / 2
    return (_divergence(one, mean) + _divergence(other, mean)) / 2


def _divergence(one: Floats, other: Floats) -> Floats:
    """Σ p log p/q, where 0 log 0 is 0; rounding can leave a sum of −1e-17, which is no distance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(one > 0, one * np.log(one / other), 0.0)
    return np.maximum(terms.sum(axis=1), 0.0)
