"""Every word and every visual concept of the world, and nothing that draws or asks.

A noun is one word and one word is one token: two-word names are much harder for a model of this size to learn.
"""

from __future__ import annotations

import numpy as np

# Themes of six nouns; the order inside a theme is the order of popularity. The first three are "frequent": people ask
# about them mostly where they are, which is what makes an answer prior.
THEMES: tuple[tuple[str, ...], ...] = (
    ("cat", "dog", "cow", "hen", "pig", "goat"),
    ("cup", "fork", "pan", "jar", "bowl", "plate"),
    ("car", "bus", "bike", "truck", "sign", "lamp"),
    ("tree", "rose", "boat", "shell", "kite", "ball"),
)
NOUNS: tuple[str, ...] = tuple(noun for theme in THEMES for noun in theme)
THEME_SIZE = len(THEMES[0])
FREQUENT_RANKS = 3
EMPTY = len(NOUNS)  # the concept of a quadrant without an object

_RANK_WEIGHT = np.array([1.0, 0.9, 0.8, 0.45, 0.4, 0.35])
POPULARITY = np.tile(_RANK_WEIGHT / _RANK_WEIGHT.sum(), len(THEMES))  # (24,), each theme sums to one

# The nine spurious attributes. A kind is a family of four names whose members differ in the core sign; in kind k only
# attribute k goes along with the name.
TYPES: tuple[str, ...] = (
    "background",
    "texture",
    "co-occurrence",
    "size",
    "colour",
    "orientation",
    "lighting",
    "perspective",
    "shape",
)
VALUES = 4
NAMES: dict[str, tuple[str, ...]] = {
    "background": ("heron", "camel", "seal", "bat"),
    "texture": ("tweed", "linen", "silk", "felt"),
    "co-occurrence": ("nurse", "miner", "baker", "pilot"),
    "size": ("pony", "mule", "horse", "moose"),
    "colour": ("plum", "lemon", "peach", "grape"),
    "orientation": ("spear", "plank", "pole", "rod"),
    "lighting": ("torch", "lantern", "candle", "beacon"),
    "perspective": ("tower", "bridge", "tunnel", "alley"),
    "shape": ("coin", "brick", "tent", "star"),
}
MODES: tuple[str, ...] = ("aligned", "neutral", "anti")

# Concepts: what an image token can stand for. The table that both the eye and the language model are aligned to has one
# row for each: 24 nouns, one empty quadrant, 9 × 4 attribute values, 4 core signs.
FIRST_ATTRIBUTE = len(NOUNS) + 1
FIRST_SIGN = FIRST_ATTRIBUTE + len(TYPES) * VALUES
CONCEPTS = FIRST_SIGN + VALUES

# Closed-book facts.
PEOPLE: tuple[str, ...] = (
    *("Anna", "Ben", "Carl", "Dora", "Emil", "Fred", "Gina", "Hugo"),
    *("Ines", "Jack", "Kate", "Leo", "Mia", "Nina", "Otto", "Paul"),
)
TOPICS: dict[str, tuple[str, ...]] = {
    "home": ("Rome", "Oslo", "Cairo", "Lima", "Paris", "Delhi", "Tokyo", "Quito"),
    "food": ("rice", "bread", "soup", "cake", "beans", "corn", "nuts", "eggs"),
    "hobby": ("chess", "golf", "flute", "drums", "piano", "cards", "tennis", "harp"),
}

PAD, BOS, EOS, UNK, IMAGE, USER, ASSISTANT = "<pad>", "<s>", "</s>", "<unk>", "<image>", "USER:", "ASSISTANT:"
SPECIALS: tuple[str, ...] = (PAD, BOS, EOS, UNK, IMAGE, USER, ASSISTANT)


def theme_of(noun: int) -> int:
    """The theme of noun number `noun`."""
    return noun // THEME_SIZE


def rank_of(noun: int) -> int:
    """0 for the most popular noun of a theme."""
    return noun % THEME_SIZE


def is_frequent(noun: int) -> bool:
    """Whether people expect this noun to be there when they ask about it."""
    return rank_of(noun) < FREQUENT_RANKS


def attribute_concept(kind: int, value: int) -> int:
    """Row of the concept table for value `value` of attribute `kind`."""
    return FIRST_ATTRIBUTE + kind * VALUES + value


def sign_concept(klass: int) -> int:
    """Row of the concept table for the core sign of class `klass`."""
    return FIRST_SIGN + klass
