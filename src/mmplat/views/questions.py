"""Views that put the question with other words around it: instructions that disturb, and instructions that ground."""

from __future__ import annotations

from collections.abc import Mapping

from mmplat.records import Sample
from mmplat.views.base import Value, ViewKind, catalog

DISTURBING = "You are a confused object detector."
"""A role that ICD contrasts with; the paper's wording is not in our papers, so the role is a parameter."""
GROUNDING = "Answer from what the picture shows, not from what is usual or likely."

REASONING = "Think step by step about what the picture shows. Then end with: the answer is, and the answer."


def under_a_role(sample: Sample, params: Mapping[str, Value], seed: int) -> str:
    return f"{params['role']} {sample.question}"


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
    "reasoned",
    ViewKind(
        "reasoned",
        "the question with the request to reason first and state the answer last",
        "question",
        defaults={"instruction": REASONING},
        rewrite=instructed,
    ),
)
