"""The point from which a killed training goes on: weights that learn, the optimiser, and how many steps were taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmplat.artifacts import atomic, write_bytes
from mmplat.errors import ArtifactError
from mmplat.training.loop import Line, Loop

POINT, LOSSES = "resume.pt", "losses.jsonl"


def keep(loop: Loop, folder: Path) -> None:
    """Writes the point, whole or not at all. Every process takes part, since each may hold a part."""
    import torch

    state = {"step": loop.done, **_state(loop)}
    if loop.processes.first:
        with atomic(folder / POINT) as temporary:
            torch.save(state, temporary)


def go_on(loop: Loop, folder: Path) -> int:
    """Puts a loop to the last point, if there is one; returns its step."""
    import torch

    path = folder / POINT
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what its unpickler meets
        raise ArtifactError(
            f"{path} cannot be read ({error}). Delete it and run the same command again: it trains from the beginning."
        ) from error
    _restore(loop, state)
    loop.done = int(state["step"])
    return loop.done


def _state(loop: Loop) -> dict[str, Any]:
    """What learns and the state of the optimiser, by names and whole, however many processes hold them."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict, get_optimizer_state_dict

    network = loop.taught.model.network
    how = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)
    return {
        "weights": get_model_state_dict(network, options=how),
        "optimiser": get_optimizer_state_dict(network, loop.optimiser, options=how),
    }


def _restore(loop: Loop, state: dict[str, Any]) -> None:
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict, set_optimizer_state_dict

    network = loop.taught.model.network
    how = StateDictOptions(full_state_dict=True, strict=False)  # frozen weights are not in it
    set_model_state_dict(network, state["weights"], options=how)
    set_optimizer_state_dict(network, loop.optimiser, state["optimiser"], options=how)


def lines_until(folder: Path, step: int) -> list[Line]:
    """The lines of steps that a training went on from; later ones are taken again."""
    path = folder / LOSSES
    lines = path.read_text(encoding="utf-8").splitlines()[:step] if path.exists() else []
    write_bytes(path, "".join(f"{line}\n" for line in lines).encode())
    return [json.loads(line) for line in lines]
