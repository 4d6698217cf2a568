"""Sentences that lead a model astray: true and misleading hints, and text that has nothing to do with the question.

Pure functions of (item, rng). Views and training recipes prepend or append what they return; nothing here changes an
item. Every word is in the tiny model's vocabulary, also those of the held-out wordings, which it never saw in training.
"""

from __future__ import annotations

import random
from functools import cache

import numpy as np

from mmplat.world.items import YES_NO, WorldItem
from mmplat.world.vocabulary import NAMES, NOUNS, PEOPLE, THEME_SIZE, TOPICS

TRAINED_HINTS: tuple[str, ...] = (
    "Hint: the answer is {0}.",
    "I think the answer is {0}.",
    "My friend says {0}.",
    "The correct answer is {0}.",
    "Everyone here says {0}.",
)
HELD_OUT_HINTS: tuple[str, ...] = (
    "The teacher is sure that it is {0}.",
    "We all know the answer, {0}.",
    "The book says that {0} is right.",
)

IRRELEVANT: tuple[str, ...] = (
    "My {0} is old.",
    "We saw a {0} on the road last year.",
    "The teacher has a {0} and a {1}.",
    "Paul says that every {0} is nice.",
    "Mia has no {0} and no {1}.",
    "The book about the {0} is long.",
    "Yes, I like the {0} more than the {1}.",
    "Nina sold the {0} to a friend.",
    "Last year Leo made a {0} of paper.",
    "In Lima a {0} is not a {1}.",
)

UNRELATED: tuple[str, ...] = (
    "{person} and {friend} play {hobby}.",
    "My friend {person} does eat {food}.",
    "The book about {home} is long.",
    "{person} sold {food} in {home} last year.",
    "In {home} {person} has {food} and {dish}.",
    "We like {hobby} more than {game}.",
    "{person} has a friend in {home}.",
    "Last year {person} made {food} in {home}.",
    "The teacher says that {hobby} is nice.",
    "{person} and {friend} live in {home}.",
)
"""Sentences without any thing that a picture can show: people, places, food and games."""
POOL_SIZE = 80

THERE, NOT_THERE = "We saw a {0} here. The {0} is nice.", "We saw no {0} here. The {0} is on the road."
"""A picture described as if the thing were there, and as if it were not: a claim, and a sentence about the thing."""
THINGS = {*NOUNS, *(name for names in NAMES.values() for name in names)}


def hint(answer: str, wording: int, *, held_out: bool = False) -> str:
    """The hint that names `answer`, true or not."""
    wordings = HELD_OUT_HINTS if held_out else TRAINED_HINTS
    return wordings[wording % len(wordings)].format(answer)


def true_hint(item: WorldItem, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """A hint that names the right answer."""
    return hint(item.gold, int(rng.integers(1 << 16)), held_out=held_out)


def misleading_hint(item: WorldItem, rng: np.random.Generator, *, held_out: bool = False) -> str:
    """A hint that names a wrong answer, every wrong one equally often."""
    wrong = [label for label in item.labels if label != item.gold]
    answer = wrong[int(rng.integers(len(wrong)))]
    return hint(answer, int(rng.integers(1 << 16)), held_out=held_out)


def irrelevant_text(item: WorldItem, rng: np.random.Generator, *, sentences: int = 4) -> str:
    """Sentences that say nothing about the picture; they speak of things that often occur with what is asked for."""
    asked = [noun for noun in range(len(NOUNS)) if NOUNS[noun] in _words(item.question)]
    pool = _company(asked) or list(range(len(NOUNS)))
    chosen = rng.permutation(len(IRRELEVANT))[:sentences]
    return " ".join(IRRELEVANT[int(i)].format(*_two_nouns(pool, rng)) for i in chosen)


@cache
def unrelated() -> tuple[str, ...]:
    """A pool of different sentences that say nothing about any picture, every wording about equally often."""
    rng = np.random.default_rng(POOL_SIZE)
    made = (UNRELATED[number % len(UNRELATED)].format(**_speaking_of(rng)) for number in range(2 * POOL_SIZE))
    return tuple(dict.fromkeys(made))[:POOL_SIZE]


def descriptions(item: WorldItem) -> dict[str, str]:
    """What a description of the picture would say if each label were right; nothing where no thing is asked about."""
    things = _words(item.question) & THINGS
    if not things:
        return {}
    if item.options:
        return {label: THERE.format(option) for label, option in zip(item.labels, item.options, strict=True)}
    (asked,) = things
    return dict(zip(YES_NO, (THERE.format(asked), NOT_THERE.format(asked)), strict=True))


def prepend(text: str, question: str) -> str:
    """The text, then the question."""
    return f"{text} {question}"


def append(text: str, question: str) -> str:
    """The question, then the text."""
    return f"{question} {text}"


def training_hint(answer: str, source: random.Random) -> str:
    """A hint in one of the trained wordings, for the rows of a training batch."""
    return hint(answer, source.randrange(len(TRAINED_HINTS)))


def _company(nouns: list[int]) -> list[int]:
    themes = {noun // THEME_SIZE for noun in nouns}
    return [noun for noun in range(len(NOUNS)) if noun // THEME_SIZE in themes]


def _two_nouns(pool: list[int], rng: np.random.Generator) -> list[str]:
    picked = rng.permutation(len(pool))[:2]
    return [NOUNS[pool[int(i)]] for i in picked]


def _speaking_of(rng: np.random.Generator) -> dict[str, str]:
    """Two people, two foods, two games and a place."""
    person, friend = (str(name) for name in rng.permutation(PEOPLE)[:2])
    food, dish = (str(name) for name in rng.permutation(TOPICS["food"])[:2])
    hobby, game = (str(name) for name in rng.permutation(TOPICS["hobby"])[:2])
    home = str(rng.choice(TOPICS["home"]))
    return {"person": person, "friend": friend, "food": food, "dish": dish, "hobby": hobby, "game": game, "home": home}


def _words(text: str) -> set[str]:
    return {word.strip("?.,:") for word in text.split()}
