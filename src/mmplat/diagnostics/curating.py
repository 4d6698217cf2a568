"""Which items led how many models astray, and a balanced benchmark of them: the curation of MUB, on one's own campaign.

`num` counts the models whose answer followed the cue, from right to wrong or from wrong to right, as the paper's does. Levels are
shares of the models, those of the paper: half of them, three quarters, all. The items are chosen for having led these very models,
so their rates on them are high by construction; beside these stand the rates on all items, and on the items that the other models
would have chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmplat.diagnostics.conditioned import Conditioned, conditioned
from mmplat.diagnostics.confidence import NAIVE
from mmplat.diagnostics.led import GOLD, WRONG, Cue, Key, cues_of, stages_of
from mmplat.diagnostics.reading import Measured
from mmplat.diagnostics.two_stages import Ratio, Stage, led_astray, led_right, rate
from mmplat.errors import ConfigError, UnknownName
from mmplat.ids import seed_from
from mmplat.misleading.benchmark import Chosen, Effect
from mmplat.records import SuiteSpec

SHARES = {"low": 0.5, "medium": 0.75, "high": 1.0}
"""Of the models that must be led: 6, 9 and 12 of the paper's twelve."""
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Probed:
    """The items of one suite, and whom a cue led on each of them."""

    suite: SuiteSpec
    cue: str
    """By which kind of cue."""
    sample_ids: Sequence[str]
    golds: Sequence[str]
    cluster: NDArray[np.int64]
    led: Mapping[str, Flags]
    """By model."""
    astray: Mapping[str, Ratio]
    """T→F of each item by model."""

    @property
    def num(self) -> NDArray[np.int64]:
        return np.sum(list(self.led.values()), axis=0)

    def without(self, model: str) -> NDArray[np.int64]:
        return self.num - self.led[model]


@dataclass(slots=True)
class Curated:
    cue: str
    """The kinds of cue that chose the items."""
    chosen: list[Chosen]
    available: dict[str, int]
    """Items of each level, before the draw."""
    effects: list[Effect]


def probed(pairs: Sequence[Measured], *, cue: str | None = None, decoding: str | None = None) -> list[Probed]:
    """Every suite of a campaign that models were led on; by their naive answers."""
    suites: dict[str, list[Conditioned]] = {}
    for one in conditioned(pairs):
        suites.setdefault(one.pair.suite.key, []).append(one)
    if not suites:
        raise ConfigError("No suite of this campaign was asked both as it is and under a cue (docs/misleading.md).")
    return [_probed(found, cue, decoding) for found in suites.values()]


def _probed(found: Sequence[Conditioned], cue: str | None, decoding: str | None) -> Probed:
    base = found[0].base
    led, astray, name = {}, {}, ""
    for one in found:
        if [s.sample_id for s in one.base.samples] != [s.sample_id for s in base.samples]:
            raise ConfigError(f"{one.title} holds other samples than {base.title}: prepare and decide both anew.")
        key = (NAIVE, decoding or one.base.usual_decoding())
        before, kind = _stage_1(one, key), _cue(one, cue)
        name = kind.name
        wrong, gold = kind.stage(WRONG, key), kind.stage(GOLD, key)
        model = one.pair.model.name
        led[model] = _followed(before, wrong, gold)
        nothing = np.zeros(len(base.samples))
        astray[model] = (nothing, nothing) if wrong is None else led_astray(before, wrong)
    ids, golds = [s.sample_id for s in base.samples], [s.gold for s in base.samples]
    return Probed(base.pair.suite, name, ids, golds, base.cluster, led, astray)


def _stage_1(one: Conditioned, key: Key) -> Stage:
    """What the naive method said without a cue; by another decoding than those of the campaign nothing was."""
    said = stages_of(one.base)
    if key not in said:
        known = [decoding for method, decoding in said if method == NAIVE]
        raise UnknownName("decoding", key[1], known, where=f" of naive on {one.title}")
    return said[key]


