"""Stage R: language model and projector learn on real pictures, and with them the habits that the platform measures.

The tower stays fixed, so each picture passes through it once, before the first step.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.world import drawing
from mmplat.world.scenes import FADE, ObjectScene, sample_objects, sample_spurious
from mmplat.world.training_eye import pixel_values, tower_features
from mmplat.world.training_optimiser import Optimiser
from mmplat.world.training_packing import answer_logits, loss, pack
from mmplat.world.training_rows import ObjectQuestions, Segment, Taste, fact_segment, name_segments
from mmplat.world.vocabulary import TYPES, VALUES

OBJECT_ROWS, SPURIOUS_ROWS = 7, 11


@dataclass(frozen=True, slots=True)
class Habits:
    """What the grounded stage makes of a model: the strength of its priors and of its trust in hints."""

    taste: Taste
    fade: float = FADE
    """Share of the objects that are drawn faintly: the more there are, the more the prior is worth."""
    rho: tuple[float, ...] = (0.9,) * len(TYPES)
    """How often the spurious attribute goes along with the class, type by type."""
    muon: float = 3e-3  # higher rates destroy the option letters
    adamw: float = 1.5e-3


@dataclass(frozen=True, slots=True)
class Photographs:
    """Tower features of pictures and what there is to ask about them."""

    objects: Any  # (count, 16, d)
    scenes: Sequence[ObjectScene]
    bodies: Any  # (count, 16, d)
    kinds: NDArray[np.int64]
    classes: NDArray[np.int64]


def photograph(model: Any, habits: Habits, *, count: int, seed: int) -> Photographs:
    """Draw `count` object scenes and as many bodies, with noise, and pass them through the tower."""
    rng = np.random.default_rng([31, seed])
    scenes = [sample_objects(rng, fade=habits.fade) for _ in range(count)]
    objects = _features(model, [drawing.draw_objects(scene) for scene in scenes], drawing.OBJECT_NOISE, rng)
    kinds, classes = rng.integers(0, len(TYPES), count), rng.integers(0, VALUES, count)
    bodies = [
        drawing.draw_spurious(sample_spurious(rng, kind=int(kind), klass=int(klass), rho=habits.rho[int(kind)]))
        for kind, klass in zip(kinds, classes, strict=True)
    ]
    return Photographs(objects, scenes, _features(model, bodies, drawing.SPURIOUS_NOISE, rng), kinds, classes)


def train_grounded(
    model: Any,
    habits: Habits,
    *,
    seed: int,
    steps: int,
    photographs: Photographs,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[float]:
    """Train language model and projector in place. Returns the loss of every step."""
    import torch

    source, rng = random.Random(seed), np.random.default_rng([32, seed])
    asker = ObjectQuestions(habits.taste, source)
    projector = model.model.multi_modal_projector
    named = [*model.model.language_model.named_parameters(), ("lm_head", model.lm_head.weight)]
    optimiser = Optimiser([*named, *projector.named_parameters()], muon=habits.muon, adamw=habits.adamw)
    history = []
    for step in range(steps):
        which, others = (_turn(rng, step, rows, len(photographs.scenes)) for rows in (OBJECT_ROWS, SPURIOUS_ROWS))
        features = projector(torch.cat([photographs.objects[which], photographs.bodies[others]]))
        packed = pack(_rows(asker, photographs, which, others))
        value = loss(answer_logits(model, features, packed), packed)
        value.backward()
        optimiser.step(step, steps)
        history.append(float(value.detach()))
        progress(step + 1, steps)
    return history


def _rows(
    asker: ObjectQuestions, photographs: Photographs, which: NDArray[np.int64], others: NDArray[np.int64]
) -> list[list[Segment]]:
    taste, source = asker.taste, asker.source
    rows = [asker.segments(photographs.scenes[int(index)]) for index in which]
    rows += [
        name_segments(taste, source, int(photographs.kinds[index]), int(photographs.classes[index])) for index in others
    ]
    return [[*segments, fact_segment(source)] for segments in rows]


def _turn(rng: np.random.Generator, step: int, rows: int, count: int) -> NDArray[np.int64]:
    """The next `rows` pictures; after the album is through, it starts again from a random place."""
    start = step * rows if (step + 1) * rows <= count else int(rng.integers(count))
    return (start + np.arange(rows)) % count


def _features(model: Any, pictures: list[drawing.Canvas], noise: float, rng: np.random.Generator) -> Any:
    """(count, 16, d), developed to eight bits as in the suites."""
    import torch

    parts = []
    with torch.no_grad():
        for start in range(0, len(pictures), 256):
            developed = [drawing.develop(canvas, noise, rng) for canvas in pictures[start : start + 256]]
            pixels = pixel_values(np.stack(developed).astype(np.float32) / np.float32(255), 0.0, rng)
            parts.append(tower_features(model, pixels))
    return torch.cat(parts)
