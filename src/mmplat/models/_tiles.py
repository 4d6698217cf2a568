"""Pictures cut into tiles: how many of them the vision tower takes at once, and whose tiles are whose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmplat.models._pictures import Processed

TILES_AT_ONCE = 64
"""Bounds the memory of the vision tower: a batch of pictures may hold a thousand tiles."""


def together(processed: list[Processed], counts: list[int]) -> Iterator[tuple[list[Processed], list[int]]]:
    """Neighbours that are shown to the vision tower at once, and the number of tiles of each."""
    start = tiles = 0
    for at, count in enumerate(counts):
        if tiles and tiles + count > TILES_AT_ONCE:
            yield processed[start:at], counts[start:at]
            start, tiles = at, 0
        tiles += count
    yield processed[start:], counts[start:]


def by_picture(features: Any, counts: list[int]) -> list[Any]:
    """Features of tiles (tile, token, width) → one tensor (token, width) per picture."""
    return [its.flatten(0, 1) for its in features.split(counts)]
