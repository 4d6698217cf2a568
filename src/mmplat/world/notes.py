"""Notes about the questions of the world, written by rule in the words that the tiny models know.

They say where a thing is, or what else a picture is like; none names an answer. As of hints, some wordings may be trained on
and the others are for measuring alone.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mmplat.ids import content_id, seed_from
from mmplat.records import Sample
from mmplat.samples import RawSample
from mmplat.world.texts import THINGS

VERSION = 1
"""Of what these rules write, beside the wordings: raise it when the same wordings would come out otherwise."""
ASKED = re.compile(r"^Is there an? (\w+)\?")


class Wordings(NamedTuple):
    """Sentences that argue for one thing, with places for the words of a question."""

    trained: tuple[str, ...]
    """May be trained on."""
    held_out: tuple[str, ...]
    """For measuring alone."""


AWAY = Wordings(
    (
        "The {0} is old, and Paul sold it last year.",
        "We all saw that the {0} is on the road.",
        "Mia has the {0} on a boat.",
        "The {0} is not here, it is on the road.",
        "My friend says that every {0} is in Lima.",
        "Paul made a {0} of paper last year.",
        "We like the {0} that Leo sold.",
        "The teacher says that Mia has the {0}.",
        "My {0} is on a long road, it is not here.",
        "Nina and Leo saw no {0} here.",
    ),
    (
        "Nina made the {0} of paper, and it is in Rome.",
        "Last year Ben has sold the {0} to a friend.",
        "Ben says that Leo has the {0} in Oslo.",
        "The book about the {0} says that it is in Paris.",
        "Everyone is sure that the {0} is on a long road in Cairo.",
    ),
)
HERE = Wordings(
    (
        "We all saw the {0} here.",
        "The {0} is nice, and it is right here.",
        "My friend says that the {0} is here.",
        "I know that the {0} is here, I saw it.",
        "The teacher says that the {0} is here.",
        "My {0} is here, and it is old.",
        "Nina says that the {0} is right here.",
        "I think of the {0} that is here.",
        "Mia saw a nice {0} here last year.",
        "Paul is sure of the {0}, it is here.",
    ),
    (
        "The {0} that Nina made is here.",
        "Leo and Anna like the {0}, and it is here.",
        "Last year I saw the old {0} here, it is nice.",
        "Mia and Paul know that every {0} is here.",
        "In the book about the {0} it is right here.",
    ),
)
LIKE = Wordings(
    (
        "My friend saw a {0} here.",
        "We all think of a {0}.",
        "The teacher says that it is like a {0}.",
        "Everyone here saw the {0}.",
        "I think that it is more like a {0} than like the {1}.",
        "The road has a {0} on it.",
        "I saw it last year, it is like every {0}.",
        "My friend and I think of the {0}.",
        "We know the {0}, and it is here.",
        "The {1} is not like it, and the {0} is.",
    ),
    (
        "Paul and Mia know a {0}, and it is like it.",
        "The book about it is a book about the {0}.",
        "Leo made a {0} of paper, and it is like that.",
        "I like the {0} here more than the {1}.",
        "Last year Nina sold a nice {0} like it.",
    ),
)
UNLIKE = Wordings(
    (
        "I know that it is not a {0}, and it is not a {1}.",
        "My friend says that it is not a {0} and not a {1}.",
        "The teacher says that it is not the {0}, not the {1}.",
        "Everyone says that there is no {0} here and no {1}.",
        "I saw that it is not like a {0}, and not like a {1}.",
        "The {0} is on the road, and the {1} is in Lima.",
        "My friend has a {0} and a {1}, and it is not like that.",
        "We saw no {0}, and Mia has no {1}.",
        "The teacher says that it is more than a {0} and more than a {1}.",
        "The {0} is not here, the {1} is not here.",
    ),
    (
        "Paul saw no {0} and no {1} here last year.",
        "The book is not about a {0}, and it is not about the {1}.",
        "Leo sold the {0} and the {1}, it is more than that.",
        "Nina says no to the {0} and no to the {1}.",
        "Otto has no {0} here, and no {1} is like it.",
    ),
)


def notes_on(sample: Sample | RawSample, direction: str, *, held_out: bool = False) -> list[str]:
    """One note by each wording on a sample of the world; none where it asks about something else."""
    asked = ASKED.match(sample.question)
    if asked:
        there = (sample.gold == "yes") == (direction == "guiding")
        return [text.format(asked[1]) for text in _part(HERE if there else AWAY, held_out)]
    if len(sample.options) < 3 or len(sample.options) != len(sample.labels) or not THINGS.issuperset(sample.options):
        return []
    gold = sample.options[sample.labels.index(sample.gold)]
    wrong = [option for option in sample.options if option != gold]
    first = seed_from("note", sample.sample_id) % len(wrong)
    others = wrong[first:] + wrong[:first]
    if direction == "guiding":
        return [text.format(*others) for text in _part(UNLIKE, held_out)]
    return [text.format(others[k % len(others)], gold) for k, text in enumerate(_part(LIKE, held_out))]


def _part(wordings: Wordings, held_out: bool) -> tuple[str, ...]:
    return wordings.held_out if held_out else wordings.trained


def by(*, held_out: bool = False) -> dict[str, Any]:
    """Who wrote them, as notes say it."""
    return {"rules": "world", "version": VERSION, "wording": "held-out" if held_out else "trained"}


def content(*, held_out: bool = False) -> str:
    """What notes are made of: another one, other notes."""
    return content_id([VERSION, *(_part(wordings, held_out) for wordings in (AWAY, HERE, LIKE, UNLIKE))])
