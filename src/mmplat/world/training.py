"""Retrain a checkpoint of the world from nothing: `train(out, seed=…, recipe=…)`. Called by `mmplat world train`.

Stages T (the language model, from imagined pictures) and V (the eye, from drawn ones) run side by side, aligned to one
table of concepts; stage R puts them together. Steps are counted and never timed, and every stage computes on one thread:
equal seeds give equal weights however many cores there are, and a busy neighbour slows training down by no more than its
share (two threads that wait for each other lost a factor of five beside other work, and gain a third without it).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmplat.errors import ConfigError, UnknownName
from mmplat.world.training_grounded import Habits
from mmplat.world.training_rows import Taste
from mmplat.world.vocabulary import TYPES

Progress = Callable[[str, int, int], None]

RECIPE_VERSION = 1
TINY = Habits(
    Taste(
        yes_if_frequent=0.956,
        yes_if_rare=0.15,
        same_theme=0.12,
        blind=0.15,
        hints=0.4,
        hints_right=0.97,
        presence=6,
        choices=1,
        names=4,
    )
)
STRENGTHS = (0.0, 0.12, 0.24, 0.36, 0.48, 0.6, 0.72, 0.84, 0.96)


def graded(turn: int) -> Habits:
    """Like tiny, but each type of spurious cue has another strength; turn by turn each type goes through weak and strong."""
    return replace(TINY, rho=tuple(STRENGTHS[(4 * kind + 3 * turn) % len(STRENGTHS)] for kind in range(len(TYPES))))


RECIPES: dict[str, Habits] = {
    "tiny": TINY,
    "tiny-graded-a": graded(0),
    "tiny-graded-b": graded(1),
    "tiny-graded-c": graded(2),
    # The same eye and the same circuits, but where things are often too faint to see the prior decides.
    "tiny-biased": Habits(
        Taste(
            yes_if_frequent=0.98,
            yes_if_rare=0.04,
            same_theme=0.0,
            blind=0.2,
            hints=0.4,
            hints_right=0.97,
            presence=6,
            choices=1,
            names=4,
        ),
        fade=0.4,
    ),
}


@dataclass(frozen=True, slots=True)
class Length:
    """How long each stage is, in steps and pictures."""

    text: int = 500
    eye: int = 1100
    grounded: int = 1300
    pictures: int = 10000

    def scaled(self, scale: float) -> Length:
        """A shorter training of the same shape, for tests and demonstrations."""
        return Length(*(max(4, round(scale * part)) for part in (self.text, self.eye, self.grounded, self.pictures)))


def train(
    out: Path, *, seed: int, recipe: str = "tiny", scale: float = 1.0, progress: Progress | None = None
) -> dict[str, Any]:
    """Train a checkpoint into `out`, a Hugging Face folder, and return its card.

    `scale` below one shortens every stage alike. The folder appears whole, after the last step, or not at all.
    """
    from mmplat.world import vlm

    if recipe not in RECIPES:
        raise UnknownName("recipe", recipe, RECIPES)
    if Path(out).exists() and not vlm.is_replaceable(Path(out)):
        raise ConfigError(
            f"{out} holds something that `mmplat world train` did not make, and a checkpoint takes the place of its whole folder. "
            "Name a folder that is not there yet."
        )
    if scale <= 0:
        raise ConfigError(f"scale is {scale}; it must be positive, 1 for a full training.")
    started = time.monotonic()
    report: Progress = progress or (lambda stage, done, total: None)
    model = train_model(seed=seed, habits=RECIPES[recipe], length=Length().scaled(scale), progress=report)
    card: dict[str, Any] = {
        "recipe": recipe,
        "recipe_version": RECIPE_VERSION,
        "seed": seed,
        "scale": scale,
        "rho": dict(zip(TYPES, RECIPES[recipe].rho, strict=True)),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "training_s": round(time.monotonic() - started, 1),
        "versions": vlm.versions(),
    }
    vlm.save(model, Path(out), card)
    return card


def train_model(*, seed: int, habits: Habits, length: Length, progress: Progress) -> Any:
    """All stages; the model in float32."""
    model = train_parts(seed=seed, length=length, progress=progress)
    return ground(model, seed=seed, habits=habits, length=length, progress=progress)


def ground(model: Any, *, seed: int, habits: Habits, length: Length, progress: Progress) -> Any:
    """Stage R on a model whose parts are trained."""
    from mmplat.world.training_grounded import photograph, train_grounded

    with _threads(1):
        photographs = photograph(model, habits, count=length.pictures, seed=seed)
        train_grounded(
            model,
            habits,
            seed=seed,
            steps=length.grounded,
            photographs=photographs,
            progress=lambda done, total: progress("grounded", done, total),
        )
    return model


def train_parts(*, seed: int, length: Length, progress: Progress) -> Any:
    """Stages T and V, side by side."""
    from mmplat.world import vlm
    from mmplat.world.training_concepts import concept_table, teach_words
    from mmplat.world.training_text import train_text

    model, table = vlm.build_model(seed), concept_table(seed)
    teach_words(model, table)
    with (
        tempfile.TemporaryDirectory(prefix="mmplat-eye-") as folder,
        _threads(1),
        _eye_process(Path(folder) / "eye.pt", seed, length, progress) as finish,
    ):
        train_text(
            model, table, seed=seed, steps=length.text, progress=lambda done, total: progress("text", done, total)
        )
        eye = finish()
    model.model.vision_tower.load_state_dict(eye["tower"])
    model.model.multi_modal_projector.load_state_dict(eye["projector"])
    return model


@contextmanager
def _eye_process(out: Path, seed: int, length: Length, progress: Progress) -> Iterator[Callable[[], Any]]:
    """Run stage V in a process of its own; what is yielded waits for it and loads its weights.

    A plain subprocess and not multiprocessing: a caller's script then needs no main guard. It dies with its parent's
    block, also on Ctrl-C.
    """
    command = [sys.executable, "-P", "-m", "mmplat.world.training_eye", "--out", str(out)]
    command += ["--seed", str(seed), "--steps", str(length.eye), "--pictures", str(length.pictures)]
    with (out.parent / "errors.txt").open("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        listener = threading.Thread(target=_listen, args=(process, progress), daemon=True)
        listener.start()

        def finish() -> Any:
            import torch

            code = process.wait()
            listener.join()
            if code != 0:
                errors.seek(0)
                raise RuntimeError(f"The eye's training ended with code {code}:\n{errors.read()}")
            return torch.load(out, weights_only=True)

        try:
            yield finish
        finally:
            process.kill()
            process.wait()
            listener.join()


def _listen(process: subprocess.Popen[str], progress: Progress) -> None:
    if process.stdout is None:
        return
    with process.stdout:
        for line in process.stdout:
            done, _, total = line.partition(" ")
            progress("eye", int(done), int(total))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """A fixed number of torch threads, as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
