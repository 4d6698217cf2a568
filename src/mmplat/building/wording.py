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
}
ENDINGS = (("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"), *IRREGULAR.items())
"""End of a plural → end of a singular: also inside a compound, such as firemen."""
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
    wanted, said = words(name), words(text)
    if not wanted:
        return None
    for start in range(len(said)):
        for length in range(1, len(wanted) + 1):  # "fire truck", but also "firetruck" and "fire-truck"
            part = said[start : start + length]
            if alike("".join(part), "".join(wanted)):
                return " ".join(part)
    return next((word for word in said if alike(word, wanted[-1]) or _holds(word, wanted[-1])), None)


def words(text: str) -> list[str]:
    """The words of a text in small letters, without an owner's 's."""
    return re.findall(r"[^\W_]+", re.sub(r"['’]s\b", "", text.casefold()))


def alike(one: str, other: str) -> bool:
    """Whether two words may be singular and plural of one."""
    return bool(_forms(one) & _forms(other))


def overlap_of(one: str, other: str) -> float:
    """The share of their words that two phrases have in common, small words aside."""
    first, second = (set(words(text)) - FILLERS or set(words(text)) for text in (one, other))
    common = sum(any(alike(word, another) for another in second) for word in first)
    together = len(first) + len(second) - common
    return common / together if together else 0.0


def _forms(word: str) -> set[str]:
    """The word, and every singular that it may be the plural of: which one it is, only a dictionary knows."""
    if word.endswith("ss"):
        return {word}
    found = {word.removesuffix(plural) + singular for plural, singular in ENDINGS if word.endswith(plural)}
    return {word, *(form for form in found if len(form) > 1)}


def _holds(word: str, name: str) -> bool:
    """Whether a word is a compound that begins or ends with the name."""
    names = [form for form in _forms(name) if len(form) >= COMPOUND]
    return any(form.startswith(one) or form.endswith(one) for form in _forms(word) for one in names)


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
