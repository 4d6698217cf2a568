"""The synthetic world's suites: objects (POPE-like), spurious cues (MM-SpuBench-like), text facts, and what takes both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmplat.errors import ConfigError
from mmplat.records import SuiteSpec
from mmplat.suites.base import RawSample, Suite, catalog


def samples(spec: SuiteSpec) -> Iterator[RawSample]:
    from mmplat import world
    from mmplat.world import texts

    for item in world.generate(spec.kind, n=count(spec), seed=int(spec.params["seed"]), **_settings(spec)):
        yield RawSample(
            sample_id=item.sample_id,
            question=item.question,
            labels=item.labels,
            gold=item.gold,
            images=(item.image,),
            options=item.options,
            cluster=item.image_id,
            groups=item.groups,
            stem=item.question.partition("\n")[0],
            described=texts.descriptions(item),
            reference={"roles": list(item.roles)} if item.roles else {},
        )


def _settings(spec: SuiteSpec) -> dict[str, Any]:
    """What a suite's own parameters ask of the world."""
    given = {name: spec.params[name] for name in (RHO, PEOPLE) if name in spec.params}
    said = {RHO: _strength, PEOPLE: _people}
    return {name: said[name](value) for name, value in given.items() if value not in (BALANCED, ALL)}


def _strength(rho: Any) -> float:
    """How often the attribute goes along with the class."""
    if isinstance(rho, bool) or not isinstance(rho, (int, float)) or not 0 <= rho <= 1:
        raise ConfigError(f"rho = {rho!r} is no strength. Allowed: {BALANCED}, or a number from 0 to 1.")
    return float(rho)


def _people(half: Any) -> tuple[str, ...]:
    """Half of the people, so that facts that are tuned on and facts that are tested are about others."""
    from mmplat.world.vocabulary import PEOPLE as everyone

    halves = {"first-half": everyone[0::2], "second-half": everyone[1::2]}
    if half not in halves:
        raise ConfigError(f"people = {half!r} is unknown. Allowed: {ALL}, {', '.join(halves)}.")
    return halves[half]


def count(spec: SuiteSpec) -> int:
    n = int(spec.params["n"])
    return n if spec.limit is None else min(n, spec.limit)


RHO, BALANCED = "rho", "balanced"
PEOPLE, ALL = "people", "all"
SIZE = {"n": 1800, "seed": 0}
for suite in (
    Suite(
        "world-objects",
        "is the object in the picture? yes/no; splits random, popular, adversarial",
        1,
        samples,
        count,
        defaults=SIZE,
        subsets=(("split",),),
        positive="yes",
    ),
    Suite(
        "world-spurious",
        "which class is it? A–D; nine types of spurious cue, aligned, neutral or anti-correlated",
        2,
        samples,
        count,
        defaults={**SIZE, RHO: BALANCED},
        subsets=(("type",), ("mode",), ("type", "mode")),
        metrics=("macro_accuracy", "type_gap", "spurious_selection"),
    ),
    Suite(
        "world-spurious-names",
        "how likely is the class's name, and how likely the one that the spurious attribute suggests?",
        1,
        samples,
        count,
        defaults=SIZE,
        subsets=(("type",),),
        phrases=True,
    ),
    Suite(
        "world-facts",
        "facts to be known from text, under an irrelevant picture",
        1,
        samples,
        count,
        defaults={**SIZE, PEOPLE: ALL},
        mixed=True,
        needs="text",
    ),
    Suite(
        "world-both",
        "which of four objects is in the picture? A–D: neither the picture nor the text says it alone",
        1,
        samples,
        count,
        defaults=SIZE,
        needs="both",
    ),
):
    catalog.add(suite.name, suite)
