"""What a metric is: a ratio of two sums over samples. That one shape covers accuracy, F1, yes-ratio and the rest.

Each metric is computed twice: on the likeliest answers (`accuracy`) and on the exact distribution of answers
(`expected_accuracy`: what repeated sampling would give on average). Under greedy decoding both are equal.

Benchmarks add two things: what counts only if all of a unit is right (both questions about an image), and totals over groups.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mmplat.registry import Registry

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers of one cell on the samples that were decided: weights of each label and of no label."""

    probs: Floats  # (sample, label): one-hot for the likeliest answers
    other: Floats  # (sample,): said something that is no label
    gold: NDArray[np.int64]  # (sample,)
    positive: NDArray[np.int64] | None
    """Index of the positive label (sample,); None: the suite is no yes/no question."""
    spurious: NDArray[np.bool_] | None = None
    """Which labels speak for a spurious attribute (sample, label), of samples that say so; None: none says."""

    @property
    def right(self) -> Floats:
        return np.take_along_axis(self.probs, self.gold[:, None], axis=1)[:, 0]

    @property
    def said_positive(self) -> Floats:
        assert self.positive is not None
        return np.take_along_axis(self.probs, self.positive[:, None], axis=1)[:, 0]

    @property
    def is_positive(self) -> Floats:
        assert self.positive is not None
        return (self.gold == self.positive).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Metric:
    """One registered metric: numerator and denominator of every sample. `version` rises when numbers move."""

    name: str
    summary: str
    ratio: Callable[[Answered], tuple[Floats, Floats]]
    version: int = 1
    binary: bool = False
    """Only for suites with a positive label."""
    higher_is_better: bool | None = True
    unit: str | None = None
    """Group column of what is right or wrong together: within a unit, numerators and denominators of samples multiply.
    On the exact distribution that is the probability that independent draws are all right."""
    everywhere: bool = True
    """False: only on suites that name it."""
    roles: bool = False
    """Only where some sample says which of its labels speak for a spurious attribute."""


@dataclass(frozen=True, slots=True)
class Total:
    """One number from metrics of all groups: their sum in points, their mean, or their gap; only on suites that name it."""

    name: str
    summary: str
    of: tuple[str, ...]
    """Metrics that are added up within a group; a gap is of one."""
    by: str
    """Group column."""
    groups: tuple[str, ...] = ()
    """The groups that count: without one of them there is no total. Empty: those that are there."""
    scale: float = 100.0
    combine: Literal["sum", "mean", "gap"] = "sum"
    """gap: the largest minus the smallest."""
    version: int = 1
    higher_is_better: bool | None = True


catalog: Registry[Metric | Total] = Registry("metric", "mmplat.metrics")
