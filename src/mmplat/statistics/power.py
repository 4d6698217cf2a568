"""Before a run: how many samples a difference needs, and which difference so many samples can show.

Two runs on the same samples differ where one is right and the other wrong: their `disagreement`. McNemar's normal approximation
(Connor 1987) with it, times the design effect of clusters, is the needed number of samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

from mmplat.errors import ConfigError

NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Design:
    """A comparison as it is planned."""

    accuracy: float
    """Of the baseline."""
    disagreement: float | None = None
    """Share of samples on which one of the two is right and the other wrong; None: as if their errors were independent, which
    is the cautious guess: methods on one model disagree far less."""
    per_cluster: float = 1
    """Samples per cluster."""
    icc: float = 0
    """Correlation of the differences within a cluster; `mmplat compare` measures it."""
    alpha: float = 0.05
    """Chance of finding a difference, in either direction, where there is none."""
    power: float = 0.8
    """Chance of finding the difference where it is there."""

    def __post_init__(self) -> None:
        shares = {"accuracy": self.accuracy, "alpha": self.alpha, "power": self.power}
        for name, value in shares.items():
            if not 0 < value < 1:
                raise ConfigError(f"{name} = {value} must lie between 0 and 1, like 0.8.")
        if not (0 <= self.icc <= 1 and self.per_cluster >= 1):
            raise ConfigError(
                f"icc = {self.icc} must lie in 0 … 1, per-cluster = {self.per_cluster} must be at least 1."
            )

    @property
    def design_effect(self) -> float:
        """How many samples in clusters are worth one independent sample."""
        return 1 + (self.per_cluster - 1) * self.icc

    def disagreement_at(self, effect: float) -> float:
        """A difference of `effect` takes at least that much disagreement."""
        if not 0 < abs(effect) < 1 or not 0 <= self.accuracy + effect <= 1:
            raise ConfigError(f"An effect of {effect} on an accuracy of {self.accuracy} leaves 0 … 1, or is none.")
        if self.disagreement is None:
            other = self.accuracy + effect
            return self.accuracy * (1 - other) + other * (1 - self.accuracy)
        if not abs(effect) <= self.disagreement <= 1:
            raise ConfigError(
                f"A disagreement of {self.disagreement} cannot hold an effect of {effect}: runs that differ by {abs(effect)} "
                f"disagree on at least {abs(effect)} of the samples. Give a larger --disagreement or a smaller --effect."
            )
        return self.disagreement

    def clusters_for(self, effect: float) -> int:
        """Clusters that find a difference of `effect` with the wanted power."""
        disagreement = self.disagreement_at(effect)
        spread = self._z_alpha * sqrt(disagreement) + NORMAL.inv_cdf(self.power) * sqrt(disagreement - effect**2)
        return ceil(round((spread / effect) ** 2 * self.design_effect / self.per_cluster, 9))

    def power_of(self, clusters: int, effect: float) -> float:
        """Chance that so many clusters find a difference of `effect`."""
        disagreement = self.disagreement_at(effect)
        n = clusters * self.per_cluster / self.design_effect
        spread = sqrt(disagreement - effect**2)
        reach = abs(effect) * sqrt(n) - self._z_alpha * sqrt(disagreement)
        return NORMAL.cdf(reach / spread) if spread else float(reach > 0)

    def smallest_effect(self, clusters: int) -> float | None:
        """The smallest improvement that so many clusters find with the wanted power; None: not even the largest one."""
        low, high = 0.0, 1 - self.accuracy if self.disagreement is None else min(1 - self.accuracy, self.disagreement)
        if self.power_of(clusters, high) < self.power:
            return None
        for _ in range(50):  # power rises with the effect: halving finds where it is reached
            middle = (low + high) / 2
            low, high = (low, middle) if self.power_of(clusters, middle) >= self.power else (middle, high)
        return high

    @property
    def _z_alpha(self) -> float:
        return NORMAL.inv_cdf(1 - self.alpha / 2)
