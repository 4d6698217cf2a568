"""What a suite is: where its samples come from, which answers are allowed, and which groups are reported apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.records import SuiteSpec
from mmplat.registry import Registry, with_defaults


@dataclass(frozen=True, slots=True)
class RawSample:
    """One sample as a suite yields it, before its images are stored."""

    sample_id: str
    question: str
    labels: tuple[str, ...]
    gold: str
    images: tuple[NDArray[np.uint8], ...] = ()
    """height × width × 3"""
    options: tuple[str, ...] = ()
    cluster: str = ""
    """What makes samples dependent (an image asked about several times); empty: the sample stands alone."""
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suite:
    """One registered suite. `version` is part of every key: raise it when samples or prompts change."""

    name: str
    summary: str
    version: int
    samples: Callable[[SuiteSpec], Iterator[RawSample]]
    count: Callable[[SuiteSpec], int | None]
    """How many samples a spec holds, where that is known without preparing it."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    subsets: tuple[tuple[str, ...], ...] = ()
    """Group columns (or combinations of them) that metrics are reported by; each also gets its worst group."""
    positive: str | None = None
    """The label that counts as positive in precision, recall and F1; None: the suite is no yes/no question."""
    images: bool = True
    """Its samples carry images, so views without them mean something."""


SIZE = "n"
"""Parameter of generated suites: how many samples. More of the same is the same suite."""

catalog: Registry[Suite] = Registry("suite", "mmplat.suites")


def bind(
    kind: str, params: Mapping[str, Any] | None = None, *, name: str = "", limit: int | None = None, where: str = ""
) -> SuiteSpec:
    """The suite called `kind` with `params` over its defaults; parameters that differ show in its name, its size does not."""
    suite = catalog.get(kind, where=where)
    values = with_defaults("suite", kind, suite.defaults, params, where=where)
    changed = [f"{key}={value}" for key, value in values.items() if value != suite.defaults[key] and key != SIZE]
    full = name or (f"{kind}({','.join(changed)})" if changed else kind)
    return SuiteSpec(name=full, kind=kind, version=suite.version, params=values, limit=limit)
