"""Pictures from scenes: 32×32 RGB in plain numpy, without noise and then with it.

Clean pictures are floats in [0, 1], so that training can add fresh noise to one picture many times.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mmplat.world.items import Image
from mmplat.world.scenes import ObjectScene, SpuriousScene

Canvas = NDArray[np.float32]  # (32, 32, 3) in [0, 1]
Mask = NDArray[np.bool_]  # (32, 32)

SIDE = 32
OBJECT_NOISE = 0.125
SPURIOUS_NOISE = 0.06

_ROW, _COLUMN = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) + 0.5
_ICON_COLOURS = np.array(
    [(0.9, 0.15, 0.15), (0.15, 0.75, 0.2), (0.2, 0.3, 0.95), (0.95, 0.9, 0.15), (0.9, 0.2, 0.9), (0.1, 0.85, 0.9)],
    dtype=np.float32,
)
_BACKGROUNDS = np.array([(0.45, 0.65, 0.95), (0.3, 0.6, 0.28), (0.85, 0.72, 0.45), (0.2, 0.2, 0.38)], dtype=np.float32)
_BODIES = np.array([(0.9, 0.15, 0.15), (1.0, 0.95, 0.2), (0.95, 0.95, 0.95), (0.75, 0.25, 0.85)], dtype=np.float32)
_RADII = (4.8, 6.8, 9.0, 11.6)
_COMPANIONS = np.array([(0.1, 0.9, 0.2), (0.95, 0.6, 0.1), (0.1, 0.9, 0.9), (0.5, 0.25, 0.1)], dtype=np.float32)
_SIGN_COLOUR = np.array((0.0, 0.05, 1.0), dtype=np.float32)
_SIGNS: NDArray[np.bool_] = np.array(
    [
        [[c == "#" for c in row] for row in rows]
        for rows in (
            ("##...##", "###.###", ".#####.", "..###..", ".#####.", "###.###", "##...##"),
            ("..###..", "..###..", "..###..", "#######", "..###..", "..###..", "..###.."),
            ("#######", "#######", "##...##", "##...##", "##...##", "#######", "#######"),
            ("#######", "#######", ".......", ".......", ".......", "#######", "#######"),
        )
    ]
)  # (4, 7, 7)


def draw_objects(scene: ObjectScene) -> Canvas:
    """Up to four icons in a 2×2 grid on a grey ground; a faded object is blended towards the ground."""
    canvas = np.empty((SIDE, SIDE, 3), dtype=np.float32)
    canvas[:] = scene.ground
    for placed in scene.objects:
        centre_x = 8 + 16 * (placed.quadrant % 2) + placed.shift_x
        centre_y = 8 + 16 * (placed.quadrant // 2) + placed.shift_y
        theme, index = divmod(placed.noun, 6)
        mask = _shape(_COLUMN - centre_x, _ROW - centre_y, placed.radius, (index + theme) % 4)
        _blend(canvas, mask, _ICON_COLOURS[index] * placed.brightness, placed.alpha)
    return canvas


def draw_spurious(scene: SpuriousScene) -> Canvas:
    """One body on a ground: nine attributes with four values each, and a small sign that alone makes the class."""
    background, texture, companion, size, colour, orientation, light, perspective, shape = scene.attributes
    canvas = np.empty((SIDE, SIDE, 3), dtype=np.float32)
    canvas[:] = _BACKGROUNDS[background]
    canvas += (0.16 * _texture(texture, scene.speckle))[:, :, None]
    _body(canvas, scene, _RADII[size], _BODIES[colour], orientation, shape)
    canvas *= (1.0 + 0.5 * _slope(light))[:, :, None]
    _blend(canvas, _outside_trapezoid(perspective), np.zeros(3, dtype=np.float32), 0.9)
    companion_mask = _shape(_COLUMN - 4.5, _ROW - 4.5, 4.0, companion)
    _blend(canvas, companion_mask, _COMPANIONS[companion], 1.0)
    _blend(canvas, _sign(scene), _SIGN_COLOUR, scene.sign_alpha)
    return np.clip(canvas, 0.0, 1.0)


def develop(canvas: Canvas, noise: float, rng: np.random.Generator) -> Image:
    """The picture that a camera would give: pixel noise, then eight bits."""
    grain = rng.standard_normal(canvas.shape, dtype=np.float32)
    noisy = canvas + np.float32(noise) * grain
    return np.asarray(np.clip(noisy * 255.0 + 0.5, 0, 255), dtype=np.uint8)


def _blend(canvas: Canvas, mask: Mask, colour: NDArray[np.float32], alpha: float) -> None:
    canvas[mask] = (1.0 - alpha) * canvas[mask] + alpha * colour


def _shape(dx: NDArray[np.float32], dy: NDArray[np.float32], radius: float, shape: int) -> Mask:
    """Disk, square, triangle or cross of about equal extent around (0, 0)."""
    if shape == 0:
        return np.asarray(dx * dx + dy * dy < radius * radius)
    across, down = np.abs(dx), np.abs(dy)
    if shape == 1:
        return np.asarray(np.maximum(across, down) < 0.88 * radius)
    if shape == 2:
        return np.asarray((down < radius) & (across < (dy + radius) * 0.55))
    arm = 0.34 * radius
    return np.asarray(((across < arm) | (down < arm)) & (np.maximum(across, down) < radius))


def _body(
    canvas: Canvas, scene: SpuriousScene, radius: float, colour: NDArray[np.float32], orientation: int, shape: int
) -> None:
    """Dark outline, body, stripes, axle; the outline is what makes size and shape readable on every ground."""
    dx, dy = _COLUMN - 16 - scene.shift_x, _ROW - 16 - scene.shift_y
    _blend(canvas, _shape(dx, dy, radius + 1.3, shape), np.full(3, 0.03, dtype=np.float32), 1.0)
    inside = _shape(dx, dy, radius, shape)
    _blend(canvas, inside, colour, 1.0)
    angle = math.pi / 4 * orientation
    phase = dx * math.cos(angle) + dy * math.sin(angle) + scene.stripe_phase
    _blend(canvas, inside & (phase % 5.0 < 2.5), colour * 0.4, 1.0)
    # An axle along the stripes: on the smallest bodies two stripes are all there is, and nobody could tell their angle.
    along = dx * math.sin(angle) - dy * math.cos(angle)
    axle = (np.abs(phase - scene.stripe_phase) < 1.2) & (np.abs(along) < 13)
    _blend(canvas, axle, np.full(3, 0.03, dtype=np.float32), 1.0)


def _texture(texture: int, speckle: int) -> NDArray[np.float32]:
    """Plain, checks, dots or rough: a pattern in [-1, 1] on the ground."""
    if texture == 0:
        return np.zeros((SIDE, SIDE), dtype=np.float32)
    row, column = _ROW.astype(np.int64), _COLUMN.astype(np.int64)
    if texture == 1:
        return np.asarray(np.where((row // 2 + column // 2) % 2 == 0, 1.0, -1.0), dtype=np.float32)
    if texture == 2:
        return np.asarray(np.where((row % 4 < 2) & (column % 4 < 2), 1.6, -0.5), dtype=np.float32)
    rough = np.random.default_rng(speckle).standard_normal((SIDE, SIDE), dtype=np.float32)
    return np.asarray(1.2 * rough, dtype=np.float32)


def _slope(light: int) -> NDArray[np.float32]:
    """A ramp from -1 to 1 that rises towards the right, left, bottom or top."""
    ramp = (_COLUMN if light < 2 else _ROW) / (SIDE / 2) - 1.0
    return np.asarray(ramp if light % 2 == 0 else -ramp, dtype=np.float32)


def _outside_trapezoid(perspective: int) -> Mask:
    """What a picture frame leaves out when it narrows towards the top, bottom, left or right."""
    along, across = (_ROW, _COLUMN) if perspective < 2 else (_COLUMN, _ROW)
    depth = along if perspective % 2 == 0 else SIDE - along
    return np.asarray(np.abs(across - SIDE / 2) > 8.5 + depth * 0.24)


def _sign(scene: SpuriousScene) -> Mask:
    """The 7×7 core sign in the lower right patch."""
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    top, left = 24 + scene.sign_row, 24 + scene.sign_column
    mask[top : top + 7, left : left + 7] = _SIGNS[scene.klass]
    return mask
