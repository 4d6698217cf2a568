"""The synthetic world's suites: objects (POPE-like), spurious cues (MM-SpuBench-like), text facts (text-heavy)."""

from __future__ import annotations

from collections.abc import Iterator

from mmplat.records import SuiteSpec
from mmplat.suites.base import RawSample, Suite, catalog


def samples(spec: SuiteSpec) -> Iterator[RawSample]:
    from mmplat import world

    for item in world.generate(spec.kind, n=count(spec), seed=int(spec.params["seed"])):
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
        )


def count(spec: SuiteSpec) -> int:
    n = int(spec.params["n"])
    return n if spec.limit is None else min(n, spec.limit)


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
        1,
        samples,
        count,
        defaults=SIZE,
        subsets=(("type",), ("mode",), ("type", "mode")),
    ),
    Suite(
        "world-facts",
        "facts to be known from text, under an irrelevant picture",
        1,
        samples,
        count,
        defaults=SIZE,
        needs="text",
    ),
):
    catalog.add(suite.name, suite)
