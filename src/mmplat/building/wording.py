"""What the words of an item give away or repeat, as far as comparing words can tell: no synonyms, no translations, no meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations

from mmplat.building.items import Item
from mmplat.spurious import SPURIOUS

IRREGULAR = {
    "men": "man",
    "mice": "mouse",
    "lice": "louse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "oxen": "ox",
    "children": "child",
    "people": "person",
    "dice": "die",
    "knives": "knife",
    "wolves": "wolf",
    "leaves": "leaf",
    "calves": "calf",
    "loaves": "loaf",
    "shelves": "shelf",
    "scarves": "scarf",
    "hooves": "hoof",
    "halves": "half",
}
COMPOUND = 4
"""Letters of a word at least to be looked for inside longer ones: "cat" in "category" says nothing."""
FILLERS = {"a", "an", "the", "of", "in", "on", "with", "and", "its", "is", "at", "to", "by"}


def faults(item: Item, names: Sequence[str], overlap: float) -> list[str]:
    """Every fault that the words alone show. `names`: all names of the right class and of the mistaken one."""
    return [*_leaks(item, names), *_repeats(item, overlap), *_shared_with_core(item, overlap)]


def leaked(text: str, name: str) -> str | None:
    """The part of `text` that names the class, in any case and number, alone or in a compound; None: it does not.

    The last word of a name counts as the name ("truck" for "fire truck"): it is what the thing is.
    """
    wanted = words(name)
    said = words(text)
    if not wanted:
        return None
    for start in range(len(said)):
        for length in range(1, len(wanted) + 1):  # "fire truck", but also "firetruck" and "fire-truck"
            if "".join(said[start : start + length]) == "".join(wanted):
                return " ".join(said[start : start + length])
    return next((word for word in said if _says(word, wanted[-1])), None)


def words(text: str) -> list[str]:
    """The words of a text in small letters and in the singular."""
    return [_singular(word) for word in re.findall(r"[^\W_]+", text.casefold().replace("'s", "").replace("’s", ""))]


def overlap_of(one: str, other: str) -> float:
    """The share of their words that two phrases have in common, small words aside."""
    first, second = (set(words(text)) - FILLERS or set(words(text)) for text in (one, other))
    return len(first & second) / len(first | second) if first | second else 0.0


def _says(word: str, name: str) -> bool:
    inside = len(name) >= COMPOUND and (word.startswith(name) or word.endswith(name))
    return word == name or inside


def _singular(word: str) -> str:
    for plural, singular in IRREGULAR.items():
        if word.endswith(plural) and (word == plural or plural == "men"):  # firemen
            return word.removesuffix(plural) + singular
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _leaks(item: Item, names: Iterable[str]) -> Iterable[str]:
    options = {f"option {option.text!r}": option.text for option in item.options}
    attributes = {f"attribute {one.phrase!r}": one.phrase for one in (*item.about.core, *item.about.spurious)}
    places = {"the question": item.question, **options, **attributes}
    for place, text in places.items():
        for name in dict.fromkeys(names):
            said = leaked(text, name)
            if said is not None:
                yield f"leak: {place} says {said!r}, a name of {name!r}"


def _repeats(item: Item, overlap: float) -> Iterable[str]:
    for one, other in combinations(item.options, 2):
        if overlap_of(one.text, other.text) >= overlap:
            yield f"duplicate: options {one.text!r} and {other.text!r} are nearly the same words"


def _shared_with_core(item: Item, overlap: float) -> Iterable[str]:
    """A distractor that says what the image's core attributes say is a second right answer."""
    for option in item.options:
        same = [one.phrase for one in item.about.core if overlap_of(option.text, one.phrase) >= overlap]
        if option.role == SPURIOUS and same:
            yield f"several right answers: {option.text!r} says the core attribute {same[0]!r}"