def _cue(one: Conditioned, name: str | None) -> Cue:
    """The kind of cue that counts: the one that is named, or the first."""
    known = {cue.name: cue for cue in cues_of(one)}
    if name is not None and name not in known:
        raise UnknownName("cue", name, known, where=f" of {one.title}")
    return known[name] if name is not None else next(iter(known.values()))


def _followed(before: Stage, wrong: Stage | None, gold: Stage | None) -> Flags:
    """More likely than not: from right to wrong, or from wrong to right."""
    found = np.zeros(len(before.right), bool)
    if wrong is not None:
        found |= led_astray(before, wrong)[0] > 0.5
    if gold is not None:
        found |= led_right(before, gold)[0] > 0.5
    return found


def curate(suites: Sequence[Probed], *, per_level: int | None = None, seed: int = 0) -> Curated:
    """The same number of items of each level, by turns over suites and right answers, drawn by the seed."""
    models = sorted({model for one in suites for model in one.led})
    buckets: dict[str, list[Chosen]] = {level: [] for level in SHARES}
    for one in suites:
        levels = levels_of(one.num, len(one.led))
        for row, level in enumerate(levels):
            if level:
                who = [model for model in one.led if one.led[model][row]]
                buckets[level].append(Chosen(one.suite, one.sample_ids[row], one.golds[row], level, len(who), who))
    sizes = [len(items) for items in buckets.values() if items]
    if not sizes:
        raise ConfigError(
            f"No item led half of the {len(models)} models. Ask more models, or under a cue that leads more of them."
        )
    wanted = per_level or min(sizes)
    chosen = [one for level, items in buckets.items() for one in _drawn(items, wanted, seed, level)]
    effects = [_effect(model, suites, chosen) for model in models]
    cues = ", ".join(dict.fromkeys(one.cue for one in suites))
    return Curated(cues, chosen, {level: len(items) for level, items in buckets.items()}, effects)


def levels_of(num: NDArray[np.int64], models: int) -> list[str]:
    """The highest level that each item reaches; empty where it led fewer than half of the models."""
    least = {level: math.ceil(share * models) for level, share in SHARES.items()}
    return [next((level for level in reversed(least) if n >= max(1, least[level])), "") for n in num]


def _drawn(items: Sequence[Chosen], wanted: int, seed: int, level: str) -> list[Chosen]:
    """By turns over suites and right answers, so that no answer is the usual one."""
    rng = np.random.Generator(np.random.Philox(seed_from("curate", seed, level)))
    groups: dict[tuple[str, str], list[Chosen]] = {}
    for at in rng.permutation(len(items)):
        groups.setdefault((items[at].suite.name, items[at].gold), []).append(items[at])
    turns = [one for turn in range(len(items)) for group in groups.values() for one in group[turn : turn + 1]]
    return turns[:wanted]


def _effect(model: str, suites: Sequence[Probed], chosen: Sequence[Chosen]) -> Effect:
    """T→F of a model on all items, on the chosen ones, and on those that half of the other models were led on."""
    ids = {(one.suite.key, one.sample_id) for one in chosen}
    there = [one for one in suites if model in one.led]
    masks = {
        "all": [np.ones(len(one.sample_ids), bool) for one in there],
        "chosen": [np.array([(one.suite.key, name) in ids for name in one.sample_ids]) for one in there],
        "by_others": [2 * one.without(model) >= max(1, len(one.led) - 1) for one in there if len(one.led) > 1],
    }
    return Effect(model, **{name: _rate(model, there, mask) for name, mask in masks.items() if mask})


def _rate(model: str, suites: Sequence[Probed], masks: Sequence[Flags]) -> tuple[float, float, float]:
    above, below, clusters, first = [], [], [], 0
    for one, mask in zip(suites, masks, strict=True):
        above.append(np.where(mask, one.astray[model][0], 0.0))
        below.append(np.where(mask, one.astray[model][1], 0.0))
        clusters.append(one.cluster + first)
        first += int(one.cluster.max()) + 1
    return rate((np.concatenate(above), np.concatenate(below)), np.concatenate(clusters))
