"""Pictures of the world with everything that is in them: the truth that a description is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from mmplat.world import drawing
from mmplat.world.items import Image
from mmplat.world.scenes import sample_objects
from mmplat.world.suites import OBJECTS
from mmplat.world.vocabulary import NOUNS


@dataclass(frozen=True, slots=True)
class Described:
    """One picture, and the nouns in it."""

    image_id: str
    image: Image
    objects: tuple[str, ...]
    faint: tuple[str, ...]
    """Those of `objects` that may be too faint to see."""


def described(seed: int) -> Iterator[Described]:
    """The pictures of the suite of objects under the same seed, once each."""
    for index in count():
        rng = np.random.default_rng([OBJECTS, seed, index])
        scene = sample_objects(rng)
        image = drawing.develop(drawing.draw_objects(scene), drawing.OBJECT_NOISE, rng)
        names = tuple(NOUNS[placed.noun] for placed in scene.objects)
        faint = tuple(NOUNS[placed.noun] for placed in scene.objects if placed.alpha < 1)
        yield Described(f"objects-{seed}-{index}", image, names, faint)
