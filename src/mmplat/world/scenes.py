"""What is in a picture, before it is drawn: objects that keep company, and bodies whose looks go along with their class.

Both samplers take a generator and give frozen records, so that a scene can be drawn, described and asked about apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mmplat.world.vocabulary import NOUNS, POPULARITY, THEME_SIZE, THEMES, TYPES, VALUES, theme_of

IN_THEME = 0.85
FADE = 0.1
HIDDEN_SIGN = 0.4


@dataclass(frozen=True, slots=True)
class Placed:
    """One icon in one quadrant."""

    noun: int
    quadrant: int
    shift_x: float
    shift_y: float
    radius: float
    brightness: float
    alpha: float
    """1 for a plain object; a faded one lies below one half and may be too faint to see."""


@dataclass(frozen=True, slots=True)
class ObjectScene:
    """Objects of one theme, mostly, on a grey ground."""

    theme: int
    objects: tuple[Placed, ...]
    ground: tuple[float, float, float]

    @property
    def present(self) -> tuple[int, ...]:
        """The nouns that are there, whether or not they can be seen."""
        return tuple(placed.noun for placed in self.objects)


@dataclass(frozen=True, slots=True)
class SpuriousScene:
    """One body with nine attribute values and the sign of its class."""

    klass: int
    attributes: tuple[int, ...]  # (9,), each 0..3
    sign_alpha: float
    sign_row: int
    sign_column: int
    shift_x: float
    shift_y: float
    stripe_phase: float
    speckle: int


def sample_objects(rng: np.random.Generator, *, fade: float = FADE) -> ObjectScene:
    """Two to four different objects; each comes from the scene's theme with probability IN_THEME."""
    theme = int(rng.integers(len(THEMES)))
    count = int(rng.choice((2, 2, 3, 3, 4)))
    nouns: list[int] = []
    while len(nouns) < count:
        noun = _draw_noun(rng, theme)
        if noun not in nouns:
            nouns.append(noun)
    quadrants = rng.permutation(4)[:count]
    ground = tuple(float(v) for v in rng.uniform(0.3, 0.6) + rng.uniform(-0.04, 0.04, 3))
    placed = tuple(_place(rng, noun, int(quadrant), fade) for noun, quadrant in zip(nouns, quadrants, strict=True))
    return ObjectScene(theme, placed, (ground[0], ground[1], ground[2]))


def sample_spurious(
    rng: np.random.Generator, *, kind: int, klass: int, rho: float, hidden_sign: float = HIDDEN_SIGN
) -> SpuriousScene:
    """Attributes are uniform, but attribute `kind` equals the class with probability `rho` (uniform otherwise)."""
    attributes = [int(v) for v in rng.integers(0, VALUES, len(TYPES))]
    if rng.random() < rho:
        attributes[kind] = klass
    hidden = rng.random() < hidden_sign
    return SpuriousScene(
        klass=klass,
        attributes=tuple(attributes),
        sign_alpha=float(rng.uniform(0.0, 0.1) if hidden else rng.uniform(0.25, 1.0)),
        sign_row=int(rng.integers(0, 2)),
        sign_column=int(rng.integers(0, 2)),
        shift_x=float(rng.uniform(-1, 1)),
        shift_y=float(rng.uniform(-1, 1)),
        stripe_phase=float(rng.uniform(0, 5)),
        speckle=int(rng.integers(2**31)),
    )


def with_attribute(scene: SpuriousScene, kind: int, value: int) -> SpuriousScene:
    """The same scene but for one attribute: the three modes of a spurious item are such counterfactuals."""
    attributes = list(scene.attributes)
    attributes[kind] = value
    return replace(scene, attributes=tuple(attributes))


def absent_nouns(scene: ObjectScene) -> list[int]:
    """Every noun that is not in the scene."""
    present = set(scene.present)
    return [noun for noun in range(len(NOUNS)) if noun not in present]


def _draw_noun(rng: np.random.Generator, theme: int) -> int:
    if rng.random() >= IN_THEME:
        theme = (theme + 1 + int(rng.integers(len(THEMES) - 1))) % len(THEMES)
    cumulative = np.cumsum(POPULARITY[:THEME_SIZE])
    rank = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    return theme * THEME_SIZE + min(rank, THEME_SIZE - 1)


def _place(rng: np.random.Generator, noun: int, quadrant: int, fade: float) -> Placed:
    faded = rng.random() < fade
    return Placed(
        noun=noun,
        quadrant=quadrant,
        shift_x=float(rng.uniform(-1.5, 1.5)),
        shift_y=float(rng.uniform(-1.5, 1.5)),
        radius=float(rng.uniform(4.6, 6.6)),
        brightness=float(rng.uniform(0.85, 1.0)),
        alpha=float(rng.uniform(0.02, 0.4)) if faded else 1.0,
    )


def in_theme(scene: ObjectScene, noun: int) -> bool:
    """Whether a noun belongs to the scene's theme."""
    return theme_of(noun) == scene.theme
