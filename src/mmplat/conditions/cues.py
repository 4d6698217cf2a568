"""Cues: a sentence that names an answer, a wrong one or the right one. Nothing that the answer is found in is changed.

`cue-wrong` names one of the sample's own wrong answers, each equally often; `cue-gold` names the right one. Both are asked of every
sample, so that every cell has its own right and wrong answers to be led away from: what a model got right without the cue is
looked up in `cue-wrong`, what it got wrong in `cue-gold` (diagnostics/misleading.py).

The wrong answer is drawn before the wording, so under one seed all families lead towards the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mmplat.conditions._texts import after_stem, at_end, before_question
from mmplat.conditions._wordings import AND, FAMILIES, MIXED, PARTS, chosen
from mmplat.conditions.base import Condition, Value, catalog, noted
from mmplat.samples import CLEAN, LEADS, LeftOut, RawSample

POSITIONS: Mapping[str, Callable[[RawSample, str], RawSample]] = {
    "after-question": after_stem,
    "before": before_question,
    "end": at_end,
}
"""Behind the bare question and before its options, as in the paper's figure; before all; behind all."""
LABEL, OPTION = NAMES = ("label", "option")
Towards = Callable[[RawSample, Mapping[str, str], np.random.Generator], str | None]
"""(sample, what each label is called, random numbers) → the label that the cue names; None: there is none."""


def wrong(sample: RawSample, called: Mapping[str, str], rng: np.random.Generator) -> str | None:
    """One of the labels that are called otherwise than the right one."""
    others = [label for label in sample.labels if called[label] != called[sample.gold]]
    return others[int(rng.integers(len(others)))] if others else None


def right(sample: RawSample, called: Mapping[str, str], rng: np.random.Generator) -> str | None:
    return sample.gold


def cue(
    leads: str, towards: Towards
) -> Callable[[RawSample, Mapping[str, Value], np.random.Generator], RawSample | LeftOut]:
    def apply(sample: RawSample, params: Mapping[str, Value], rng: np.random.Generator) -> RawSample | LeftOut:
        called = _called(sample, params["names"])
        if isinstance(called, str):
            return LeftOut(sample.sample_id, called)
        named = towards(sample, called, rng)
        if named is None:
            return LeftOut(sample.sample_id, "all of its options are called the same, so no cue leads to a wrong one")
        wordings = chosen(str(params["template"]), _number(params["wording"]))
        family, index = wordings[int(rng.integers(len(wordings)))]
        text = FAMILIES[family].wordings[index].format(called[named])
        cued = POSITIONS[str(params["position"])](sample, text)
        said = {"names": called[named], "towards": named, "template": family, "wording": index, "cue": text}
        return noted(cued, **said, **{LEADS: leads, CLEAN: sample.question})

    return apply


def _called(sample: RawSample, names: Value) -> dict[str, str] | str:
    """What a cue calls each label of a sample, or why it can call none."""
    if len(sample.labels) < 2:
        return f"it has {len(sample.labels)} labels, and a cue leads from one to another"
    if sample.gold not in sample.labels:
        return f"its right answer {sample.gold!r} is none of its labels"
    if names == LABEL or not sample.options:  # yes and no are what they are called
        return {label: label for label in sample.labels}
    if len(sample.options) != len(sample.labels):
        return f"it has {len(sample.options)} options for {len(sample.labels)} labels"
    return {label: option.strip() for label, option in zip(sample.labels, sample.options, strict=True)}


def refuse(params: Mapping[str, Value]) -> str | None:
    families = str(params["template"]).split(AND)
    unknown = [name for name in families if name not in FAMILIES]
    if unknown:
        return f"template = {AND.join(unknown)!r}. Allowed: {', '.join(FAMILIES)}, or several joined by {AND!r}"
    for name, allowed in (("position", (*POSITIONS,)), ("names", NAMES)):
        if params[name] not in allowed:
            return f"{name} = {params[name]!r}. Allowed: {', '.join(allowed)}"
    wording = _number(params["wording"])
    if (isinstance(wording, str) and wording not in PARTS) or not chosen(AND.join(families), wording):
        most = max(len(FAMILIES[name].wordings) for name in families)
        return f"wording = {wording!r}, of which there is none. Allowed: {', '.join(PARTS)}, or a number from 0 to {most - 1}"
    return None


def _number(wording: Value) -> int | str:
    """YAML and the command line spell a number either way."""
    return int(wording) if str(wording).isdecimal() else str(wording)


DEFAULTS: Mapping[str, Value] = {
    "template": "paper",
    "wording": MIXED,
    "position": next(iter(POSITIONS)),
    "names": LABEL,
    "seed": 0,
}
for _name, _summary, _leads, _towards in (
    ("cue-wrong", "a sentence that names a wrong answer of the sample's own", "wrong", wrong),
    ("cue-gold", "a sentence that names the right answer", "gold", right),
):
    catalog.add(
        _name, Condition(_name, _summary, "instruction", cue(_leads, _towards), defaults=DEFAULTS, refuse=refuse)
    )
