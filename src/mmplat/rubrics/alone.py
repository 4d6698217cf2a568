"""`alone-0-6`: the answer alone, scored from 0 to 6; below 3 it says what is not there.

The scale and the bound of its hallucination rate are MMHal-Bench's; its prompt is not known here, so the words are ours, and
scores compare with each other, not with published ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from mmplat.records import Prompt, Sample
from mmplat.rubrics.base import Measures, Rubric, Scores, catalog, scores_in

SCALE = (0.0, 6.0)
ALONE = "alone"
HALLUCINATED_BELOW = 3
SYSTEM = "You check whether an answer about an image says what is not there."
TEMPLATE = """[Image, in words]
{context}

[Question]
{question}

[A correct answer]
{reference}

[Answer to check]
{answer}

[Task]
You cannot see the image: what is said of it above is true, though not complete. Score the answer to check:
6, 5, 4, 3: nothing in it contradicts the image or is made up; 6 tells most of what was asked, 3 tells next to nothing.
2, 1, 0: something in it contradicts the image or is made up; 2 tells much that is right beside it, 0 nothing.
Your first line holds the score, one number, and nothing else. Give your reasons in the lines after it."""


def prompt(sample: Sample, answer: str, order: str) -> Prompt:
    known = {"context": sample.reference["context"], "reference": sample.reference["answer"]}
    return Prompt(TEMPLATE.format(question=sample.question, answer=answer, **known), SYSTEM)


def read(reply: str, order: str) -> Scores | None:
    found = scores_in(reply, 1, SCALE)
    return None if found is None else (found[0], None)


def measures(scores: Mapping[str, Scores]) -> Measures:
    score = scores[ALONE][0]
    return {"judge_score": (score, 1), "hallucination_rate": (float(score < HALLUCINATED_BELOW), 1)}


catalog.add(
    "alone-0-6",
    Rubric(
        name="alone-0-6",
        summary="the answer alone, 0 to 6; below 3 it says what is not there",
        version=1,
        scale=SCALE,
        needs=("answer", "context"),
        orders=(ALONE,),
        prompt=prompt,
        read=read,
        measures=measures,
        shares=frozenset({"hallucination_rate"}),
    ),
)
