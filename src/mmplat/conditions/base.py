"""What a condition is: text before the question, a picture of something else, a cue that names an answer.

A condition changes the sample when its suite is prepared, so that every view, method, decoding, endpoint and written answer
works under it and knows nothing of it. Ids stay, so that answers under a condition are paired with those without it. (A view
changes how one sample is shown to a network; a method may need several.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mmplat.errors import ConfigError
from mmplat.ids import seed_from
from mmplat.records import ConditionSpec
from mmplat.registry import Registry, with_defaults
from mmplat.samples import MADE, LeftOut, RawSample
from mmplat.sources import content_of

Value = int | float | str
Apply = Callable[[RawSample, Mapping[str, Value], np.random.Generator], RawSample | LeftOut]
SEED = "seed"


@dataclass(frozen=True, slots=True)
class Condition:
    """One registered condition. `version` is part of every key: raise it when what it makes changes."""

    name: str
    summary: str
    changes: Literal["text", "image", "instruction"]
    """What it changes: refused where that decides. An instruction says something about the answer, which none needs."""
    apply: Apply
    """(sample, params, its own random numbers) → the changed sample, or why there is none."""
    version: int = 1
    defaults: Mapping[str, Value] = field(default_factory=dict)
    refuse: Callable[[Mapping[str, Value]], str | None] = lambda params: None
    """What is wrong with these parameters, and what is allowed; None: nothing."""
    sources: Callable[[Mapping[str, Value]], Mapping[str, Path | str]] | None = None
    """What it reads, by names that hold on every machine."""
    places: tuple[str, ...] = ()
    """Parameters that say where its data lie on this machine."""
    images: bool | None = None
    """Whether samples carry images under it; None: as without it."""


catalog: Registry[Condition] = Registry("condition", "mmplat.conditions")


def bind(
    name: str,
    params: Mapping[str, Value] | None = None,
    *,
    as_name: str = "",
    contents: Mapping[str, str] | None = None,
    where: str = "",
) -> ConditionSpec:
    """The condition called `name` with `params` over its defaults; parameters that differ show in its name.

    `contents` says by name what lay in the files of conditions that were bound before: they need not be there any more.
    """
    kind = catalog.get(name, where=where)
    values = with_defaults("condition", name, kind.defaults, params, where=where)
    wrong = kind.refuse(values)
    if wrong:
        raise ConfigError(f"Condition {name!r}{where} has {wrong}.")
    changed = [f"{k}={v}" for k, v in values.items() if v != kind.defaults[k] and k not in kind.places]
    full = as_name or (f"{name}({','.join(changed)})" if changed else name)
    spec = ConditionSpec(name=full, kind=name, version=kind.version, params=values, places=kind.places)
    return spec.model_copy(update={"content": (contents or {}).get(full) or identify(spec, where=where)})


def identify(spec: ConditionSpec, *, where: str = "") -> str | None:
    """The content of everything that a condition reads; None where it reads nothing."""
    sources = catalog.get(spec.kind).sources
    try:
        return content_of(sources(spec.params)) if sources else None
    except ConfigError as error:
        raise ConfigError(f"Condition {spec.name!r}{where}: {error}") from error


def applied(spec: ConditionSpec, sample: RawSample) -> RawSample | LeftOut:
    """The sample under the condition. Its random numbers depend on the sample alone, whatever stands beside it."""
    rng = np.random.Generator(np.random.Philox(seed_from(spec.kind, spec.params.get(SEED, 0), sample.sample_id)))
    changed = catalog.get(spec.kind).apply(sample, spec.params, rng)
    if isinstance(changed, RawSample):
        _refuse_another_question(spec, sample, changed)
    return changed


def noted(sample: RawSample, **made: Any) -> RawSample:
    """The sample with a note of what was done to it, for whoever reads its answers."""
    return replace(sample, reference={**sample.reference, MADE: made})


def _refuse_another_question(spec: ConditionSpec, before: RawSample, after: RawSample) -> None:
    for what in ("sample_id", "labels", "gold", "cluster", "groups"):
        if getattr(before, what) != getattr(after, what):
            raise ConfigError(
                f"Condition {spec.name!r} changes the {what} of sample {before.sample_id!r}: answers could not be paired."
            )
