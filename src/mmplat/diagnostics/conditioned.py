"""A suite as it is and under its conditions, asked of one model: what paired measures are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mmplat.diagnostics.reading import Measured, Rows
from mmplat.errors import UnknownName
from mmplat.plan import Pair


@dataclass(frozen=True)
class Conditioned:
    """One model on one suite and on the same samples under each condition, by the condition's name."""

    base: Measured
    under: Mapping[str, Measured]

    @property
    def pair(self) -> Pair:
        """Of the suite as it is, whose name a diagnostic reports."""
        return self.base.pair

    @property
    def closed(self) -> bool:
        return self.base.closed

    @property
    def title(self) -> str:
        return self.base.title


def conditioned(pairs: Sequence[Measured]) -> list[Conditioned]:
    """Pairs that differ in the condition alone, together; a suite that was asked under no condition is left out."""
    bases = {(p.pair.model.name, p.pair.suite.key): p for p in pairs if p.pair.suite.condition is None}
    found: dict[tuple[str, str], dict[str, Measured]] = {}
    for pair in pairs:
        condition, key = pair.pair.suite.condition, (pair.pair.model.name, pair.pair.suite.unconditioned.key)
        if condition is not None and key in bases:
            found.setdefault(key, {})[condition.name] = pair
    return [Conditioned(bases[key], under) for key, under in found.items()]


def of_suites(found: Sequence[Conditioned], suites: Sequence[str]) -> list[Conditioned]:
    """Only these suites, by their names without a condition; all of them where none is named."""
    known = {one.pair.suite.name for one in found}
    for name in suites:
        if name not in known:
            raise UnknownName("suite", name, known, where=" among those that were asked under conditions")
    return [one for one in found if not suites or one.pair.suite.name in suites]


def matched(one: Measured, other: Measured) -> tuple[Rows, Rows]:
    """Rows of `one` and of `other` that hold the same sample: a condition may leave some out."""
    there = {sample.sample_id: row for row, sample in enumerate(other.samples)}
    rows = [(row, there[s.sample_id]) for row, s in enumerate(one.samples) if s.sample_id in there]
    left, right = np.array(rows, np.int64).reshape(-1, 2).T
    return left, right
