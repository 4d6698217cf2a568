"""`pair-1-10`: the answer beside the reference answer, both scored from 1 to 10, in both orders.

It measures what LLaVA-Bench measures, in the layout of its judge (context, question, two answers, rules; the first line of the
reply holds two scores). The words are ours, and so is the second order: scores compare with each other, not with published ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mmplat.records import Prompt, Sample
from mmplat.rubrics.base import Measures, Rubric, Scores, catalog, scores_in

SCALE = (1.0, 10.0)
ANSWER_FIRST, REFERENCE_FIRST = "answer-first", "reference-first"
SYSTEM = "You compare two answers to one question about an image. You are exact, and you favour neither of them."
TEMPLATE = """[Image, in words]
{context}

[Question]
{question}

[Answer 1]
{first}

[Answer 2]
{second}

[Task]
You cannot see the image: what is said of it above is true, though not complete. Score each answer from 1 (useless) to 10
(could not be better) by how well it helps whoever asked, whether it keeps to the question, whether it agrees with the image,
and how much detail it gives. A longer answer is not better for its length, and which one comes first means nothing.
Your first line holds the score of Answer 1 and the score of Answer 2, two numbers with a space between them, and nothing else.
Give your reasons in the lines after it."""


def prompt(sample: Sample, answer: str, order: str) -> Prompt:
    shown = [answer, sample.reference["answer"]]
    first, second = shown if order == ANSWER_FIRST else reversed(shown)
    context = sample.reference["context"]
    return Prompt(TEMPLATE.format(context=context, question=sample.question, first=first, second=second), SYSTEM)


def read(reply: str, order: str) -> Scores | None:
    found = scores_in(reply, 2, SCALE)
    if found is None:
        return None
    first, second = found
    return (first, second) if order == ANSWER_FIRST else (second, first)


def measures(scores: Mapping[str, Scores]) -> Measures:
    """Each score is the mean over both orders, so that neither answer gains by its place."""
    by_order = np.array([scores[ANSWER_FIRST], scores[REFERENCE_FIRST]], np.float64)
    answer, reference = by_order.mean(axis=0).tolist()
    gained = by_order[0] - by_order[1]  # by the answer and by the reference, where the answer comes first
    return {
        "relative_score": (100 * answer, reference),
        "judge_score": (answer, 1),
        "judge_score_reference": (reference, 1),
        "win_rate": ((1 + np.sign(answer - reference)) / 2, 1),
        "position_bias": ((gained[0] - gained[1]) / 2, 1),
    }


catalog.add(
    "pair-1-10",
    Rubric(
        name="pair-1-10",
        summary="the answer beside the reference answer, 1 to 10 each, in both orders",
        version=1,
        scale=SCALE,
        needs=("answer", "context"),
        orders=(ANSWER_FIRST, REFERENCE_FIRST),
        prompt=prompt,
        read=read,
        measures=measures,
        shares=frozenset({"win_rate"}),
    ),
)
