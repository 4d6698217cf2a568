"""What suites, the builder of benchmarks and diagnostics agree on about spurious cues: nine types, and what an option speaks for.

The nine types are those of MM-SpuBench under the words of `world-spurious`, so that figures of both have the same axes.

A sample may say what each of its labels speaks for: `reference["roles"]`, a list with one role per label, in their order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.errors import ConfigError
from mmplat.records import Sample

CORE, SPURIOUS, NEUTRAL = "core", "spurious", "neutral"
ROLES = (CORE, SPURIOUS, NEUTRAL)
"""A label speaks for what makes the object what it is, for what only goes along with it (or with another class), or for neither."""

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "background": ("BG",),
    "texture": ("TN", "Texture and Noise"),
    "co-occurrence": ("CO", "Co-occurring Objects", "Co-occurring Object"),
    "size": ("RS", "Relative Size"),
    "colour": ("Col.", "Colorization", "Colourisation", "Color"),
    "orientation": ("Ori.",),
    "lighting": ("LS", "Lighting and Shadows", "Lighting and Shadow"),
    "perspective": ("PA", "Perspective and Angle", "Perspective and Angles"),
    "shape": ("Sha.",),
}
TYPES: tuple[str, ...] = tuple(_SPELLINGS)


def _letters(text: str) -> str:
    """A name without what spellings differ in: case, blanks, hyphens, dots, `&`."""
    return re.sub(r"[^a-z]", "", text.casefold().replace("&", "and"))


_TYPE_OF = {_letters(spelled): name for name, also in _SPELLINGS.items() for spelled in (name, *also)}


def type_named(text: str) -> str | None:
    """The type that an abbreviation or a name means (`BG`, `Background`, `texture & noise`); None: it is none of the nine."""
    return _TYPE_OF.get(_letters(text))


def roles_of(reference: Mapping[str, Any], labels: Sequence[str]) -> tuple[str, ...]:
    """What each label speaks for; empty where the sample does not say."""
    roles = tuple(reference.get("roles") or ())
    if roles and (len(roles) != len(labels) or not set(roles) <= set(ROLES)):
        raise ConfigError(f"roles = {list(roles)} for the labels {list(labels)}: one of {', '.join(ROLES)} for each.")
    return roles


def labels_with(role: str, samples: Sequence[Sample], width: int) -> NDArray[np.bool_] | None:
    """Which labels have a role (sample, label), `width` labels at most; None where no sample says what its labels speak for."""
    found = np.zeros((len(samples), width), bool)
    known = False
    for row, sample in enumerate(samples):
        roles = roles_of(sample.reference, sample.labels)
        found[row, : len(roles)] = [one == role for one in roles]
        known |= bool(roles)
    return found if known else None
