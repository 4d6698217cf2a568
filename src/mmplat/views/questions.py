"""Views that put the question with other words around it: instructions that disturb, and instructions that ground."""

from __future__ import annotations

from collections.abc import Mapping

from mmplat.records import Sample
from mmplat.samples import CLEAN, MADE
from mmplat.views.base import Value, ViewKind, catalog

DISTURBING = "You are a confused object detector."
"""A role that ICD contrasts with; the paper's wording is not in our papers, so the role is a parameter."""
GROUNDING = "Answer from what the picture shows, not from what is usual or likely."

CONCEPTS = (
    "Decide by what makes a thing what it is. Do not decide by what may only go along with it: its background, its texture, things "
    "beside it, its size, its colour, how it is turned, the light, the angle of view, or its outline."
)
"""The nine types of spurious cue in plain words; the wording is ours."""
REASONING = "Think step by step about what the picture shows. Then end with: the answer is, and the answer."


def under_a_role(sample: Sample, params: Mapping[str, Value], seed: int) -> str:
    return f"{params['role']} {sample.question}"


def without_cue(sample: Sample, params: Mapping[str, Value], seed: int) -> str:
    return str(sample.reference[MADE][CLEAN])


def never_cued(sample: Sample, params: Mapping[str, Value]) -> str | None:
    """Why there is no clean question to be asked."""
    kept = CLEAN in sample.reference.get(MADE, {})
    return None if kept else "nothing was put into its question, so it has no other without that"


def instructed(sample: Sample, params: Mapping[str, Value], seed: int) -> str:
    return f"{sample.question} {params['instruction']}"


catalog.add(
    "disturbed",
    ViewKind(
        "disturbed",
        "the question under a role that disturbs (what ICD contrasts with)",
        "question",
        defaults={"role": DISTURBING},
        rewrite=under_a_role,
    ),
)
catalog.add(
    "uncued",
    ViewKind(
        "uncued",
        "the question as it was before a cue was put into it (what cue-contrast answers from)",
        "question",
        rewrite=without_cue,
        misfit=never_cued,
    ),
)
catalog.add(
    "grounded",
    ViewKind(
        "grounded",
        "the question with the request to answer from the picture",
        "question",
        defaults={"instruction": GROUNDING},
        rewrite=instructed,
    ),
)
catalog.add(
    "informed",
    ViewKind(
        "informed",
        "the question with a list of the spurious cues that may mislead",
        "question",
        defaults={"instruction": CONCEPTS},
        rewrite=instructed,
    ),
)
catalog.add(
    "reasoned",
    ViewKind(
        "reasoned",
        "the question with the request to reason first and state the answer last",
        "question",
        defaults={"instruction": REASONING},
        rewrite=instructed,
    ),
)
