"""What a suite is: where its samples come from, which answers are allowed, and which groups are reported apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mmplat.errors import ConfigError
from mmplat.records import Sample, SuiteSpec
from mmplat.registry import Registry, with_defaults
from mmplat.samples import LeftOut as LeftOut
from mmplat.samples import RawSample as RawSample
from mmplat.sources import content_of
from mmplat.suites._parsing import strict


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
    mixed: bool = False
    """Only some of its questions list options."""
    images: bool = True
    """Its samples carry images, so views without them mean something."""
    needs: Literal["image", "text", "both"] = "image"
    """What its answers are found in: a condition that changes it would be another question, and is refused."""
    parse: Callable[[str, Sample], str | None] = strict
    """A written answer → the label it says; None: it says none, and is counted as unparsed."""
    official: Mapping[str, Callable[[str, Sample], str | None]] = field(default_factory=dict)
    """Rules of published scripts by name, the benchmark's own first, for comparison with published numbers alone."""
    phrases: bool = False
    """Its labels are phrases whose probability is asked, and no choice: only models that tell it of given words can answer."""
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
WHOLE_NUMBERS = {SIZE: 1, "seed": 0}
"""Parameters that mean the same in every suite that has them, from the least that is allowed; suites check their own."""

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
    _refuse_no_whole_numbers(suite, {**suite.defaults, **(params or {})}, where)
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


def _refuse_no_whole_numbers(suite: Suite, values: Mapping[str, Any], where: str) -> None:
    """Sizes and seeds: 3.7 samples would be cut to three, and a word would end in a traceback."""
    for name, least in WHOLE_NUMBERS.items():
        value = values.get(name, least)
        if type(value) is not int or value < least:
            raise ConfigError(
                f"Suite {suite.name!r}{where} has {name} = {value!r}. Allowed: whole numbers from {least}."
            )


def identify(spec: SuiteSpec, *, where: str = "") -> str | None:
    """The content of everything that a suite reads; None where it reads nothing."""
    sources = catalog.get(spec.kind).sources
    try:
        return content_of(sources(spec)) if sources else None
    except ConfigError as error:
        raise ConfigError(f"Suite {spec.name!r}{where}: {error}") from error
