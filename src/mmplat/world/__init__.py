"""The synthetic world: pictures, questions and a tiny vision-language model that really has the faults we measure.

It is the embedded default of the platform: no download, no GPU, a real Hugging Face checkpoint of one million
parameters. Importing this package needs numpy only; torch is imported by `vlm`, `training*` and `evaluation`.
"""

from __future__ import annotations

from pathlib import Path

from mmplat.errors import UnknownName
from mmplat.world.items import WorldItem
from mmplat.world.suites import SUITES, generate

CHECKPOINTS = ("tiny", "tiny-biased")

__all__ = ["CHECKPOINTS", "SUITES", "WorldItem", "checkpoint_folder", "generate"]


def checkpoint_folder(name: str) -> Path:
    """The Hugging Face folder of a checkpoint that ships inside this package."""
    if name not in CHECKPOINTS:
        raise UnknownName("world checkpoint", name, CHECKPOINTS)
    return Path(__file__).parent / "checkpoints" / name
