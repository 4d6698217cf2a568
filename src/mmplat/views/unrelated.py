"""Views that put a picture of something else in the image's place: pure noise, or a scene that has nothing to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmplat.ids import seed_from
from mmplat.views.base import Value, ViewKind, catalog

SCENES = 64
"""Pictures in the pool, drawn by mmplat itself: they need no download, and are the same on every machine."""


def random_pixels(picture: NDArray[Any], params: Mapping[str, Value], seed: int) -> NDArray[Any]:
    """Every channel of every pixel drawn evenly: no content at all, where a mean-colour picture still is a picture."""
    return np.random.Generator(np.random.Philox(seed)).integers(0, 256, picture.shape, dtype=np.uint8)


def unrelated(picture: NDArray[Any], params: Mapping[str, Value], seed: int) -> NDArray[Any]:
    """A scene of the pool in the picture's own size, so that tiling models keep their layout."""
    height, width = picture.shape[:2]
    scene = Image.fromarray(_scene(seed % SCENES))
    return np.asarray(scene.resize((width, height), Image.Resampling.BICUBIC), np.uint8)


@lru_cache(maxsize=SCENES)
def _scene(number: int) -> NDArray[np.uint8]:
    from mmplat.world.drawing import OBJECT_NOISE, develop, draw_objects
    from mmplat.world.scenes import sample_objects

    rng = np.random.default_rng(seed_from("unrelated", number))
    return develop(draw_objects(sample_objects(rng)), OBJECT_NOISE, rng)


catalog.add(
    "random-pixels",
    ViewKind(
        "random-pixels",
        "random pixels in the picture's size, seeded per sample",
        "picture",
        defaults={"seed": 0},
        transform=random_pixels,
    ),
)
catalog.add(
    "unrelated",
    ViewKind(
        "unrelated",
        "another scene, out of a pool drawn by mmplat, in the picture's size; seeded per sample",
        "picture",
        defaults={"seed": 0},
        transform=unrelated,
    ),
)
