"""Pictures drawn by rule: noise, one colour, and screens of an app. Any size, equal on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # height × width × 3
Size = tuple[int, int]  # height, width

BLACK, WHITE = 0, 255


def flat(size: Size, value: int) -> Picture:
    """One colour."""
    return np.full((*size, 3), value, np.uint8)


def noise(size: Size, rng: np.random.Generator) -> Picture:
    """Every channel of every pixel drawn evenly."""
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)


def screen(size: Size, rng: np.random.Generator) -> Picture:
    """A made-up app: a bar at the top, rows with a picture and lines of text, buttons at the bottom."""
    canvas = np.empty((*size, 3), np.uint8)
    accent, ground = rng.integers(30, 200, 3), int(rng.integers(235, 256))
    canvas[:] = ground
    _box(canvas, (0, 0, 0.1, 1), accent)
    _box(canvas, (0.035, 0.05, 0.065, float(rng.uniform(0.3, 0.7))), np.full(3, 255))
    rows = int(rng.integers(3, 7))
    height = 0.74 / rows
    for row in range(rows):
        _row(canvas, 0.13 + row * height, height, rng)
    for left in (0.06, 0.54) if rng.random() < 0.5 else (0.06,):
        _box(canvas, (0.9, left, 0.97, left + (0.4 if rng.random() < 0.7 else 0.3)), accent)
    return canvas


def _row(canvas: Picture, top: float, height: float, rng: np.random.Generator) -> None:
    """An item of a list: a thumbnail, two lines of grey text, a hairline."""
    _box(canvas, (top + 0.1 * height, 0.05, top + 0.85 * height, 0.2), rng.integers(60, 230, 3))
    _box(canvas, (top + 0.2 * height, 0.25, top + 0.4 * height, float(rng.uniform(0.5, 0.95))), np.full(3, 60))
    _box(canvas, (top + 0.55 * height, 0.25, top + 0.7 * height, float(rng.uniform(0.4, 0.9))), np.full(3, 150))
    _box(canvas, (top + 0.95 * height, 0.05, top + height, 0.95), np.full(3, 215))


def _box(canvas: Picture, where: tuple[float, float, float, float], colour: NDArray[np.int64]) -> None:
    """Fills (top, left, bottom, right), given as shares of the picture."""
    height, width = canvas.shape[:2]
    top, left, bottom, right = (round(share * side) for share, side in zip(where, (height, width) * 2, strict=True))
    canvas[top : max(bottom, top + 1), left : max(right, left + 1)] = colour
