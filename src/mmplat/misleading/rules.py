"""Notes without a writer: sentences in the words that the tiny models know, for the suites of the synthetic world.

They speak of where a thing is said to be, or say of the other options that they are not there; none names an answer.
"""

from __future__ import annotations

import re

from mmplat.ids import seed_from
from mmplat.records import Sample

ASKED = re.compile(r"^Is there an? (\w+)\?")
AWAY = (
    "The {0} is old, and Paul sold it last year.",
    "We all know that the {0} is on the road.",
    "Mia has the {0} on a boat.",
    "The {0} is not here, it is on the road.",
    "My friend says that every {0} is in Lima.",
)
HERE = (
    "We all saw the {0} here.",
    "The {0} is nice, and it is right here.",
    "My friend says that the {0} is here.",
    "I know that the {0} is here, I saw it.",
    "The teacher is sure that the {0} is here.",
)
LIKE = (
    "My friend saw a {0} here.",
    "We all think of a {0}.",
    "The teacher says that it is like a {0}.",
    "Everyone here saw the {0}.",
    "I think that it is more like a {0} than like the {1}.",
)
UNLIKE = (
    "I know that it is not a {0}, and it is not a {1}.",
    "My friend says that it is not a {0} and not a {1}.",
    "The teacher is sure that it is not the {0}, not the {1}.",
    "We all know that there is no {0} here and no {1}.",
    "I saw that it is not like a {0}, and not like a {1}.",
)


def world_notes(sample: Sample, direction: str, notes: int) -> list[str]:
    """Up to five notes on a sample of the world; none where it asks in another way."""
    asked = ASKED.match(sample.question)
    if asked:
        there = (sample.gold == "yes") == (direction == "guiding")
        return [text.format(asked[1]) for text in (HERE if there else AWAY)[:notes]]
    if len(sample.options) < 3 or len(sample.options) != len(sample.labels):
        return []
    gold = sample.options[sample.labels.index(sample.gold)]
    wrong = [option for option in sample.options if option != gold]
    first = seed_from("note", sample.sample_id) % len(wrong)
    others = wrong[first:] + wrong[:first]
    if direction == "guiding":
        return [text.format(*others) for text in UNLIKE[:notes]]
    return [text.format(others[k % len(others)], gold) for k, text in enumerate(LIKE[:notes])]
