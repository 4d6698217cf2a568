"""What a suite is: where its samples come from, which answers are allowed, and which groups are reported apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ConfigError
from mmplat.records import Sample, SuiteSpec
from mmplat.registry import Registry, with_defaults
from mmplat.suites._parsing import strict
from mmplat.suites._sources import content_of


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
    reference: dict[str, Any] = field(default_factory=dict)
    """What an answer in words is judged by: JSON values that no model sees."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sample that a suite cannot ask, with the reason: it is counted and listed in suite.json, and never asked."""

    sample_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Suite:
    """One registered suite. `version` is part of every key: raise it when samples or prompts change."""

    name: str
    summary: str
    version: int
    samples: Callable[[SuiteSpec], Iterable[RawSample | LeftOut]]
    count: Callable[[SuiteSpec], int | None]
    """How many samples a spec holds, where that is known without preparing it."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    subsets: tuple[tuple[str, ...], ...] = ()
    """Group columns (or combinations of them) that metrics are reported by; each also gets its worst group."""
    positive: str | None = None
    """The label that counts as positive in precision, recall and F1; None: the suite is no yes/no question."""
    images: bool = True
    """Its samples carry images, so views without them mean something."""
    parse: Callable[[str, Sample], str | None] = strict
    """A written answer → the label it says; None: it says none, and is counted as unparsed."""
    official: Mapping[str, Callable[[str, Sample], str | None]] = field(default_factory=dict)
    """Rules of published scripts by name, the benchmark's own first, for comparison with published numbers alone."""
    open_ended: bool = False
    """Its answers are words that no label sums up: samples have a `reference` and neither labels nor gold."""
    grade: Callable[[str, Sample], Mapping[str, tuple[float, float]]] | None = None
    """What a written answer to an open-ended question adds to each measure, above and below the line of a ratio of sums."""
    rubric: str | None = None
    """By which a judge scores its answers, unless the grid names another; None: they are scored without a judge."""
    small_is_good: tuple[str, ...] = ()
    """Measures of `grade` (or of a judge) of which little is good."""
    longest: int = 64
    """Tokens of a written answer to an open-ended question at most, unless the grid says otherwise."""
    metrics: tuple[str, ...] = ()
    """Metrics beyond those that every suite has."""
    sources: Callable[[SuiteSpec], Mapping[str, Path | str]] | None = None
    """What it reads, by names that hold on every machine: a file, whose content enters the suite's key, or a pinned revision."""
    places: tuple[str, ...] = ()
    """Parameters that say where its data lie on this machine: they are in no key and no name."""
    published: Callable[[SuiteSpec], Mapping[str, int]] = lambda spec: {}
    """How many samples the whole data hold: `split=random,gold=yes` → 1500. Preparing says where they differ."""


SIZE = "n"
"""Parameter of generated suites: how many samples. More of the same is the same suite."""

catalog: Registry[Suite] = Registry("suite", "mmplat.suites")


def bind(
    kind: str,
    params: Mapping[str, Any] | None = None,
    *,
    name: str = "",
    limit: int | None = None,
    written: int | None = None,
    contents: Mapping[str, str] | None = None,
    where: str = "",
) -> SuiteSpec:
    """The suite called `kind` with `params` over its defaults; parameters that differ show in its name, its size does not.

    `written` asks for answers in words, of so many tokens at most. `contents` says by name what lay in the files of suites
    that were bound before, so that they need not be there any more.
    """
    suite = catalog.get(kind, where=where)
    values = with_defaults("suite", kind, suite.defaults, params, where=where)
    unnamed = {SIZE, *suite.places}
    changed = [f"{key}={value}" for key, value in values.items() if value != suite.defaults[key] and key not in unnamed]
    changed += [] if written is None or suite.open_ended else ["text"]
    written = suite.longest if written is None and suite.open_ended else written
    full = name or (f"{kind}({','.join(changed)})" if changed else kind)
    spec = SuiteSpec(name=full, kind=kind, version=suite.version, params=values, limit=limit, places=suite.places)
    content = (contents or {}).get(full) or identify(spec, where=where)
    spec = spec.model_copy(update={"content": content})
    return spec if written is None else spec.model_copy(update={"answers": "text", "longest": written})


def identify(spec: SuiteSpec, *, where: str = "") -> str | None:
    """The content of everything that a suite reads; None where it reads nothing."""
    sources = catalog.get(spec.kind).sources
    try:
        return content_of(sources(spec)) if sources else None
    except ConfigError as error:
        raise ConfigError(f"Suite {spec.name!r}{where}: {error}") from error
