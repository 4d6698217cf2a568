"""Stage T: the language model learns its circuits (look up, compare, answer by letter) from imagined pictures."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from mmplat.world.scenes import sample_objects, sample_spurious
from mmplat.world.training_concepts import Table, imagined_objects, imagined_spurious
from mmplat.world.training_optimiser import Optimiser
from mmplat.world.training_packing import answer_logits, loss, pack
from mmplat.world.training_rows import ObjectQuestions, Segment, Taste, fact_segment, name_segments
from mmplat.world.vocabulary import TYPES, VALUES

OBJECT_ROWS, SPURIOUS_ROWS = 6, 12
MUON, ADAMW = 1e-2, 4e-3  # Muon at 2e-2 never learns the letters
RHO = 0.95
TASTE = Taste(presence=4, choices=2, checks=8, names=3)


def train_text(
    model: Any, table: Table, *, seed: int, steps: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[float]:
    """Train the language model in place; the vision side is not touched. Returns the loss of every step."""
    import torch

    source, rng = random.Random(seed), np.random.default_rng([11, seed])
    asker = ObjectQuestions(TASTE, source)
    named = [*model.model.language_model.named_parameters(), ("lm_head", model.lm_head.weight)]
    optimiser = Optimiser(named, muon=MUON, adamw=ADAMW)
    history = []
    for step in range(steps):
        features, batch = _batch(table, asker, rng)
        packed = pack(batch)
        value = loss(answer_logits(model, torch.from_numpy(features), packed), packed)
        value.backward()
        optimiser.step(step, steps)
        history.append(float(value.detach()))
        progress(step + 1, steps)
    return history


def _batch(
    table: Table, asker: ObjectQuestions, rng: np.random.Generator
) -> tuple[np.ndarray[Any, Any], list[list[Segment]]]:
    """Object scenes and, as they are harder, twice as many spurious ones; each row also carries a fact."""
    features, batch = [], []
    for row in range(OBJECT_ROWS + SPURIOUS_ROWS):
        if row < OBJECT_ROWS:
            scene = sample_objects(rng)
            features.append(imagined_objects(table, scene, rng))
            segments = asker.segments(scene)
        else:
            kind, klass = int(rng.integers(len(TYPES))), int(rng.integers(VALUES))
            body = sample_spurious(rng, kind=kind, klass=klass, rho=RHO)
            features.append(imagined_spurious(table, body, rng))
            segments = name_segments(TASTE, asker.source, kind, klass)
        batch.append([*segments, fact_segment(asker.source)])
    return np.stack(features), batch
