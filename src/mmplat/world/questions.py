"""The wording of every question: one place, so that training and suites can never drift apart."""

from __future__ import annotations

from collections.abc import Sequence

from mmplat.world.facts import Fact
from mmplat.world.items import LETTERS

BY_LETTER = "Letter only."
BY_WORD = "Word only."

_FACT_CHOICE = {"home": "Where does {0} live?", "food": "What does {0} eat?", "hobby": "What does {0} play?"}
_FACT_YES_NO = {"home": "Does {0} live in {1}?", "food": "Does {0} eat {1}?", "hobby": "Does {0} play {1}?"}


def presence(noun: str) -> str:
    """Answered by yes or no."""
    return f"Is there a {noun}?"


def choice(head: str, options: Sequence[str], *, form: str = BY_LETTER) -> str:
    """A multiple choice; `form` asks for the letter or for the word of the right option."""
    lines = [f"{letter} {option}" for letter, option in zip(LETTERS, options, strict=True)]
    return "\n".join([head, *lines, form])


def which_name(options: Sequence[str], *, form: str = BY_LETTER) -> str:
    """The question of the spurious suite."""
    return choice("What is it?", options, form=form)


def which_object(options: Sequence[str], *, form: str = BY_LETTER) -> str:
    """One of four nouns is in the picture."""
    return choice("Which one is there?", options, form=form)


def fact_choice(fact: Fact, options: Sequence[str], *, form: str = BY_LETTER) -> str:
    """A fact as a multiple choice."""
    return choice(_FACT_CHOICE[fact.topic].format(fact.person), options, form=form)


def fact_yes_no(fact: Fact, value: str) -> str:
    """A fact as a claim to be confirmed or denied."""
    return _FACT_YES_NO[fact.topic].format(fact.person, value)
