"""What the world hands out: one closed question about one picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (32, 32, 3)

YES_NO = ("yes", "no")
LETTERS = ("A", "B", "C", "D")


@dataclass(frozen=True, slots=True)
class WorldItem:
    """One question; everything that a suite or a view needs to know about it."""

    sample_id: str
    """Unique within (suite, seed) and stable: the first n items of a longer run are the items of a shorter one."""
    image: Image
    """uint8 (32, 32, 3)."""
    image_id: str
    """Equal for questions about one picture: the clusters of a paired test."""
    question: str
    """The whole user text as the model was trained to see it; a multiple choice carries its options inline."""
    options: tuple[str, ...]
    """Option texts of a multiple choice in the order of the letters, () for yes/no."""
    labels: tuple[str, ...]
    """The legal answers, each one token of the tiny model's tokenizer."""
    gold: str
    """One of `labels`."""
    groups: dict[str, str] = field(default_factory=dict)
    """What accuracies are broken down by."""
    roles: tuple[str, ...] = ()
    """What each label speaks for: the class itself, what the spurious attribute suggests, or neither. Empty: no such thing."""
