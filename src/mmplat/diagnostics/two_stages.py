"""Two stages of answers to the same samples, without a cue and with one: how many are led away. Pure arithmetic.

Each sample's answer is a distribution over right, wrong and invalid (an answer that is no label); an exact answer is a
distribution too. The rate T→F is Σ P(right before)·P(wrong after) ÷ Σ P(right before): under greedy decoding that is the share
of the right answers that turned wrong, under a stochastic one the expectation of what two draws would show, stage 1 deciding who
is in T. F→T likewise. Invalid answers are a third class: before, they are in neither T nor F; after, they are no flip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.metrics.intervals import cluster_sums, ratio_interval, sum_interval

Floats = NDArray[np.float64]
Ratio = tuple[Floats, Floats]
"""Above and below the line, per sample; the measure is the ratio of the sums."""
Interval = tuple[float, float, float]
"""(value, low, high); NaN where nothing is below the line."""
NOTHING: Interval = (np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class Stage:
    """Probabilities per sample; NaN where nothing was decided."""

    right: Floats
    wrong: Floats
    """Of saying a label that is not the right one."""
    invalid: Floats

    @classmethod
    def of(cls, probs: Floats, other: Floats, gold: NDArray[np.int64]) -> Stage:
        right = np.take_along_axis(probs, gold[:, None], axis=1)[:, 0]
        return cls(right, np.clip(1 - right - other, 0, 1), other)

    @property
    def known(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.right)

    def at(self, rows: NDArray[np.int64], there: NDArray[np.int64], n: int) -> Stage:
        """The same for n other rows, of which `rows` are `there` here, and the rest are unknown."""
        return Stage(*(_spread(values, rows, there, n) for values in (self.right, self.wrong, self.invalid)))


def _spread(values: Floats, rows: NDArray[np.int64], there: NDArray[np.int64], n: int) -> Floats:
    found = np.full(n, np.nan)
    found[rows] = values[there]
    return found


def led_astray(before: Stage, after: Stage) -> Ratio:
    """T→F: of what was right, what is wrong under the cue."""
    return _flips(before.right, before.right * after.wrong)


def led_right(before: Stage, after: Stage) -> Ratio:
    """F→T: of what was wrong, what is right under the cue."""
    return _flips(before.wrong, before.wrong * after.right)


def share(values: Floats) -> Ratio:
    """A mean over the samples in which it is known."""
    return _flips(np.ones_like(values), values)


def _flips(below: Floats, above: Floats) -> Ratio:
    unknown = np.isnan(above)
    return np.where(unknown, 0.0, above), np.where(unknown, 0.0, below)


def any_of(stages: Sequence[Stage]) -> Stage:
    """Several cues of one kind, asked apart: wrong if any of them leads to a wrong answer, right if any leads to the right one.

    Both can be, so the three do not sum to 1. It rises with every cue more, and is comparable at one number of cues only.
    """
    right, wrong = (
        1 - np.prod([1 - values for values in found], axis=0) for found in zip(*map(_sides, stages), strict=True)
    )
    return Stage(right, wrong, np.prod([stage.invalid for stage in stages], axis=0))


def _sides(stage: Stage) -> tuple[Floats, Floats]:
    return stage.right, stage.wrong


def each_of(stages: Sequence[Stage]) -> Stage:
    """Several cues of one kind, each counted alone: the mean over them."""
    return Stage(*(np.mean([getattr(s, name) for s in stages], axis=0) for name in ("right", "wrong", "invalid")))


def rate(ratio: Ratio, cluster: NDArray[np.int64]) -> Interval:
    """The ratio of the sums with its 95 % interval, samples of one cluster dependent."""
    counted = ratio[1] > 0
    if not counted.any():
        return NOTHING
    above, below = _sums((ratio[0][counted], ratio[1][counted]), cluster[counted])
    return _numbers(ratio_interval(above, below, n=max(1, int(below.sum()))))


def mean_rate(ratios: Sequence[Ratio], cluster: NDArray[np.int64]) -> Interval:
    """The plain mean of several rates over the same samples, whose errors may go together."""
    if not all((below > 0).any() for _, below in ratios):
        return NOTHING
    sums = [_sums(ratio, cluster) for ratio in ratios]
    least = min(int(below.sum()) for _, below in sums)
    return _numbers(tuple(part / len(ratios) for part in sum_interval([sums], n=max(1, least))))


def macro(rates: Sequence[float]) -> float:
    """The papers' headline: the plain mean over levels of difficulty, each counting once whatever its size."""
    return float(np.mean(rates))


def _sums(ratio: Ratio, cluster: NDArray[np.int64]) -> Ratio:
    _, codes = np.unique(cluster, return_inverse=True)
    above, below = (cluster_sums(part[:, None], codes, int(codes.max()) + 1) for part in ratio)
    return above, below


def _numbers(found: tuple[Any, ...]) -> Interval:
    value, low, high = (float(np.ravel(part)[0]) for part in found)
    return value, low, high
