"""Pictures cut into tiles: some tiles at a time through the vision tower, and back to whose they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.models._pictures import Processed

TILES_AT_ONCE = 64
"""Bounds the memory of the vision tower: the pictures of one batch may have a thousand tiles."""


def tiles_of(one: Processed) -> NDArray[Any]:
    """The tiles of one picture (tile, channel, height, width), whatever axes its processor puts before them."""
    pixels = one["pixel_values"]
    return pixels.reshape(-1, *pixels.shape[-3:])


def number_of_tiles(one: Processed) -> int:
    return len(tiles_of(one))


def together(
    processed: list[Processed], size: Callable[[Processed], int] = number_of_tiles, most: int = TILES_AT_ONCE
) -> Iterator[list[Processed]]:
    """Neighbours that are shown to the vision tower at once, `most` in sum; one picture is never parted."""
    some: list[Processed] = []
    total = 0
    for one in processed:
        if some and total + size(one) > most:
            yield some
            some, total = [], 0
        some.append(one)
        total += size(one)
    if some:
        yield some


def features_of_tiles(
    processed: list[Processed], tensor: Callable[[NDArray[Any]], Any], tower: Callable[[Any], Any]
) -> list[Any]:
    """Features (token, width) of each picture, from a tower that takes tiles and gives (tile, token, width)."""
    features: list[Any] = []
    for some in together(processed):
        tiles = [tiles_of(one) for one in some]
        found = tower(tensor(np.concatenate(tiles)))
        features += [its.flatten(0, 1) for its in found.split([len(its) for its in tiles])]
    return features
