"""Pictures of the world with everything that is in them: the truth that a description is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np

from mmplat.world import drawing, questions
from mmplat.world.items import Image
from mmplat.world.scenes import ObjectScene, absent_nouns, sample_objects
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
    question: str
    """Asks for one of four nouns by its word, the nearest to a description that the tiny models were taught. One is there."""


def described(seed: int) -> Iterator[Described]:
    """The pictures of the suite of objects under the same seed, once each."""
    for index in count():
        rng = np.random.default_rng([OBJECTS, seed, index])
        scene = sample_objects(rng)
        image = drawing.develop(drawing.draw_objects(scene), drawing.OBJECT_NOISE, rng)
        names = tuple(NOUNS[placed.noun] for placed in scene.objects)
        faint = tuple(NOUNS[placed.noun] for placed in scene.objects if placed.alpha < 1)
        question = questions.which_object(_offered(scene, rng), form=questions.BY_WORD)
        yield Described(f"objects-{seed}-{index}", image, names, faint, question)


def _offered(scene: ObjectScene, rng: np.random.Generator) -> list[str]:
    """One noun that is there and three that are not, in random order."""
    nouns = [rng.choice(scene.present), *rng.choice(absent_nouns(scene), 3, replace=False)]
    return [NOUNS[int(noun)] for noun in rng.permutation(nouns)]
