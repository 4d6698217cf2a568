"""The nine types of spurious cues (mmplat.spurious) as the writer is told of them, and as records hold them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from mmplat.spurious import TYPES, type_named

MEANINGS = {
    "background": "the scene or backdrop behind the object",
    "texture": "the texture of surfaces, or noise in the picture",
    "co-occurrence": "other objects that usually accompany a class",
    "size": "how large the object is beside its surroundings",
    "colour": "its colour, or the colour style of the picture",
    "orientation": "an unusual pose or rotation",
    "lighting": "illumination, shadows, contrast",
    "perspective": "from where the picture was taken",
    "shape": "a silhouette that resembles another class",
}
assert tuple(MEANINGS) == TYPES


def canonical(name: str) -> str:
    """The type that a name means, in any of its published spellings."""
    found = type_named(name)
    if found is None:
        raise ValueError(f"{name!r} is none of the nine types ({', '.join(TYPES)})")
    return found


SpuriousType = Annotated[str, AfterValidator(canonical)]
Role = Literal["core", "spurious"]
"""What an option of an item is built on: mmplat.spurious.CORE or SPURIOUS."""
