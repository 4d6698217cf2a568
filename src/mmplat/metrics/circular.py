"""Multiple choices asked with their options in several orders: does the answer follow the option, or stay with the letter?

`option-rotation` brings the probabilities of each order back to the options (`mmplat.methods.rotation.by_order`); these functions
count over them. Nothing is chosen by the mean here: an order speaks for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmplat.metrics.intervals import Floats


@dataclass(frozen=True, slots=True)
class Circular:
    """Each sample over its orders. Shares of a suite are means over samples."""

    right: NDArray[np.bool_]
    """The right option is the likeliest in every order (sample,): the mean is circular accuracy."""
    same: NDArray[np.bool_]
    """One option is the likeliest in every order, right or wrong (sample,): the mean is consistency."""
    agreement: Floats
    """Share of pairs of orders whose likeliest option is the same (sample,)."""


def circular(by_order: Floats, gold: NDArray[np.int64]) -> Circular:
    """What the orders say together. `by_order` holds probabilities of the options (order, sample, option), in two orders at
    least; of equally likely ones the first option counts. A sample with an order that is not known (NaN) is refused."""
    if len(by_order) < 2 or np.isnan(by_order).any():
        raise ValueError(
            f"two orders at least, and every probability of each: got {by_order.shape} with NaN or too few"
        )
    likeliest = by_order.argmax(axis=2)  # (order, sample)
    alike = likeliest[:, None] == likeliest[None, :]
    pairs = len(by_order) * (len(by_order) - 1)
    return Circular(
        right=(likeliest == gold).all(axis=0),
        same=(likeliest == likeliest[0]).all(axis=0),
        agreement=(alike.sum(axis=(0, 1)) - len(by_order)) / pairs,
    )


def by_letter(by_order: Floats) -> Floats:
    """Mean probability of each letter over the orders (sample, letter), where order k moved the options on by k places.

    `by_order` is that of samples with as many options as it has columns.

    Over all rotations each option has stood behind each letter once, so whatever the model knows of the options adds the same to
    all letters: without a liking for letters each has 1 / options, and what it has beyond that is position bias.
    """
    moved = [np.roll(probs, by, axis=1) for by, probs in enumerate(by_order)]
    return np.asarray(np.mean(moved, axis=0))
