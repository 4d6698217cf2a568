"""The point from which a killed training goes on: weights that learn, the optimiser, and how many steps were taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmplat.artifacts import atomic
from mmplat.errors import ArtifactError
from mmplat.training.loop import Line, Loop

POINT, LOSSES = "resume.pt", "losses.jsonl"


def keep(loop: Loop, folder: Path) -> None:
    """Writes the point, whole or not at all."""
    import torch

    if not loop.processes.first:
        return
    state = {"step": loop.done, "weights": _learning(loop), "optimiser": loop.optimiser.state_dict()}
    with atomic(folder / POINT) as temporary:
        torch.save(state, temporary)


def go_on(loop: Loop, folder: Path) -> int:
    """Puts a loop to the last point, if there is one; returns its step."""
    import torch

    path = folder / POINT
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location=loop.taught.model.device, weights_only=True)
    except Exception as error:  # torch raises what its unpickler meets
        raise ArtifactError(
            f"{path} cannot be read ({error}). Delete it and run the same command again: it trains from the beginning."
        ) from error
    weights = _learning(loop)
    with torch.no_grad():
        for name, kept in state["weights"].items():
            weights[name].copy_(kept)
    loop.optimiser.load_state_dict(state["optimiser"])
    loop.done = int(state["step"])
    return loop.done


def _learning(loop: Loop) -> dict[str, Any]:
    return {name: one for name, one in loop.taught.model.network.named_parameters() if one.requires_grad}


def lines_until(folder: Path, step: int) -> list[Line]:
    """The lines of steps that a training went on from; later ones are taken again."""
    path = folder / LOSSES
    lines = path.read_text(encoding="utf-8").splitlines()[:step] if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [json.loads(line) for line in lines]
