"""The mean over orders of the options: each order is asked, and what it says is brought back to the options before averaging.

Order k shows the options moved on by k places, so over as many orders as there are options each of them has stood behind each
letter once (the circular evaluation of multiple choices), and a liking for a letter is spread over all options alike. An option
is as likely as it would be said if the order were drawn by lot. It works on labels, like post-hoc debiasing: a decoding's filters
act on the mean, and the probability of saying no label is 0.

Orders that repeat, where a question has fewer options than `orders`, are asked and not counted. Where it has more, each option
stands behind `orders` of the letters only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmplat.decoding.filters import Scores
from mmplat.errors import ConfigError
from mmplat.evidence.rows import Evidence
from mmplat.methods.base import Floats, Method, MethodKind, catalog, label_probs, of_labels
from mmplat.records import MethodSpec, ViewSpec
from mmplat.views import bind as view

ORDERS = 4
"""Most multiple choices have four options."""
MOST_ORDERS = 26
"""One for each letter."""


def build(spec: MethodSpec, seed: int) -> Method:
    views = rotations(_orders(spec))

    def scores(evidence: Evidence) -> Scores:
        said = by_order(evidence, views)
        counted = np.arange(len(said))[:, None] < evidence.n_labels  # (order, sample)
        return of_labels(np.where(counted[:, :, None], said, 0).sum(axis=0) / counted.sum(axis=0)[:, None])

    return Method(spec, views, scores, choices=True)


def _orders(spec: MethodSpec) -> int:
    orders = spec.params["orders"]
    if isinstance(orders, bool) or not isinstance(orders, int) or not 2 <= orders <= MOST_ORDERS:
        raise ConfigError(
            f"Method {spec.name!r} has orders = {orders!r}. Allowed: whole numbers from 2 to {MOST_ORDERS}."
        )
    return orders


def rotations(orders: int) -> tuple[ViewSpec, ...]:
    """The orders beside the one that the suite asks in."""
    return tuple(view("rotated-options", {"by": by}) for by in range(1, orders))


def by_order(evidence: Evidence, views: Sequence[ViewSpec]) -> Floats:
    """Probabilities of the options in each order (order, sample, option), whatever letter they stood behind."""
    rows = [evidence.main, *(evidence.view(one) for one in views)]
    return np.stack([brought_back(label_probs(one), evidence.n_labels, by) for by, one in enumerate(rows)])


def brought_back(probs: Floats, n_labels: NDArray[np.int16], by: int) -> Floats:
    """What is said of the letters (sample, letter) as what is said of the options that stood behind them."""
    letter, count = np.arange(probs.shape[1])[None, :], n_labels[:, None]
    behind = np.where(letter < count, (letter + by) % count, letter)  # padding stays where it is
    return np.take_along_axis(probs, behind, axis=1)


catalog.add(
    "option-rotation",
    MethodKind(
        "option-rotation",
        "the mean over several orders of the options, each option's probability taken from wherever it stands",
        "prompt",
        1,
        build,
        {"orders": ORDERS},
    ),
)
