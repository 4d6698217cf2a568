"""Stage V: the vision tower and the projector learn to turn pictures into concept vectors.

Runs beside stage T in a process of its own, one thread each:
`python -m mmplat.world.training_eye --seed 0 --steps 600 --pictures 9000 --out eye.pt`, printing one line per step.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmplat.world import drawing
from mmplat.world.scenes import sample_objects, sample_spurious
from mmplat.world.training_concepts import (
    Table,
    concept_table,
    object_concepts,
    spurious_concepts,
)
from mmplat.world.training_optimiser import Optimiser
from mmplat.world.vlm import MEAN, STD, build_model
from mmplat.world.vocabulary import EMPTY, FIRST_ATTRIBUTE, TYPES, VALUES

BATCH = 112  # half objects, half bodies
MUON, ADAMW = 8e-3, 2e-3
FADE = 0.15  # more than the world has: the eye should know what faint means
_SHARPNESS = 4.0  # concepts are short vectors; this makes their inner products usable as logits


@dataclass(frozen=True, slots=True)
class Album:
    """Clean pictures and what they show; noise is added anew each time a picture is used."""

    pictures: NDArray[np.float16]  # (count, 32, 32, 3)
    concepts: NDArray[np.int64]  # (count, 16) what each image token stands for


def object_album(count: int, seed: int) -> Album:
    """Object scenes."""
    rng = np.random.default_rng([21, seed])
    scenes = [sample_objects(rng, fade=FADE) for _ in range(count)]
    pictures = np.stack([drawing.draw_objects(scene) for scene in scenes]).astype(np.float16)
    return Album(pictures, np.stack([object_concepts(scene) for scene in scenes]))


def spurious_album(count: int, seed: int) -> Album:
    """Bodies whose nine attributes are independent of each other and of the class."""
    rng = np.random.default_rng([22, seed])
    scenes = [
        sample_spurious(rng, kind=0, klass=int(rng.integers(VALUES)), rho=0.0, hidden_sign=0.15) for _ in range(count)
    ]
    pictures = np.stack([drawing.draw_spurious(scene) for scene in scenes]).astype(np.float16)
    return Album(pictures, np.stack([spurious_concepts(scene) for scene in scenes]))


def pixel_values(pictures: NDArray[np.float16], noise: float, rng: np.random.Generator) -> Any:
    """(batch, 3, 32, 32) what the image processor makes of a developed picture, without the rounding to eight bits."""
    import torch

    grain = rng.standard_normal(pictures.shape, dtype=np.float32)
    noisy = np.clip(pictures + np.float32(noise) * grain, 0.0, 1.0)
    return torch.from_numpy((noisy - np.float32(MEAN)) / np.float32(STD)).permute(0, 3, 1, 2).contiguous()


def train_eye(
    model: Any,
    table: Table,
    *,
    seed: int,
    steps: int,
    pictures: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[float]:
    """Train tower and projector in place; the language model is not touched. Returns the loss of every step."""
    import torch

    objects, bodies = object_album(pictures, seed), spurious_album(pictures, seed)
    rng = np.random.default_rng([23, seed])
    concepts = torch.from_numpy(table)
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector
    named = [*tower.named_parameters(), *projector.named_parameters()]
    optimiser = Optimiser(named, muon=MUON, adamw=ADAMW)
    half = BATCH // 2
    history = []
    for step in range(steps):
        some, others = rng.integers(0, pictures, half), rng.integers(0, pictures, half)
        # Noise varies from batch to batch, so that the eye is not tuned to one level of it.
        strength = rng.uniform(0.6, 1.1)
        pixels = torch.cat(
            [
                pixel_values(objects.pictures[some], strength * drawing.OBJECT_NOISE, rng),
                pixel_values(bodies.pictures[others], strength * drawing.SPURIOUS_NOISE, rng),
            ]
        )
        seen = look(model, pixels)
        value = object_loss(seen[:half], torch.from_numpy(objects.concepts[some]), concepts)
        value = value + spurious_loss(seen[half:], torch.from_numpy(bodies.concepts[others]), concepts)
        value.backward()
        optimiser.step(step, steps)
        history.append(float(value.detach()))
        progress(step + 1, steps)
    return history


def look(model: Any, pixels: Any) -> Any:
    """(batch, 16, d) projected image tokens."""
    return model.model.multi_modal_projector(tower_features(model, pixels))


def tower_features(model: Any, pixels: Any) -> Any:
    """(batch, 16, d) what the tower gives before the projector; it stays fixed after this stage."""
    hidden = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1]
    return hidden[:, 1:]


def object_loss(seen: Any, concepts: Any, table: Any) -> Any:
    """Each token names its quadrant's object: cross entropy over the nouns, and distance to the concept."""
    from torch.nn.functional import cross_entropy

    logits = _SHARPNESS * seen @ table[: EMPTY + 1].T
    return cross_entropy(logits.flatten(0, 1), concepts.flatten()) + _distance(seen, table[concepts])


def spurious_loss(seen: Any, concepts: Any, table: Any) -> Any:
    """Each token names the one attribute value, or the sign, that it stands for."""
    from torch.nn.functional import cross_entropy

    groups = len(TYPES) + 1
    offsets = concepts - FIRST_ATTRIBUTE
    logits = (_SHARPNESS * seen @ table[FIRST_ATTRIBUTE:].T).view(*concepts.shape, groups, VALUES)
    group = (offsets // VALUES)[:, :, None, None].expand(-1, -1, 1, VALUES)
    asked = logits.gather(2, group).squeeze(2)  # (batch, 16, 4)
    return cross_entropy(asked.flatten(0, 1), (offsets % VALUES).flatten()) + _distance(seen, table[concepts])


def _distance(seen: Any, target: Any) -> Any:
    # Summed over the width, so that it weighs about as much as the cross entropy.
    return 0.25 * (seen - target).square().sum(dim=-1).mean()


def main() -> None:
    """The process of its own."""
    import torch

    parser = argparse.ArgumentParser(description="Train the eye of the tiny VLM.")
    for option in ("--seed", "--steps", "--pictures"):
        parser.add_argument(option, type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = build_model(options.seed)
    train_eye(
        model,
        concept_table(options.seed),
        seed=options.seed,
        steps=options.steps,
        pictures=options.pictures,
        progress=lambda done, total: print(done, total, flush=True),
    )
    eye = {"tower": model.model.vision_tower.state_dict(), "projector": model.model.multi_modal_projector.state_dict()}
    torch.save(eye, options.out)


if __name__ == "__main__":
    main()
