"""Text before a question that describes something else: a wrong option of this very question, as if the picture showed it.

After "Modality Interference in MLLMs" (2505.19616): "The picture seems to describe a {wrong option}." and two sentences about it,
one space, the question. The wrong option is one of this sample's own, never the right one, every wrong one equally often. Where
no sentences are at hand, or they would name the right answer, the first sentence stands alone, and the sample says so.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmplat.conditions._about import about, leak, plain
from mmplat.conditions._pools import existing
from mmplat.conditions._texts import before_question
from mmplat.conditions.base import SEED, Condition, Value, catalog, noted
from mmplat.samples import LeftOut, RawSample

FACTS = "facts"
CLAIM = "The picture seems to describe a {0}."


def misled(sample: RawSample, params: Mapping[str, Value], rng: np.random.Generator) -> RawSample | LeftOut:
    """The sample after a description of one of its wrong answers."""
    if sample.described:
        text_of = {label: (text, "suite") for label, text in sample.described.items()}
    elif sample.options:
        text_of = _of_options(sample, about(params[FACTS]) if params[FACTS] else {})
    else:
        return LeftOut(sample.sample_id, "it has no options, and its suite does not say what its labels describe")
    wrong = [label for label in sample.labels if text_of[label][0] != text_of[sample.gold][0]]
    if not wrong:
        return LeftOut(sample.sample_id, "all of its options say the same, so none can be described that is wrong")
    label = wrong[int(rng.integers(len(wrong)))]
    text, source = text_of[label]
    return noted(before_question(sample, text), describes=label, facts=source)


def _of_options(sample: RawSample, told: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Label → what is said of its option, and where the sentences about it come from, or why there are none."""
    options = dict(zip(sample.labels, sample.options, strict=True))
    right = options[sample.gold]
    return {label: _of_option(option.strip(), told, right) for label, option in options.items()}


def _of_option(option: str, told: Mapping[str, str], right: str) -> tuple[str, str]:
    claim, facts = CLAIM.format(option), told.get(plain(option))
    if facts is None:
        return claim, "none"
    why = leak(facts, right)
    return (claim, f"left out: {why}") if why else (f"{claim} {facts}", "file")


catalog.add(
    "misleading-description",
    Condition(
        "misleading-description",
        "a description of a wrong option of the question before it, as if the picture showed that",
        "text",
        misled,
        defaults={FACTS: "", SEED: 0},
        sources=lambda params: {FACTS: existing(params[FACTS]) if params[FACTS] else "none"},
        places=(FACTS,),
    ),
)
